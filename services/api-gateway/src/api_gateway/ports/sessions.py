"""Sign-ins of the dashboard."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has shown a key. `key_text` is that key."""

    key_text: str
    expires_at: datetime


class SessionStore(Protocol):
    """Keeps sessions by a secret that only the browser holds. Raises Unavailable when the database doesn't answer."""

    def save(self, secret: bytes, session: Session, tenant_id: int, key_id: str, now: datetime) -> None:
        """Store a new session; those that have expired are removed."""
        ...

    def find(self, secret: bytes, now: datetime) -> Session | None:
        """Return the session that has not expired."""
        ...

    def remove(self, secret: bytes) -> None:
        """End a session; ending one that is not there is fine."""
        ...
