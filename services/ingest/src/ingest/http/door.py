"""The hot routes as plain ASGI in front of the FastAPI application, which has all others (docs/adr/0020)."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fastapi import Response

from common.errors import BellwetherError
from common.http.problems import problem_of, problem_response
from common.logs import get_logger
from ingest.domain.inflation import EncodingUnknown, TooLarge
from ingest.domain.items import TooMany
from ingest.domain.media import MediaUnknown
from ingest.http.call import Asgi, Call, ClientGone, Receive, Scope, Send, SlowBody
from ingest.metrics import Metrics
from ingest.use_cases.admission import Budget, Share

log = get_logger("ingest.http")

STATUS_OF: Mapping[type[BellwetherError], int] = {
    TooLarge: 413,
    TooMany: 413,
    EncodingUnknown: 415,
    MediaUnknown: 415,
    SlowBody: 408,
}
JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the hot path."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A hot route: `handle` answers; `refused` makes the answer to an error; `headers` gives headers that every answer carries."""

    name: str
    handle: Callable[[Call], Awaitable[Reply]]
    refused: Callable[[BellwetherError], Response] = field(default=lambda error: refusal_of(error))  # noqa: PLW0108
    headers: Callable[[Call], tuple[tuple[bytes, bytes], ...]] = field(default=lambda _: ())


def refusal_of(error: BellwetherError) -> Response:
    """Answer for one of our errors, with the statuses that only ingest needs."""
    status = STATUS_OF.get(type(error))
    return problem_of(error) if status is None else problem_response(status, error.code, error.message)


class Door:
    """The outermost application."""

    def __init__(
        self, routes: Mapping[tuple[str, str], Route], rest: Asgi, budget: Budget, metrics: Metrics
    ) -> None:
        self._routes, self._rest = routes, rest
        self._budget, self._metrics = budget, metrics
        self._methods: dict[str, list[str]] = {}
        for method, path in routes:
            self._methods.setdefault(path, []).append(method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        route = self._routes.get((scope["method"], scope["path"]))
        if route is not None:
            await self._answer(route, scope, receive, send)
        elif scope["path"] in self._methods:
            await self._wrong_method(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    async def _answer(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        with Share(self._budget) as share:
            call = Call(scope, receive, share)
            try:
                reply = await route.handle(call)
            except ClientGone:
                self._observe(route, "gone", started)
                return
            except BellwetherError as error:
                reply = _reply_of(route.refused(error))
            except Exception:
                # A defect of ours is one request's 500, not the process's end.
                log.exception("request_failed", route=route.name)
                reply = _reply_of(
                    problem_response(
                        500, "internal-error", "the request met a defect of ours; it is in the log"
                    )
                )
        self._observe(route, f"{reply.status // 100}xx", started)
        await _send(reply, route.headers(call), send)

    def _observe(self, route: Route, status: str, started: float) -> None:
        self._metrics.requests.labels(route.name, status).observe(time.perf_counter() - started)

    async def _wrong_method(self, scope: Scope, receive: Receive, send: Send) -> None:
        allow = ", ".join(self._methods[scope["path"]])
        response = problem_response(
            405, "method-not-allowed", f"this address takes {allow}", headers={"Allow": allow}
        )
        await response(scope, receive, send)


def _reply_of(response: Response) -> Reply:
    headers = tuple((name, value) for name, value in response.raw_headers if name != b"content-length")
    return Reply(bytes(response.body), response.status_code, headers)


async def _send(reply: Reply, extra: tuple[tuple[bytes, bytes], ...], send: Send) -> None:
    length = (b"content-length", b"%d" % len(reply.body))
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [*(reply.headers or (JSON,)), length, *extra],
        }
    )
    await send({"type": "http.response.body", "body": reply.body})
