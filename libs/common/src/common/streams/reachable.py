"""Whether a broker is there at all."""

import socket

_TIMEOUT_SECONDS = 2


def why_unreachable(bootstrap: str) -> str | None:
    """None when one of the addresses `host:port,...` accepts connections, else the reason."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_TIMEOUT_SECONDS).close()
        except (OSError, ValueError):
            continue
        return None
    return f"kafka: no broker accepts connections at {bootstrap}"
