"""Accepting: judge the items of a request, make the good ones durable, keep the refused ones."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from common.auth.keys import Principal
from common.clock import Clock
from common.contracts.diagnosis import Limits, Terms
from common.contracts.event_types import TypeRules
from common.contracts.instants import Window
from common.contracts.record import partition_of
from common.contracts.refusals import Rejection
from ingest.domain.items import Cut
from ingest.domain.validation import Text, Verdicts, judge
from ingest.metrics import Metrics
from ingest.use_cases.keep import Keeper
from ingest.use_cases.publish import Publisher

_MAX_ACCOUNTS = 20_000
_MAX_TENANTS = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many events are durable, and what was refused."""

    accepted: int
    rejected: Sequence[Rejection]


class _Partitions(dict[str, int]):
    """The partitions of a tenant's accounts, as far as remembered; computed when asked."""

    def __init__(self, tenant: str, count: int) -> None:
        super().__init__()
        self._tenant, self._count = tenant, count

    def __missing__(self, account: str) -> int:
        if len(self) >= _MAX_ACCOUNTS:
            self.clear()
        found = self[account] = partition_of(self._tenant, account, self._count)
        return found


class Intake:
    """Takes the items of requests in; used from one event loop."""

    def __init__(
        self,
        publisher: Publisher,
        keeper: Keeper,
        terms: Terms,
        partitions: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._publisher, self._keeper, self._terms = publisher, keeper, terms
        self._count, self._clock, self._metrics = partitions, clock, metrics
        self._partitions: OrderedDict[str, _Partitions] = OrderedDict()

    @property
    def limits(self) -> Limits:
        return self._terms.limits

    def window(self) -> Window:
        """The window for events that arrive now."""
        return self._terms.window(self._clock.now())

    async def accept(
        self,
        caller: Principal,
        cut: Cut,
        text: Text,
        types: TypeRules,
        door: str,
        backfill: str | None = None,
    ) -> Outcome:
        """Judge and publish; returns when every accepted event is durable. Raises Unavailable: then nothing of it is promised, and sending all
        of it again is harmless. Refused items are offered to the rejected topic; the answer doesn't wait for that."""
        window = self.window()
        verdicts = self.judge(caller, cut, text, window, types)
        self._keeper.offer(caller.tenant, window.stamp, verdicts.rejected)
        await self.publish(caller, verdicts, door, backfill)
        return Outcome(verdicts.accepted, verdicts.rejected)

    def refuse(self, caller: Principal, rejected: Sequence[Rejection]) -> Outcome:
        """Refuse items that are no events at all; they are offered to the rejected topic like others."""
        self._keeper.offer(caller.tenant, self._clock.now(), rejected)
        return Outcome(0, rejected)

    def judge(self, caller: Principal, cut: Cut, text: Text, window: Window, types: TypeRules) -> Verdicts:
        """Judge without publishing."""
        return judge(cut.items, text, window, self._terms.limits, types, self.partitions_of(caller.tenant))

    async def publish(
        self, caller: Principal, verdicts: Verdicts, door: str, backfill: str | None = None
    ) -> None:
        """Make accepted events durable and count them; errors as for `accept`."""
        await self._publisher.publish(caller.tenant, verdicts.by_partition, backfill)
        self._metrics.accepted.labels(door).inc(verdicts.accepted)

    def partitions_of(self, tenant: str) -> dict[str, int]:
        """The partition of each account of a tenant."""
        found = self._partitions.get(tenant)
        if found is None:
            found = self._partitions[tenant] = _Partitions(tenant, self._count)
            while len(self._partitions) > _MAX_TENANTS:
                self._partitions.popitem(last=False)
        return found
