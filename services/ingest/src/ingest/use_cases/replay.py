"""Sending a refused item again, mended or as it was."""

from dataclasses import replace

from common.auth.keys import Principal
from common.contracts.diagnosis import Limits, examine
from common.contracts.event_types import TypeRules
from common.contracts.record import pack_events
from common.contracts.refusals import Refusal
from common.errors import Conflict, Rejected
from ingest.domain.segment import is_call
from ingest.ports.live import RejectedRow
from ingest.use_cases.accept import Intake
from ingest.use_cases.calls import event_of_kept
from ingest.use_cases.keep import SHORTENED
from ingest.use_cases.publish import Publisher


class Replay:
    """Judges a refused item as if it came now and publishes it; the engine marks the refused one as replayed."""

    def __init__(self, intake: Intake, publisher: Publisher, topic: str) -> None:
        self._intake, self._publisher, self._topic = intake, publisher, topic

    async def replay(
        self, caller: Principal, row: RejectedRow, correction: bytes | None, types: TypeRules
    ) -> None:
        """Return when the event is durable. Raises Rejected when it is refused again, Conflict when only part of it was kept, Unavailable."""
        if correction is None and row.message.endswith(SHORTENED):
            raise Conflict(
                "rejected-shortened",
                "only the first part of this item was kept; send the corrected event as the body",
            )
        window = self._intake.window()
        limits = self._intake.limits
        body = correction if correction is not None else row.body
        event: bytes | Refusal = body
        if is_call(body, limits):
            received = replace(window, stamp=row.received_at) if correction is None else window
            event = event_of_kept(body, caller, received, limits)
        verdict = event if isinstance(event, Refusal) else self._examined(event, limits, types)
        if isinstance(verdict, Refusal):
            raise Rejected(verdict.code.value, verdict.message)
        published, account = verdict
        partition = self._intake.partitions_of(caller.tenant)[account or ""]
        stamp_us = int(window.stamp.timestamp() * 1_000_000)
        await self._publisher.publish_record(
            pack_events(self._topic, partition, caller.tenant, stamp_us, [published], replay_of=row.id)
        )

    def _examined(self, event: bytes, limits: Limits, types: TypeRules) -> Refusal | tuple[bytes, str | None]:
        verdict = examine(event, self._intake.window(), limits, types)
        return verdict if isinstance(verdict, Refusal) else (verdict.body, verdict.account)
