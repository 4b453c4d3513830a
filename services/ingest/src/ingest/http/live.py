"""The live view: what became of the last events, refused ones, and their replay."""

import base64
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from common.auth.keys import Principal
from common.errors import Rejected, Unavailable
from common.http.auth import bearer_of
from common.http.ops import Drain
from ingest.domain.inflation import TooLarge
from ingest.http.callers import Callers
from ingest.http.door import refusal_of
from ingest.http.stream import FateStream, Start
from ingest.metrics import Metrics
from ingest.ports.feed import Feed
from ingest.ports.live import LiveStore, RejectedRow
from ingest.use_cases.replay import Replay

SCOPES = ("read", "ingest")
MAX_RESUMED_ROWS = 200
_MAX_ID = 2**63 - 1
# What was refused is often sent again as soon as definitions allow it; many at a time don't each read them.
_DECLARED_JUST_NOW = timedelta(seconds=1)


class LiveView:
    """The routes of the live view, for keys with scope read or ingest; each key sees its own tenant."""

    def __init__(
        self,
        callers: Callers,
        store: LiveStore,
        feed: Feed,
        replay: Replay,
        drain: Drain,
        metrics: Metrics,
        max_clients: int,
        max_event_bytes: int,
    ) -> None:
        self._callers, self._store, self._feed, self._replay = callers, store, feed, replay
        self._drain, self._metrics = drain, metrics
        self._max_clients, self._max_event_bytes = max_clients, max_event_bytes
        self._clients = 0

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/events", tags=["live view"])
        router.get("/recent", summary="The last events with their fate, newest first")(self.recent)
        router.get("/live", summary="Fates as they are decided (server-sent events)")(self.live)
        router.get("/rejected", summary="Refused events, newest first")(self.rejected)
        router.post(
            "/rejected/{rejected_id}/replay", summary="Send a refused event again, mended or as it was"
        )(self.replay)
        return router

    async def recent(self, request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        caller = await self._caller(request)
        rows = await run_in_threadpool(self._store.fates_before, caller.tenant_id, limit)
        fates = [fate for row in rows for fate in reversed(row.fates)]
        return _json({"data": fates[:limit]})

    async def rejected(
        self,
        request: Request,
        cursor: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        caller = await self._caller(request)
        below = _read_cursor(cursor) if cursor else None
        rows = await run_in_threadpool(self._store.rejected_before, caller.tenant_id, below, limit + 1)
        page = rows[:limit]
        following = _cursor(page[-1].id) if len(rows) > limit else None
        # A key that sends may lie in a browser's page: what others sent is not for it to read.
        shown = _with_body if caller.allows("read") else _shown
        return _json({"data": [shown(row) for row in page], "next_cursor": following})

    async def replay(self, request: Request, rejected_id: int) -> Response:
        """The body, if there is one, is the corrected event and is sent in place of what was kept."""
        caller = await self._callers.principal(bearer_of(request), "ingest")
        if not 0 < rejected_id <= _MAX_ID:
            raise Rejected("rejected-id-invalid", "the id of a rejected event is a positive whole number")
        correction = await self._correction(request)
        row = await run_in_threadpool(self._store.rejected, caller.tenant_id, rejected_id)
        types = await self._callers.types(caller.tenant_id, _DECLARED_JUST_NOW)
        await self._replay.replay(caller, row, correction, types)
        return _json({"accepted": 1, "replayed": row.id})

    async def live(
        self, request: Request, last_event_id: Annotated[str | None, Header(max_length=64)] = None
    ) -> Response:
        caller = await self._caller(request)
        if self._clients >= self._max_clients:
            raise Unavailable("streams-full", "too many live streams are open", 5)
        start = await run_in_threadpool(self._start, caller.tenant_id, last_event_id)
        self._count(1)
        return FateStream(self._feed, caller.tenant_id, start, self._drain, lambda: self._count(-1))

    async def _caller(self, request: Request) -> Principal:
        return await self._callers.principal(bearer_of(request), *SCOPES)

    async def _correction(self, request: Request) -> bytes | None:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._max_event_bytes:
                raise TooLarge("body-too-large", f"an event has at most {self._max_event_bytes} bytes")
        return bytes(body) or None

    def _start(self, tenant_id: int, last_event_id: str | None) -> Start:
        newest_rows = self._store.fates_before(tenant_id, 1)
        newest = newest_rows[0].seq if newest_rows else 0
        if last_event_id is None:
            return Start((), newest, reset=False)
        if not (last_event_id.isascii() and last_event_id.isdigit()) or int(last_event_id) > newest:
            return Start((), newest, reset=True)
        rows = self._store.fates_after(tenant_id, int(last_event_id), MAX_RESUMED_ROWS + 1)
        if len(rows) > MAX_RESUMED_ROWS:
            return Start((), newest, reset=True)
        return Start(rows, max([newest, *(row.seq for row in rows)]), reset=False)

    def _count(self, by: int) -> None:
        self._clients += by
        self._metrics.live_clients.set(self._clients)


async def too_large(_: Request, error: Exception) -> Response:
    """Answer 413 outside the hot path too."""
    assert isinstance(error, TooLarge)
    return refusal_of(error)


def _shown(row: RejectedRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "received_at": row.received_at,
        "stage": row.stage,
        "code": row.code,
        "message": row.message,
        "event_id": row.event_id,
        "source": row.source,
        "type": row.type,
        "account": row.account,
        "replayed_at": row.replayed_at,
    }


def _with_body(row: RejectedRow) -> dict[str, Any]:
    try:
        return _shown(row) | {"body": row.body.decode()}
    except UnicodeDecodeError:
        return _shown(row) | {"body_base64": base64.b64encode(row.body).decode()}


def _cursor(last_id: int) -> str:
    return base64.urlsafe_b64encode(b"r1:%d" % last_id).decode()


def _read_cursor(cursor: str) -> int:
    try:
        kind, _, number = base64.urlsafe_b64decode(cursor.encode()).partition(b":")
        found = int(number) if kind == b"r1" and number.isdigit() else -1
    except ValueError:
        found = -1
    if not 0 < found <= _MAX_ID:
        raise Rejected("cursor-invalid", "this cursor is not one that this address gave; start without one")
    return found


def _json(content: dict[str, Any]) -> Response:
    return Response(
        orjson.dumps(content, option=orjson.OPT_UTC_Z),
        headers={"Cache-Control": "no-store"},
        media_type="application/json",
    )
