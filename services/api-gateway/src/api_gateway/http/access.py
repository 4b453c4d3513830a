"""Who calls: an API key in the header, or the dashboard's cookie."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from api_gateway.use_cases.sessions import Caller, Sessions
from common.auth.ring import KeyRing
from common.clock import Clock
from common.errors import Forbidden, Unauthorized, Unavailable
from common.http.auth import bearer_of, check_scope

COOKIE = "bellwether_session"
# No form and no other site can add this header without asking first, and nobody is given leave.
CSRF_HEADER = "x-bellwether-dashboard"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="An API key of the tenant: `Authorization: Bearer bw_read_...`. Admin includes act, act includes read; ingest stands apart.",
)
_COOKIE = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description="The dashboard's sign-in, from `POST /v1/session`.",
)


class Access:
    """Builds the dependencies that guard routes."""

    def __init__(self, ring: KeyRing, sessions: Sessions, clock: Clock) -> None:
        self._ring, self._sessions, self._clock = ring, sessions, clock

    def require(self, *scopes: str) -> Callable[..., Caller]:
        """Return a dependency: the caller, whose key has one of the scopes. Raises Unauthorized or Forbidden."""

        def caller(
            request: Request,
            _header: Annotated[object, Security(_BEARER)] = None,
            _cookie: Annotated[str | None, Security(_COOKIE)] = None,
        ) -> Caller:
            found = self.caller(request)
            check_scope(found.principal, *scopes)
            return found

        return caller

    def still(self, request: Request, *scopes: str) -> Callable[[], bool]:
        """Return a question: whether who was let in would be let in now. While nobody can tell, they would."""

        def lets_in() -> bool:
            try:
                check_scope(self.caller(request).principal, *scopes)
            except (Unauthorized, Forbidden):
                return False
            except Unavailable:
                return True
            return True

        return lets_in

    def caller(self, request: Request) -> Caller:
        """Return who calls; a key in the header goes before a cookie."""
        if "authorization" in request.headers:
            text = bearer_of(request)
            return Caller(self._ring.authenticate(text, self._clock.now()), text)
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            raise Unauthorized("key-missing", "send an API key: `Authorization: Bearer KEY`")
        if request.method not in _SAFE_METHODS:
            check_same_site(request)
        return self._sessions.caller(cookie)


def check_same_site(request: Request) -> None:
    """Raise Forbidden unless the request can only come from our own pages."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if CSRF_HEADER not in request.headers or site not in ("same-origin", "none"):
        raise Forbidden(
            "cross-site",
            f"a change by cookie needs the header {CSRF_HEADER}, which only the dashboard's own pages send",
        )
