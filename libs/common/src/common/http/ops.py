"""What operators ask every service: is it alive, is it ready, how is it doing."""

from collections.abc import Callable, Mapping

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

Check = Callable[[], str | None]
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

    def readyz(_: Request) -> Response:
        reasons = {name: check() for name, check in checks.items()}
        if drain is not None and drain.started:
            reasons["process"] = "ending: it takes no new work"
        ready = not any(reasons.values())
        body = {"ready": ready, "checks": {name: reason or "ok" for name, reason in reasons.items()}}
        return Response(orjson.dumps(body), 200 if ready else 503, NO_STORE, "application/json")

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers=NO_STORE, media_type=METRICS_TYPE)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
