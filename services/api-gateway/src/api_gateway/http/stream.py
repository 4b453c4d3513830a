"""`GET /v1/stream`: what changes, as it changes."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api_gateway.domain import server_sent
from api_gateway.domain.stream_position import StreamPosition, encode, owner_of
from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.event_stream import EventStream
from api_gateway.metrics import GatewayMetrics
from api_gateway.use_cases.hub import TOPICS, Hub, Subscription
from api_gateway.use_cases.resume import Resume
from api_gateway.use_cases.sessions import Caller
from api_gateway.use_cases.snapshots import Snapshots
from common.errors import Rejected, Unavailable
from common.http.problems import problem_response


class Streams:
    """Opens streams: subscribes first and looks back second, so that nothing falls between."""

    def __init__(
        self, hub: Hub, resume: Resume, snapshots: Snapshots, metrics: GatewayMetrics, send_seconds: float
    ) -> None:
        self._hub, self._resume, self._snapshots = hub, resume, snapshots
        self._metrics, self._send_seconds = metrics, send_seconds

    async def open(
        self, caller: Caller, topics: frozenset[str], last_id: str, lets_in: Callable[[], bool]
    ) -> Any:
        """Return the stream, or a problem when there are too many. `lets_in`: whether the caller still may listen."""
        position, tenant_id = self._hub.position, caller.principal.tenant_id
        if position is None:
            raise Unavailable(
                "stream-not-ready", "the change feed has not been read yet; try again shortly", 1
            )
        subscription = self._hub.subscribe(tenant_id, caller.principal.key_id, topics)
        if subscription is None:
            return problem_response(
                429,
                "too-many-streams",
                "as many streams are open as this key may have; close one first",
                {"Retry-After": "5"},
            )
        try:
            opening = await run_in_threadpool(self._opening, tenant_id, topics, last_id, position)
        except BaseException:
            self._hub.unsubscribe(subscription)
            raise
        self._metrics.streams.inc()
        return EventStream(
            subscription,
            opening,
            lambda: self._ping(tenant_id),
            self._send_seconds,
            lambda why: self._ended(subscription, why),
            lets_in,
        )

    def _opening(
        self, tenant_id: int, topics: frozenset[str], last_id: str, now: StreamPosition
    ) -> list[bytes]:
        frames = self._resume.opening(self._hub.installation, tenant_id, topics, last_id, now)
        if "metrics" in topics:
            frames += self._snapshots.opening(tenant_id)
        return frames

    def _ping(self, tenant_id: int) -> bytes:
        position = self._hub.position
        assert position is not None
        return server_sent.ping(encode(owner_of(self._hub.installation, tenant_id), position))

    def _ended(self, subscription: Subscription, reason: str) -> None:
        self._hub.unsubscribe(subscription)
        self._metrics.streams.dec()
        self._metrics.streams_ended.labels(reason).inc()


def router(access: Access, streams: Streams) -> APIRouter:
    routes = APIRouter(tags=["Live"])

    @routes.get("/v1/stream", response_class=Response, **reference.STREAM)
    async def stream(
        request: Request,
        caller: Annotated[Caller, Depends(access.require("read"))],
        topics: Annotated[
            str, Query(description="What to listen to, separated by commas", examples=["metrics,accounts"])
        ] = ",".join(TOPICS),
        last_event_id: Annotated[str, Header(description="The `id` of the last event that arrived")] = "",
    ) -> Any:
        return await streams.open(caller, _topics(topics), last_event_id, access.still(request, "read"))

    return routes


def _topics(text: str) -> frozenset[str]:
    wanted = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not wanted or not wanted <= set(TOPICS):
        raise Rejected("topics-unknown", f"topics is one or more of {', '.join(TOPICS)}, separated by commas")
    return wanted
