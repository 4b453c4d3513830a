"""What FastAPI refuses by itself, as problem documents too. Apart from the rest: who answers operators alone needs no FastAPI, which takes memory."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from common.http.problems import install_problem_handlers, problem_response


def install_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem document, also of requests that don't fit its models."""

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [_invalid(found) for found in error.errors()]
        first = errors[0] if errors else {"pointer": "#", "detail": "the request is not valid"}
        return problem_response(
            400, "request-invalid", f"{first['pointer']}: {first['detail']}", errors=errors
        )

    install_problem_handlers(app)
    app.add_exception_handler(RequestValidationError, invalid)


def _invalid(found: Mapping[str, Any]) -> dict[str, str]:
    """One thing that is wrong, with where it is."""
    where, what = [str(part) for part in found["loc"]], str(found["msg"])
    if found["type"] == "json_invalid":
        where, at = where[:1], where[-1]
        what = f"not valid JSON at character {at}: {found.get('ctx', {}).get('error', what)}"
    elif found["type"] == "model_attributes_type":
        what = "must be a JSON object, sent with `Content-Type: application/json`"
    return {"pointer": "#/" + "/".join(where), "detail": what, "code": str(found["type"])}
