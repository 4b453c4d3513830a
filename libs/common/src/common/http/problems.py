"""Errors over HTTP: RFC 9457 problem documents with a stable `code`, a `message` and the request's id."""

from http import HTTPStatus
from typing import Any

import orjson
import uuid_utils
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from common.errors import BellwetherError, Conflict, Forbidden, NotFound, Rejected, Unauthorized, Unavailable
from common.logs import get_logger

log = get_logger("http")

STATUS_OF: dict[type[BellwetherError], int] = {
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Rejected: 400,
    Unavailable: 503,
}
PROBLEM_TYPE = "application/problem+json"
# What FastAPI says of a body that fails otherwise than by its JSON.
_UNREADABLE = "There was an error parsing the body"


def problem_response(
    status: int, code: str, message: str, headers: dict[str, str] | None = None, **extra: Any
) -> Response:
    """Answer with a problem document. `extra` members are added as they are."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "message": message,
        "detail": message,
        "request_id": f"req_{uuid_utils.uuid7()}",
        **extra,
    }
    return Response(orjson.dumps(body), status, headers, PROBLEM_TYPE)


def problem_of(error: BellwetherError) -> Response:
    """Answer for one of our errors."""
    status = next(status for kind, status in STATUS_OF.items() if isinstance(error, kind))
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(max(error.retry_after_seconds, 1))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(status, error.code, error.message, headers)


def install_problem_handlers(app: Starlette) -> None:
    """Make every error of this application a problem document; an unforeseen one is logged and answered 500 without its inside."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, BellwetherError)
        return problem_of(error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        headers = dict(error.headers or {})
        return problem_response(error.status_code, code, _said(request, error, headers), headers)

    async def unforeseen(request: Request, error: Exception) -> Response:
        # The route and not the path, which may hold names and links that act.
        path = getattr(request.scope.get("route"), "path", None)
        log.error("request_failed", method=request.method, path=path, exc_info=error)
        return problem_response(500, "internal-error", "the request met a defect of ours; it is in the log")

    app.add_exception_handler(BellwetherError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


def _said(request: Request, error: HTTPException, headers: dict[str, str]) -> str:
    """What the framework says in two words, in words that say what to do."""
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        takes = f"; it takes {headers['Allow']}" if "Allow" in headers else ""
        return f"this address does not take {request.method}{takes}"
    if error.detail == HTTPStatus.NOT_FOUND.phrase:
        return "there is nothing at this address; the API reference lists what there is"
    if error.detail == _UNREADABLE:
        return "the body cannot be read as JSON: it is not text in UTF-8, or nested too deep"
    return str(error.detail)
