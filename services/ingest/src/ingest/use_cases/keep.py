"""Keeping refused items, so that they can be looked at, mended and replayed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from common.contracts.record import OutRecord, pack_rejected
from common.contracts.refusals import Rejection
from common.errors import Unavailable
from ingest.metrics import Metrics
from ingest.use_cases.publish import Publisher

MAX_KEPT_BYTES = 64 * 1024
MAX_OPEN = 2_000
# How a message of a shortened item ends; an item so marked can't be replayed as it is.
SHORTENED = " [kept shortened]"


class Keeper:
    """Writes refused items to the rejected topic; used from one event loop."""

    def __init__(self, publisher: Publisher, topic: str, metrics: Metrics) -> None:
        self._publisher, self._topic, self._metrics = publisher, topic, metrics
        self._open = 0

    def offer(self, tenant: str, received_at: datetime, rejections: Sequence[Rejection]) -> None:
        """Keep items without waiting. The sender was told that they are refused, which holds whatever becomes of them here; those that
        can't be kept, because the log is down or too many are on their way, are counted in `bellwether_ingest_rejected_not_kept_total`."""
        for rejection in rejections:
            self._metrics.rejected[rejection.refusal.code].inc()
            record = self._record(tenant, received_at, rejection)
            if self._open < MAX_OPEN and self._publisher.offer(record, self._landed):
                self._open += 1
            else:
                self._metrics.rejected_lost.inc()

    async def keep(self, tenant: str, received_at: datetime, rejections: Sequence[Rejection]) -> None:
        """Keep items durably, for senders that are told success; raises Unavailable when that is not known to have worked."""
        if self._open >= MAX_OPEN:
            raise Unavailable("overloaded", "too many refused items are on their way", 1)
        for rejection in rejections:
            self._metrics.rejected[rejection.refusal.code].inc()
        records = [self._record(tenant, received_at, rejection) for rejection in rejections]
        await asyncio.gather(*(self._publisher.publish_record(record) for record in records))

    def _record(self, tenant: str, received_at: datetime, rejection: Rejection) -> OutRecord:
        body, message = rejection.body, rejection.refusal.message
        if len(body) > MAX_KEPT_BYTES:
            message += f" ({len(body)} bytes were sent)" + SHORTENED
            body = body[:MAX_KEPT_BYTES]
        stamp_us = int(received_at.timestamp() * 1_000_000)
        return pack_rejected(self._topic, tenant, stamp_us, rejection.refusal.code.value, message, body)

    def _landed(self, error: BaseException | None) -> None:
        self._open -= 1
        if error is not None:
            self._metrics.rejected_lost.inc()
