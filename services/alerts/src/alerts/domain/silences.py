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


def is_silenced(silences: Sequence[Silence], account: str, rules: Iterable[str], now: datetime) -> bool:
    """Whether every one of the rules that would be told is silenced: one that is not is heard."""
    return all(any(silence.covers(account, rule, now) for silence in silences) for rule in rules)
