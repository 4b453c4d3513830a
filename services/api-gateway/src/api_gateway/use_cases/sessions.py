"""Signing in to the dashboard: a key is shown once and exchanged for a cookie."""

import base64
import binascii
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from api_gateway.ports.sessions import Session, SessionStore
from common.auth.keys import Principal
from common.auth.ring import KeyRing
from common.clock import Clock
from common.errors import Forbidden, Unauthorized

SECRET_BYTES = 32
# A session is looked up again after this long, so that signing out on one copy of the gateway reaches the others.
_FRESH = timedelta(seconds=10)
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, with the key to ask other services on their behalf."""

    principal: Principal
    key_text: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; `cookie` is shown to the browser and kept nowhere else."""

    cookie: str
    principal: Principal
    expires_at: datetime


class Sessions:
    """Signs browsers in and out; safe to use from many threads. The key is checked at every call, so a revoked key ends its sessions."""

    def __init__(self, store: SessionStore, ring: KeyRing, clock: Clock, lifetime: timedelta) -> None:
        self._store, self._ring, self._clock, self._lifetime = store, ring, clock, lifetime
        self._known: OrderedDict[bytes, tuple[Session, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def lifetime_seconds(self) -> int:
        return int(self._lifetime.total_seconds())

    def sign_in(self, key_text: str) -> SignedIn:
        """Exchange a key that may read; raises Unauthorized or Forbidden."""
        now = self._clock.now()
        principal = self._ring.authenticate(key_text, now)
        if not principal.allows("read"):
            raise Forbidden(
                "scope-missing",
                f"this key has scope {principal.scope}; the dashboard needs read, act or admin",
            )
        secret = secrets.token_bytes(SECRET_BYTES)
        session = Session(key_text, now + self._lifetime)
        self._store.save(secret, session, principal.tenant_id, principal.key_id, now)
        return SignedIn(base64.urlsafe_b64encode(secret).decode().rstrip("="), principal, session.expires_at)

    def caller(self, cookie: str) -> Caller:
        """Return who holds this cookie; raises Unauthorized (`session-expired`, or what is wrong with the key)."""
        now = self._clock.now()
        secret = _secret_of(cookie)
        session = self._find(secret, now) if secret else None
        if session is None:
            raise Unauthorized("session-expired", "you are not signed in any more; sign in with your key")
        return Caller(self._ring.authenticate(session.key_text, now), session.key_text)

    def sign_out(self, cookie: str) -> None:
        """End the session of this cookie, if there is one."""
        secret = _secret_of(cookie)
        if secret:
            with self._lock:
                self._known.pop(secret, None)
            self._store.remove(secret)

    def _find(self, secret: bytes, now: datetime) -> Session | None:
        with self._lock:
            session, seen_at = self._known.get(secret, (None, now))
        if session is not None and now - seen_at <= _FRESH and now < session.expires_at:
            return session
        session = self._store.find(secret, now)
        with self._lock:
            self._known.pop(secret, None)
            if session is not None:
                self._known[secret] = (session, now)
            while len(self._known) > _MAX_REMEMBERED:
                self._known.popitem(last=False)
        return session


def _secret_of(cookie: str) -> bytes | None:
    try:
        secret = base64.urlsafe_b64decode(cookie.encode("ascii") + b"=" * (-len(cookie) % 4))
    except (ValueError, binascii.Error):
        return None
    return secret if len(secret) == SECRET_BYTES else None
