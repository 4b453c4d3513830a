"""Routes of the alerts and ingest services, passed on so that one origin serves everything."""

from collections.abc import Awaitable, Callable, Mapping
from string import printable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from api_gateway.http import forwarded_reference
from api_gateway.http.access import Access
from api_gateway.http.bodies import bounded_body
from api_gateway.metrics import GatewayMetrics
from api_gateway.ports.services import Forwarded, Service, ServiceAnswer, ServiceBroken, ServiceStream
from api_gateway.use_cases.sessions import Caller
from common.errors import NotFound, Unavailable
from common.http.problems import problem_response

Closing = Callable[[], Awaitable[None]]

# What is already encoded stays as it is; raw bytes beyond ASCII, which some clients send, are encoded.
_ASCII = printable
MAX_BODY_BYTES = 256 * 1024
# What reads a whole history before it answers.
_TAKE_LONG = ("/backtest", "/v1/rules/budget")
_SENT = (
    "accept",
    "content-type",
    "if-none-match",
    "if-match",
    "idempotency-key",
    "last-event-id",
    "accept-language",
)
_RETURNED = (
    "content-type",
    "etag",
    "cache-control",
    "retry-after",
    "location",
    "link",
    "x-accel-buffering",
    "content-disposition",
    "vary",
    "content-security-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-robots-tag",
)


class Forwarding:
    """Passes a request on with the caller's own key, and the answer back."""

    def __init__(self, service: Service, metrics: GatewayMetrics) -> None:
        self._service, self._metrics = service, metrics

    async def ask(self, request: Request, caller: Caller | None) -> Response:
        """Answer with what the service says; 413, 502 or 503 when that can't be had. Without a caller what is asked for is its own key."""
        body = await bounded_body(request, MAX_BODY_BYTES)
        if body is None:
            return problem_response(413, "body-too-large", f"a body has at most {MAX_BODY_BYTES} bytes here")
        try:
            answer = await self._service.ask(forwarded(request, caller, body))
        except ServiceBroken as error:
            self._count("broken")
            return problem_response(502, f"{self._service.name}-broken", str(error))
        except Unavailable:
            self._count("unavailable")
            raise
        self._count("answered")
        return _returned(answer)

    async def open(self, request: Request, caller: Caller) -> tuple[ServiceStream, Closing]:
        """Open the service's stream; whoever takes it closes it."""
        opened = self._service.listen(forwarded(request, caller))
        try:
            stream = await opened.__aenter__()
        except Unavailable:
            self._count("unavailable")
            raise
        self._count("answered")

        async def close() -> None:
            await opened.__aexit__(None, None, None)

        return stream, close

    def _count(self, outcome: str) -> None:
        self._metrics.forwarded.labels(self._service.name, outcome).inc()


def alerts_router(access: Access, forwarding: Forwarding) -> APIRouter:
    """Forward the alerts service's routes, known and future ones below the same prefixes."""
    routes = APIRouter(tags=["Cases and alerts"])

    async def forward(
        request: Request, caller: Annotated[Caller, Depends(access.require("read"))]
    ) -> Response:
        return await forwarding.ask(request, caller)

    async def forward_link(request: Request) -> Response:
        return await forwarding.ask(request, None)

    for shown in forwarded_reference.LINKS:
        routes.add_api_route(
            forwarded_reference.LINK, forward_link, methods=[shown.method], **shown.documentation
        )
    routes.add_api_route(forwarded_reference.LINK, forward_link, methods=["HEAD"], include_in_schema=False)
    for route in forwarded_reference.FORWARDED:
        routes.add_api_route(
            route.path,
            forward,
            methods=[route.method],
            operation_id=route.operation_id,
            **route.documentation,
        )
    for prefix in forwarded_reference.FORWARDED_PREFIXES:
        for path in (prefix, prefix + "/{rest:path}"):
            routes.add_api_route(
                path, forward, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False
            )
    return routes


def forwarded(request: Request, caller: Caller | None, body: bytes = b"") -> Forwarded:
    """Return the request as it goes on: same path and query, only headers that matter, the caller's own key if there is one."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = quote(raw.split(b"?")[0], safe=_ASCII)
    if any(segment.lower().replace("%2e", ".") in (".", "..") for segment in path.split("/")):
        raise NotFound("not-found", "there is nothing at this address")
    query = quote(request.scope["query_string"], safe=_ASCII)
    headers = {name: request.headers[name] for name in _SENT if name in request.headers}
    if caller is not None:
        headers["authorization"] = f"Bearer {caller.key_text}"
    # Compression between two services of one machine costs more than it saves.
    headers["accept-encoding"] = "identity"
    takes_long = path.endswith(_TAKE_LONG)
    return Forwarded(request.method, f"{path}?{query}" if query else path, headers, body, takes_long)


def _returned(answer: ServiceAnswer) -> Response:
    return Response(answer.body, answer.status, kept(answer.headers))


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a service's answer that a caller may see."""
    return {name: value for name, value in headers.items() if name.lower() in _RETURNED}
