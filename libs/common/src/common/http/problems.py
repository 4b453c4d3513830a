"""Errors over HTTP: RFC 9457 problem documents with a stable `code`, a `message` and the request's id."""

from http import HTTPStatus
from typing import Any

import orjson
import uuid_utils
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

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


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem document; an unforeseen one is logged and answered 500 without its inside."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, BellwetherError)
        return problem_of(error)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        return problem_response(
            error.status_code, code, str(error.detail or phrase), dict(error.headers or {})
        )

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [
            {
                "pointer": "#/" + "/".join(str(part) for part in found["loc"]),
                "detail": found["msg"],
                "code": found["type"],
            }
            for found in error.errors()
        ]
        first = errors[0] if errors else {"pointer": "#", "detail": "the request is not valid"}
        return problem_response(
            400, "request-invalid", f"{first['pointer']}: {first['detail']}", errors=errors
        )

    async def unforeseen(request: Request, error: Exception) -> Response:
        # The route and not the path, which may hold names and links that act.
        path = getattr(request.scope.get("route"), "path", None)
        log.error("request_failed", method=request.method, path=path, exc_info=error)
        return problem_response(500, "internal-error", "the request met a defect of ours; it is in the log")

    app.add_exception_handler(BellwetherError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unforeseen)
