"""The partitions that this engine owns, and the accounts whose state it still has to compute."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import nsmallest

# The first change of an account is computed at once, further ones at most this often.
AT_MOST_EVERY = timedelta(seconds=1)
REMEMBERED = 200_000
# Events that wait this long, or less, to be counted leave time for as many accounts as may be.
IN_TIME_US = 50_000
NEVER = datetime(1, 1, 1, tzinfo=UTC)


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


def with_events(most: int, late_us: int) -> int:
    """How many accounts, of at most `most`, are computed with events of which the first came `late_us` microseconds ago.

    The later, the fewer, in inverse proportion: figures first, since what is computed while more waits is soon to be computed again.
    But never none, where there may be any.
    """
    return most if late_us <= IN_TIME_US else -(-most * IN_TIME_US // late_us)


@dataclass(frozen=True, slots=True)
class Choice:
    """An account chosen for computing now."""

    tenant_id: int
    account_id: int
    partition: int


class Turns:
    """Decides whose turn it is among accounts that were not computed for a second: who was not computed for longest goes first.

    So an account that is new or was quiet is shown at once, however many busy ones wait to be shown anew, and none waits longer than
    it takes to compute all others once. Partitions take turns.
    """

    def __init__(self) -> None:
        self._computed: dict[int, datetime] = {}

    def choose(self, owned: Iterable[Owned], now: datetime, limit: int) -> list[Choice]:
        if limit <= 0:
            return []
        waiting = nsmallest(limit, self._waiting(owned, now))
        return [Choice(tenant_id, account_id, partition) for *_, partition, account_id, tenant_id in waiting]

    def has_any(self, owned: Iterable[Owned], now: datetime) -> bool:
        return any(True for _ in self._waiting(owned, now))

    def _waiting(
        self, owned: Iterable[Owned], now: datetime
    ) -> Iterator[tuple[datetime, int, int, int, int]]:
        """When each was computed last, its place in its partition, partition, account and tenant."""
        computed = self._computed
        latest, ahead = now - AT_MOST_EVERY, now + AT_MOST_EVERY
        for part in owned:
            for place, (account_id, tenant_id) in enumerate(part.dirty.items()):
                last = computed.get(account_id, NEVER)
                if last > ahead:  # the clock was set back
                    last = NEVER
                if last <= latest:
                    yield last, place, part.partition, account_id, tenant_id

    def done(self, choices: Iterable[Choice], now: datetime) -> None:
        """Remember when accounts were computed; only the last `REMEMBERED` are, a forgotten one just goes sooner."""
        if len(self._computed) > REMEMBERED:
            self._computed = {a: at for a, at in self._computed.items() if abs(now - at) < AT_MOST_EVERY}
        for choice in choices:
            self._computed[choice.account_id] = now
