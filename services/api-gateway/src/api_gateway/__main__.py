"""Start the gateway, check its settings with `--check-config`, or look at the edges of trees with `--watch-edges`."""

import sys
from collections.abc import Sequence

from pydantic import ValidationError

from api_gateway.app import WATCH_EDGES, build, watch_edges
from api_gateway.settings import EventSettings, GatewaySettings, SharedSettings
from common import logs
from common.clock import SystemClock
from common.environment import tell_wrong
from common.http.serve import serve
from common.program import CHECK_CONFIG, asked


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until told to end; exits with 2 when a setting is missing or wrong, or an argument not known."""
    watching = {WATCH_EDGES: "look at the edges of every tree whose night it is, and end"}
    serves = "Serves figures, accounts, cases, the live stream and the dashboard."
    given = asked("api-gateway", serves, arguments, watching)
    try:
        shared, own, events = SharedSettings(), GatewaySettings(), EventSettings()
    except ValidationError as error:
        sys.exit(tell_wrong("api-gateway", error, SharedSettings, GatewaySettings, EventSettings))
    if CHECK_CONFIG in given:
        return
    if WATCH_EDGES in given:
        sys.exit(watch_edges(shared, own, SystemClock()))
    logs.configure(shared.log_level)
    gateway = build(shared, own, events)
    serve(gateway.app, own.host, own.port, gateway.end)


if __name__ == "__main__":
    main()
