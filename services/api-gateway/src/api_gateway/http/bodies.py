"""Request bodies, read with a bound."""

from fastapi import Request


async def bounded_body(request: Request, most_bytes: int) -> bytes | None:
    """Return the body; None as soon as it is longer than allowed."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            return None
    return bytes(body)
