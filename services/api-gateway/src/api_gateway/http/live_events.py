"""The live view of events: ingest's, passed on with the same care for slow clients as our own stream."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.event_stream import EventStream
from api_gateway.http.forwarding import Closing, Forwarding, kept
from api_gateway.metrics import GatewayMetrics
from api_gateway.ports.services import ServiceStream
from api_gateway.use_cases.hub import Hub, Subscription
from api_gateway.use_cases.sessions import Caller
from common.errors import Unavailable
from common.http.problems import problem_response
from common.logs import get_logger

log = get_logger("live_events")

_BLOCK_END = b"\n\n"
# One block holds one event of at most 1 MB; more without an end is not a stream of events.
_MAX_BLOCK_BYTES = 4 * 1024 * 1024
_PING = b": ping\n\n"


class LiveEvents:
    """Opens ingest's stream for a client and copies whole blocks, so that nothing is put between the lines of one."""

    def __init__(
        self, hub: Hub, forwarding: Forwarding, metrics: GatewayMetrics, send_seconds: float
    ) -> None:
        self._hub, self._forwarding, self._metrics, self._send_seconds = (
            hub,
            forwarding,
            metrics,
            send_seconds,
        )
        self._copies: set[asyncio.Task[None]] = set()

    async def open(self, request: Request, caller: Caller, lets_in: Callable[[], bool]) -> Response:
        """Return the stream, or a problem. `lets_in`: whether the caller still may listen."""
        subscription = self._hub.subscribe(caller.principal.tenant_id, caller.principal.key_id, frozenset())
        if subscription is None:
            return problem_response(
                429,
                "too-many-streams",
                "as many streams are open as this key may have; close one first",
                {"Retry-After": "5"},
            )
        try:
            stream, close = await self._forwarding.open(request, caller)
        except BaseException:
            self._hub.unsubscribe(subscription)
            raise
        if stream.status != 200:
            self._hub.unsubscribe(subscription)
            return await _refusal(stream, close)
        copy = asyncio.create_task(_copy(stream, close, subscription))
        self._copies.add(copy)
        copy.add_done_callback(self._copies.discard)
        self._metrics.streams.inc()
        return EventStream(
            subscription,
            (),
            lambda: _PING,
            self._send_seconds,
            lambda why: self._ended(subscription, copy, why),
            lets_in,
        )

    def _ended(self, subscription: Subscription, copy: asyncio.Task[None], reason: str) -> None:
        copy.cancel()
        self._hub.unsubscribe(subscription)
        self._metrics.streams.dec()
        self._metrics.streams_ended.labels(reason).inc()


def router(access: Access, forwarding: Forwarding, live_events: LiveEvents) -> APIRouter:
    routes = APIRouter(tags=["Live"])
    caller_of = access.require("read")

    @routes.get("/v1/events/recent", **reference.EVENTS_RECENT)
    async def recent(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return await forwarding.ask(request, caller)

    @routes.get("/v1/events/rejected", **reference.EVENTS_REJECTED)
    async def rejected(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return await forwarding.ask(request, caller)

    @routes.get("/v1/events/live", **reference.EVENTS_LIVE)
    async def live(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return await live_events.open(request, caller, access.still(request, "read"))

    return routes


async def _copy(stream: ServiceStream, close: Closing, subscription: Subscription) -> None:
    held = b""
    try:
        async for part in stream.parts:
            blocks, separator, held = (held + part.replace(b"\r\n", b"\n")).rpartition(_BLOCK_END)
            if separator and not subscription.offer([blocks + separator]):
                subscription.end("slow")
            if subscription.ended is not None or len(held) > _MAX_BLOCK_BYTES:
                break
    except Unavailable as error:
        log.info("live_events_broke_off", code=error.code)
    finally:
        subscription.end("upstream")
        await close()


async def _refusal(stream: ServiceStream, close: Closing) -> Response:
    try:
        return Response(b"".join([part async for part in stream.parts]), stream.status, kept(stream.headers))
    finally:
        await close()
