"""Request bodies, read with a bound."""

from typing import Any

import orjson
from fastapi import Request

from common.errors import Rejected

MAX_BODY_BYTES = 1024 * 1024
_MAX_DEPTH = 20


async def bounded_body(request: Request, most_bytes: int) -> bytes | None:
    """Return the body; None as soon as it is longer than allowed."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            return None
    return bytes(body)


def json_body(body: bytes) -> Any:
    if body.count(b"[") + body.count(b"{") > MAX_BODY_BYTES // 16 or _depth(body) > _MAX_DEPTH:
        raise Rejected("json-too-deep", f"the JSON of a query nests at most {_MAX_DEPTH} levels")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Rejected("json-invalid", f"the body is not JSON: {error}") from error


def _depth(body: bytes) -> int:
    """An upper bound of the nesting: brackets inside text count as well."""
    depth = deepest = 0
    for byte in body:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
