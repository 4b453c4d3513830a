"""The partitions that this engine owns, and the accounts whose state it still has to compute."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# The first change of an account is computed at once, further ones at most this often.
AT_MOST_EVERY = timedelta(seconds=1)
REMEMBERED = 200_000


@dataclass(slots=True)
class Owned:
    """One partition. `dirty` maps accounts that wait for their state to their tenants."""

    topic: str
    partition: int
    epoch: int
    next_offset: int
    batch_no: int
    dirty: dict[int, int] = field(default_factory=dict)
    stored: list[int] = field(default_factory=list)  # those of them that the database holds


@dataclass(frozen=True, slots=True)
class Choice:
    """An account chosen for computing now."""

    tenant_id: int
    account_id: int
    partition: int


class Turns:
    """Decides whose turn it is: an account that was not computed for a second goes first come, first served."""

    def __init__(self) -> None:
        self._computed: dict[int, datetime] = {}

    def choose(self, owned: Iterable[Owned], now: datetime, limit: int) -> list[Choice]:
        chosen: list[Choice] = []
        for part in owned:
            for account_id, tenant_id in part.dirty.items():
                if len(chosen) >= limit:
                    return chosen
                last = self._computed.get(account_id)
                if last is None or now - last >= AT_MOST_EVERY:
                    chosen.append(Choice(tenant_id, account_id, part.partition))
        return chosen

    def done(self, choices: Iterable[Choice], now: datetime) -> None:
        """Remember when accounts were computed; only the last `REMEMBERED` are, a forgotten one just goes sooner."""
        if len(self._computed) > REMEMBERED:
            self._computed = {a: at for a, at in self._computed.items() if now - at < AT_MOST_EVERY}
        for choice in choices:
            self._computed[choice.account_id] = now
