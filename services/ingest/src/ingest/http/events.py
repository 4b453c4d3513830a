"""`POST /v1/events`."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import orjson

from common.contracts.refusals import Refusal, Rejection
from common.errors import Rejected
from ingest.domain.binary_mode import event_of
from ingest.domain.inflation import Bounds, inflate
from ingest.domain.items import cut
from ingest.domain.media import Mode, mode_of
from ingest.domain.validation import text_of
from ingest.http.call import Call
from ingest.http.callers import Callers
from ingest.http.door import Reply
from ingest.use_cases.accept import Intake, Outcome
from ingest.use_cases.publish import Publisher


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds of one request."""

    body_bytes: int
    events: int
    body_timeout_seconds: float


class EventsEndpoint:
    """Takes CloudEvents in every mode, JSON and lines."""

    def __init__(self, callers: Callers, intake: Intake, publisher: Publisher, limits: RequestLimits) -> None:
        self._callers, self._intake, self._publisher, self._limits = callers, intake, publisher, limits
        self._bounds = Bounds(limits.body_bytes)

    async def handle(self, call: Call) -> Reply:
        self._publisher.refuse_when_stalled()
        caller = await self._callers.principal(call.bearer(), "ingest")
        types = await self._callers.types(caller.tenant_id)
        backfill = await self._callers.backfill(caller.tenant_id, backfill_of(call)) if call.query else None
        mode = mode_of(call.headers)
        sent = await call.body(self._limits.body_bytes, self._limits.body_timeout_seconds)
        body = inflate(sent, call.header(b"content-encoding"), self._bounds)
        call.share.take(len(body))
        if mode is Mode.BINARY:
            event = event_of(call.raw_headers, call.header(b"content-type"), body, self._intake.limits)
            if isinstance(event, Refusal):
                name = call.header(b"ce-id")[:256] or None
                return answer_of(self._intake.refuse(caller, [Rejection(0, name, event, body)]))
            body = event
        found = cut(body, mode.shape, self._limits.events)
        text = text_of(body, found.depth)
        return answer_of(await self._intake.accept(caller, found, text, types, mode.value, backfill))


def backfill_of(call: Call) -> str | None:
    """Return the id in `?backfill=ID`. Raises Rejected for anything else, which would otherwise be ignored in silence."""
    given = parse_qs(call.query.decode("latin-1"), keep_blank_values=True, max_num_fields=10)
    if set(given) - {"backfill"} or len(given.get("backfill", ())) > 1:
        raise Rejected("parameter-unknown", "this address takes one parameter, `backfill`, once")
    return next(iter(given.get("backfill", ())), None)


def answer_of(outcome: Outcome) -> Reply:
    """Answer as the contract says: 200 when anything was accepted or nothing was sent, else 400 with the same body."""
    body = orjson.dumps({"accepted": outcome.accepted, "rejected": rejections_of(outcome.rejected)})
    return Reply(body, 200 if outcome.accepted or not outcome.rejected else 400)


def rejections_of(rejected: Sequence[Rejection]) -> list[dict[str, object]]:
    """Name every refused item by its index, what it calls itself, and the reason."""
    return [
        {"index": r.index, "id": r.id, "code": r.refusal.code.value, "message": r.refusal.message}
        for r in rejected
    ]
