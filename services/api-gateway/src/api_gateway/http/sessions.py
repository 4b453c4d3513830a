"""`/v1/session`: a key is exchanged for a cookie that scripts can't read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from api_gateway.domain.encoding import dumps
from api_gateway.http import reference
from api_gateway.http.access import COOKIE, Access, check_same_site
from api_gateway.use_cases.sessions import Caller, Sessions

_NO_STORE = {"Cache-Control": "no-store"}


class SignIn(BaseModel):
    """The key to exchange. It is sent in the body: keys never stand in addresses."""

    key: str = Field(max_length=200, examples=["bw_read_Ab3dEf7h_0123456789abcdef0123456789abcdef"])


def router(access: Access, sessions: Sessions, *, secure: bool) -> APIRouter:
    routes = APIRouter(prefix="/v1/session", tags=["Session"])

    def cookie(request: Request, response: Response, value: str, lifetime_seconds: int) -> Response:
        response.set_cookie(
            COOKIE,
            value,
            max_age=lifetime_seconds,
            path="/",
            httponly=True,
            samesite="strict",
            secure=secure or request.url.scheme == "https",
        )
        return response

    @routes.post("", status_code=200, **reference.SIGN_IN)
    def sign_in(request: Request, body: SignIn) -> Any:
        check_same_site(request)
        signed = sessions.sign_in(body.key.strip())
        answer = {
            "tenant": signed.principal.tenant,
            "scope": signed.principal.scope,
            "key": signed.principal.name,
            "expires_at": signed.expires_at,
        }
        response = Response(dumps(answer), 200, _NO_STORE, "application/json")
        return cookie(request, response, signed.cookie, sessions.lifetime_seconds)

    @routes.get("", **reference.SESSION)
    def who(caller: Annotated[Caller, Depends(access.require("read"))]) -> Any:
        principal = caller.principal
        answer = {"tenant": principal.tenant, "scope": principal.scope, "key": principal.name}
        return Response(dumps(answer), 200, _NO_STORE, "application/json")

    @routes.delete("", status_code=204, **reference.SIGN_OUT)
    def sign_out(request: Request) -> Any:
        check_same_site(request)
        sessions.sign_out(request.cookies.get(COOKIE, ""))
        return cookie(request, Response(status_code=204, headers=_NO_STORE), "", 0)

    return routes
