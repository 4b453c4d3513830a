"""The one reader of the change feed in this process: what the engine and the alerts service changed becomes messages."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import MappingProxyType

from api_gateway.domain.records import Change
from api_gateway.domain.stream_position import StreamPosition, encode, owner_of
from api_gateway.metrics import GatewayMetrics
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.cases import CaseReader
from api_gateway.ports.changes import ChangeReader, Wake
from api_gateway.use_cases import messages
from api_gateway.use_cases.changed import changed
from api_gateway.use_cases.hub import Hub, Message
from common.clock import Clock
from common.errors import BellwetherError
from common.logs import get_logger

log = get_logger("change_feed")

# Batches of a partition, and case changes, that one round takes; more wait for the next, which follows at once.
_ROUND = 200
_PAUSE_AFTER_ERROR_SECONDS = 0.5
# After a round the reader rests as long as that took.
_LONGEST_REST_SECONDS = 0.1


class ChangeFeed:
    """Reads changes, publishes them to the hub, and tells `on_change` which tenants they touched.

    It starts from now: what happened before is replayed for each client from its own position.
    """

    def __init__(
        self,
        changes: ChangeReader,
        cases: CaseReader,
        accounts: AccountReader,
        hub: Hub,
        on_change: Callable[[set[int]], None],
        metrics: GatewayMetrics,
        clock: Clock,
    ) -> None:
        self._changes, self._cases, self._accounts = changes, cases, accounts
        self._hub, self._on_change, self._metrics, self._clock = hub, on_change, metrics, clock
        self._position: StreamPosition | None = None
        self._installation = ""

    def run(self, wake: Wake, stop: threading.Event) -> None:
        """Publish until told to stop. A database that doesn't answer is asked again; nothing is lost meanwhile."""
        more = False
        while not stop.is_set():
            try:
                if not more:
                    wake.wait(stop)
                began = time.monotonic()
                more = self.round()
                # Accounts that change meanwhile are read once, and the rest of the service has its turn.
                stop.wait(min(time.monotonic() - began, _LONGEST_REST_SECONDS))
            except BellwetherError as error:
                more = False
                self._metrics.feed_errors.labels(error.code).inc()
                log.warning("feed_round_failed", code=error.code, message=error.message)
                stop.wait(_PAUSE_AFTER_ERROR_SECONDS)
        wake.close()

    def round(self) -> bool:
        """Publish what is new; True when more is waiting."""
        if self._position is None:
            self._start()
        assert self._position is not None
        before = self._position
        changes = self._changes.after(before.batches, _ROUND)
        batches = {**before.batches, **{change.partition: change.batch_no for change in changes}}
        after_changes = StreamPosition(MappingProxyType(batches), before.cases)
        touched = self._publish_changes(changes, before, after_changes)
        after, more_cases = self._publish_cases(after_changes)
        if after != before:
            self._position = after
            self._hub.advance(after, self._installation)
            self._on_change(touched)
        taken: dict[int, set[int]] = defaultdict(set)
        for change in changes:
            taken[change.partition].add(change.batch_no)
        return more_cases or any(len(numbers) >= _ROUND for numbers in taken.values())

    def _start(self) -> None:
        self._installation = self._changes.installation()
        batches = {partition: newest for partition, (_, newest) in self._changes.ranges().items()}
        self._position = StreamPosition(MappingProxyType(batches), self._cases.range()[1])
        self._hub.advance(self._position, self._installation)

    def _publish_changes(
        self, changes: Sequence[Change], before: StreamPosition, after: StreamPosition
    ) -> set[int]:
        by_tenant: dict[int, list[Change]] = defaultdict(list)
        for change in changes:
            by_tenant[change.tenant_id].append(change)
        for tenant_id, own in by_tenant.items():
            if not self._hub.watched(tenant_id, "accounts"):
                continue
            told = changed(self._accounts, tenant_id, own)
            as_of = min(change.as_of for change in own)
            step = self._step(tenant_id, before, after)
            self._publish(tenant_id, list(messages.of_accounts(told, as_of, step)))
            self._metrics.feed_lag.set((self._clock.now() - as_of).total_seconds())
        return set(by_tenant)

    def _publish_cases(self, before: StreamPosition) -> tuple[StreamPosition, bool]:
        changed = self._cases.after(before.cases, _ROUND)
        if not changed:
            return before, False
        after = StreamPosition(before.batches, max(change.seq for change in changed))
        for tenant_id in {change.tenant_id for change in changed}:
            own = [change for change in changed if change.tenant_id == tenant_id]
            self._publish(tenant_id, list(messages.of_cases(own, self._step(tenant_id, before, after))))
        return after, len(changed) >= _ROUND

    def _publish(self, tenant_id: int, made: list[Message]) -> None:
        for message in made:
            self._metrics.stream_messages.labels(message.topic).inc()
        if made:
            self._hub.publish(tenant_id, made)

    def _step(self, tenant_id: int, before: StreamPosition, after: StreamPosition) -> messages.Step:
        owner = owner_of(self._installation, tenant_id)
        return messages.Step(encode(owner, before), encode(owner, after))
