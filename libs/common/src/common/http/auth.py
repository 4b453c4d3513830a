"""Who may call a route: an API key with the scope that the route needs."""

from collections.abc import Callable

from fastapi import Request

from common.auth.keys import Principal
from common.auth.ring import KeyRing
from common.clock import Clock
from common.errors import Forbidden


def bearer_of(request: Request) -> str:
    """Return the key in `Authorization: Bearer KEY`, or an empty string."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def require(
    ring: KeyRing, clock: Clock, scope: str, key_of: Callable[[Request], str] = bearer_of
) -> Callable[[Request], Principal]:
    """Build a dependency that returns the caller; raises Unauthorized without a valid key, Forbidden without the scope."""

    def caller(request: Request) -> Principal:
        principal = ring.authenticate(key_of(request), clock.now())
        check_scope(principal, scope)
        return principal

    return caller


def check_scope(principal: Principal, *scopes: str) -> None:
    """Raise Forbidden unless the key has one of these scopes."""
    if not any(principal.allows(scope) for scope in scopes):
        wanted = " or ".join(scopes)
        raise Forbidden("scope-missing", f"this key has scope {principal.scope}; the call needs {wanted}")
