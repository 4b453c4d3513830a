"""Answers that a browser may keep but must ask about: private, with an entity tag."""

import hashlib
from typing import Any

from fastapi import Request, Response

from api_gateway.domain.encoding import dumps

CACHE_CONTROL = "private, no-cache"


def json_answer(request: Request, payload: Any) -> Response:
    """Answer 200 with JSON, or 304 when the caller has exactly this already."""
    return tagged(request, dumps(payload), "application/json")


def tagged(request: Request, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """Answer with a body and its tag; 304 without a body when `If-None-Match` names it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    own = {
        "ETag": tag,
        "Cache-Control": CACHE_CONTROL,
        "Vary": "Authorization, Cookie, Accept",
        **(headers or {}),
    }
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=own)
    return Response(body, 200, own, media_type)


def _tags(header: str) -> list[str]:
    return [part.strip().removeprefix("W/") for part in header.split(",")]
