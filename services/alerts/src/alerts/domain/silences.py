"""Times in which people do not want to hear of an account or a rule. The case is kept all the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """Matches an account, a rule, or a rule on one account, from `starts_at` until just before `ends_at`."""

    id: str
    account: str | None
    rule: str | None
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    created_at: datetime

    def covers(self, account: str, rule: str, now: datetime) -> bool:
        return (
            self.starts_at <= now < self.ends_at
            and self.account in (None, account)
            and self.rule in (None, rule)
        )


def quiet_until(
    silences: Sequence[Silence], account: str, rules: Iterable[str], now: datetime
) -> Silence | None:
    """The silence with whose end the first of the rules that would be told is heard again; None where one of them is not silenced: it is heard."""
    last = [
        max((one for one in silences if one.covers(account, rule, now)), key=_end, default=None)
        for rule in rules
    ]
    covering = [one for one in last if one is not None]
    return min(covering, key=_end) if covering and len(covering) == len(last) else None


def _end(silence: Silence) -> datetime:
    return silence.ends_at
