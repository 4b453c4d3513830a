"""Server-sent events of the live view: bounded queue, send time-out, pings, resumable."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from fastapi import Response

from common.http.ops import Drain
from ingest.http.call import Receive, Scope, Send
from ingest.ports.feed import Feed, Followed
from ingest.ports.live import FateRow

PING_SECONDS = 15.0
SEND_SECONDS = 10.0
LOOK_SECONDS = 0.5
_RETRY = b"retry: 3000\n\n"
_PING = b": ping\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream starts: rows to send first, the highest number among all rows, and whether the client has missed some."""

    rows: Sequence[FateRow]
    newest_seq: int
    reset: bool


def reset_event(reason: str) -> bytes:
    """Tell the client that it missed events and should read `/v1/events/recent`."""
    return b"event: reset\ndata: " + orjson.dumps({"reason": reason}) + b"\n\n"


def frames_of(row: FateRow) -> bytes:
    """Write a message per fate. Only the last carries the id, so that a client that was cut off in the middle gets the row again."""
    lines = [b"data: " + orjson.dumps(fate) + b"\n\n" for fate in row.fates]
    if lines:
        lines[-1] = b"id: %d\n" % row.seq + lines[-1]
    return b"".join(lines)


class FateStream(Response):
    """Sends fates until the client leaves, reads too slowly, or the service ends."""

    media_type = "text/event-stream"

    def __init__(
        self, feed: Feed, tenant_id: int, start: Start, drain: Drain, closed: Callable[[], None]
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._feed, self._tenant_id, self._start = feed, tenant_id, start
        self._drain, self._closed = drain, closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_left(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with self._feed.subscribe(self._tenant_id, self._start.newest_seq) as followed:
                await self._send(send, followed, gone)
            await _chunk(send, b"", more=False)
        except TimeoutError:
            return
        finally:
            gone.cancel()
            self._closed()

    async def _send(self, send: Send, followed: Followed, gone: "asyncio.Future[None]") -> None:
        first = reset_event("older events are not kept any more") if self._start.reset else b""
        await _chunk(send, _RETRY + first + b"".join(map(frames_of, self._start.rows)))
        sent = {row.seq for row in self._start.rows}
        loop = asyncio.get_running_loop()
        last_sent_at = loop.time()
        while not (gone.done() or self._drain.started):
            if followed.lost:
                await _chunk(send, reset_event("this client read too slowly"))
                return
            row = await _next(followed)
            if row is not None and row.seq not in sent:
                await _chunk(send, frames_of(row))
                last_sent_at = loop.time()
            elif loop.time() - last_sent_at > PING_SECONDS:
                await _chunk(send, _PING)
                last_sent_at = loop.time()


async def _next(followed: Followed) -> FateRow | None:
    try:
        return await asyncio.wait_for(followed.rows.get(), LOOK_SECONDS)
    except TimeoutError:
        return None


async def _chunk(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
