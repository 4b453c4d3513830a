"""Answers that a browser may keep but must ask about: private, with an entity tag."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response

from api_gateway.domain.encoding import dumps

CACHE_CONTROL = "private, no-cache"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def json_answer(request: Request, payload: Any) -> Response:
    """Answer 200 with JSON, or 304 when the caller has exactly this already."""
    body = dumps(payload)
    return tagged(request, body, "application/json", f'"{digest(body)}"')


def tagged(
    request: Request, body: bytes, media_type: str, tag: str, headers: Mapping[str, str] = NO_HEADERS
) -> Response:
    """Answer with a body and its tag; 304 without a body when `If-None-Match` names it."""
    own = {
        "ETag": tag,
        "Cache-Control": CACHE_CONTROL,
        "Vary": "Authorization, Cookie, Accept",
        **headers,
    }
    if _opaque(tag) in map(_opaque, request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=own)
    return Response(body, 200, own, media_type)


def weak_tag(said: Any) -> str:
    """Return a tag that is equal for equal `said`: of an answer without what changes although it says the same."""
    return f'W/"{digest(dumps(said))}"'


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:24]


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/")
