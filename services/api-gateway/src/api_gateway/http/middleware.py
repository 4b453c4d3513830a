"""Around every request: safe headers, measured time, and account ids that may hold any character."""

import time
from collections.abc import Iterable
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.metrics import GatewayMetrics

_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"{_POLICY}; style-src 'self'"
# The API reference builds its styles in the page.
REFERENCE_POLICY = f"{_POLICY}; style-src 'self' 'unsafe-inline'"

_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": PAGE_POLICY,
}
_ENCODED_PREFIXES = (b"/v1/accounts/",)


class SafeHeaders:
    """Adds security headers; a header that the answer already has stays as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_missing(message["headers"])]
            await send(message)

        await self._app(scope, receive, with_headers)


class Measured:
    """Times requests by the route's pattern and the status class. Streams, which last as they last, are left out."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status, is_stream = 500, False

        async def watched(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(
                    name == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in message["headers"]
                )
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if not is_stream:
                route = getattr(scope.get("route"), "path", "none")
                self._metrics.requests.labels(route, f"{status // 100}xx").observe(
                    time.perf_counter() - started
                )


class OpaqueSegments:
    """Keeps an encoded slash inside its path segment: an account called `a/b` is one segment, `a%2Fb`.

    Below the given prefixes the path that routes see holds each segment with `%` and `/` still encoded; `segment_text` gives its text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and raw.startswith(_ENCODED_PREFIXES):
            segments = raw.split(b"?")[0].decode("ascii", "replace").split("/")
            scope = {**scope, "path": "/".join(quote(unquote(part), safe=" ") for part in segments)}
        await self._app(scope, receive, send)


def segment_text(segment: str) -> str:
    """Return the text of a path segment that OpaqueSegments left encoded."""
    return unquote(segment)


def _missing(present: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in present}
    return [(name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in names]
