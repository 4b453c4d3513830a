"""Server-sent events as bytes: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

# How long a browser waits before it connects again.
RETRY = b"retry: 2000\n\n"


def frame(event: str, data: bytes, event_id: str) -> bytes:
    """Return one event. `data` is one line."""
    if b"\n" in data or b"\r" in data:
        raise ValueError("the data of a server-sent event must be one line")
    return f"id: {event_id}\nevent: {event}\n".encode() + b"data: " + data + b"\n\n"


def ping(event_id: str) -> bytes:
    """Return a block that dispatches nothing, keeps the connection busy and moves the client's id on."""
    return f": ping\nid: {event_id}\n\n".encode()
