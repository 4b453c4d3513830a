"""Server-sent events over ASGI: bounded, pinged, ended when the client goes or doesn't read."""

import asyncio
from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api_gateway.domain import server_sent
from api_gateway.use_cases.hub import Subscription

PING_SECONDS = 15.0
# Together with how long services know a key, within the ten seconds that a revocation may take.
_ASK_SECONDS = 4.0
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class EventStream(Response):
    """An ASGI answer that sends `opening`, then what the subscription holds, until one side ends it.

    `on_end` is told why: `client` went away, was `slow`, its key or session
    holds no more (`refused`, by `lets_in`, asked every few seconds), or the process is ending (`shutdown`).
    """

    def __init__(
        self,
        subscription: Subscription,
        opening: Sequence[bytes],
        ping: Callable[[], bytes],
        send_seconds: float,
        on_end: Callable[[str], None],
        lets_in: Callable[[], bool],
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._subscription, self._opening, self._ping = subscription, opening, ping
        self._send_seconds, self._on_end, self._lets_in = send_seconds, on_end, lets_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_until_gone(receive))
        pump = asyncio.ensure_future(self._pump(send))
        guard = asyncio.ensure_future(self._guard())
        reason = "client"
        try:
            await asyncio.wait({gone, pump}, return_when=asyncio.FIRST_COMPLETED)
            reason = pump.result() if pump.done() else reason
        finally:
            gone.cancel()
            pump.cancel()
            guard.cancel()
            await asyncio.gather(gone, pump, guard, return_exceptions=True)
            self._on_end(reason)
        if reason == "slow":
            _abort(scope)

    async def _guard(self) -> None:
        while self._subscription.ended is None:
            await asyncio.sleep(_ASK_SECONDS)
            if not await run_in_threadpool(self._lets_in):
                self._subscription.end("refused")

    async def _pump(self, send: Send) -> str:
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await asyncio.wait_for(send(start), self._send_seconds)
            await self._send(send, server_sent.RETRY)
            for frame in self._opening:
                await self._send(send, frame)
            while self._subscription.ended is None:
                frames = await self._subscription.take(PING_SECONDS)
                if self._subscription.ended is None:
                    await self._send(send, frames or self._ping())
        except TimeoutError:
            return "slow"
        except OSError:
            return "client"
        if self._subscription.ended != "slow":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        return self._subscription.ended

    async def _send(self, send: Send, body: bytes) -> None:
        message = {"type": "http.response.body", "body": body, "more_body": True}
        await asyncio.wait_for(send(message), self._send_seconds)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _abort(scope: Scope) -> None:
    """Close the connection without waiting for a client that doesn't read."""
    abort = scope.get("extensions", {}).get("bellwether.abort")
    if abort is not None:
        abort()
