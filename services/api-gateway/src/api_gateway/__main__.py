"""Start the gateway: `api-gateway`, or `api-gateway --check-config` to validate its settings and end."""

import sys
from collections.abc import Sequence

from pydantic import ValidationError

from api_gateway.app import build
from api_gateway.settings import EventSettings, GatewaySettings, SharedSettings
from common import logs
from common.environment import tell_wrong
from common.http.serve import serve
from common.program import CHECK_CONFIG, asked


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until told to end; exits with 2 when a setting is missing or wrong, or an argument not known."""
    given = asked(
        "api-gateway", "Serves figures, accounts, cases, the live stream and the dashboard.", arguments
    )
    try:
        shared, own, events = SharedSettings(), GatewaySettings(), EventSettings()
    except ValidationError as error:
        sys.exit(tell_wrong("api-gateway", error, SharedSettings, GatewaySettings, EventSettings))
    if CHECK_CONFIG in given:
        return
    logs.configure(shared.log_level)
    gateway = build(shared, own, events)
    serve(gateway.app, own.host, own.port, gateway.end)


if __name__ == "__main__":
    main()
