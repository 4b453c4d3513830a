"""What operators ask every service: is it alive, is it ready, how is it doing."""

from asyncio import Task, create_task, wait
from collections.abc import Callable, Mapping

import orjson
from anyio import to_thread
from prometheus_client import CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

Check = Callable[[], str | None]
# Less than those who ask wait for the whole answer.
PATIENCE_SECONDS = 3.0
NO_ANSWER = f"no answer within {PATIENCE_SECONDS:.0f} s: it takes connections and says nothing (frozen, or its disk is)"
NO_STORE = {"Cache-Control": "no-store"}
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Drain:
    """Says whether the service is ending; readiness turns false first, then the server stops."""

    def __init__(self) -> None:
        self.started = False

    def start(self) -> None:
        self.started = True


def ops_routes(
    checks: Mapping[str, Check], registry: CollectorRegistry, drain: Drain | None = None
) -> list[BaseRoute]:
    """Build `/livez`, `/readyz` and `/metrics`. A check returns None when its dependency is fine, else the reason."""

    def livez(_: Request) -> Response:
        return Response(b'{"status":"alive"}', headers=NO_STORE, media_type="application/json")

    # A check that hangs is not asked again before it has ended; who asks meanwhile gets its answer.
    asked: dict[str, Task[str | None]] = {}

    def ask(name: str) -> Task[str | None]:
        if name not in asked:
            asked[name] = create_task(to_thread.run_sync(checks[name], abandon_on_cancel=True))
            asked[name].add_done_callback(lambda _: asked.pop(name))
        return asked[name]

    async def readyz(_: Request) -> Response:
        answers = {name: ask(name) for name in checks}
        if answers:
            await wait(answers.values(), timeout=PATIENCE_SECONDS)
        reasons = {name: its.result() if its.done() else NO_ANSWER for name, its in answers.items()}
        if drain is not None and drain.started:
            reasons["process"] = "ending: it takes no new work"
        ready = not any(reasons.values())
        body = {"ready": ready, "checks": {name: reason or "ok" for name, reason in reasons.items()}}
        return Response(orjson.dumps(body), 200 if ready else 503, NO_STORE, "application/json")

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers=NO_STORE, media_type=METRICS_TYPE)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
