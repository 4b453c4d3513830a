"""Answers that a browser may keep but must ask about: private, with an entity tag."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response

from api_gateway.domain.encoding import dumps, instant_text
from api_gateway.use_cases.kept_answers import Made

CACHE_CONTROL = "private, no-cache"
# As of when an answer holds, also one that is given again: what is in it says as of when it was computed.
AS_OF = "Bellwether-As-Of"
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
    if request.method == "GET" and _opaque(tag) in map(
        _opaque, request.headers.get("if-none-match", "").split(",")
    ):
        return Response(status_code=304, headers=own)
    return Response(body, 200, own, media_type)


def weak_tag(said: Any) -> str:
    """Return a tag that is equal for equal `said`: of an answer without what changes although it says the same."""
    return f'W/"{digest(dumps(said))}"'


def made(payload: Any, said: Any, frozen_at: datetime | None = None) -> Made:
    """Return JSON to be kept. `said` is what it says, whatever it says about as of when."""
    return Made(dumps(payload), "application/json", weak_tag(said), frozen_at=frozen_at)


def given(request: Request, kept: tuple[Made, datetime | None]) -> Response:
    """Answer with what was kept, and as of when it holds where that is known."""
    answer, as_of = kept
    headers = {**answer.headers, **({} if as_of is None else {AS_OF: instant_text(as_of)})}
    return tagged(request, answer.body, answer.media_type, answer.tag, headers)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:24]


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/")
