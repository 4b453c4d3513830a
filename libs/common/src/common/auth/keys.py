"""API keys: `bw_<scope>_<8 id characters>_<32 secret characters>`. Only a hash of the secret is kept.

The secret has 190 bits of randomness, so one SHA-256 is enough; a slow hash would protect nothing more.
"""

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from common.errors import Rejected, Unauthorized

ALPHABET = string.ascii_letters + string.digits
# Admin includes act, act includes read; ingest stands apart.
IMPLIES = {"ingest": {"ingest"}, "read": {"read"}, "act": {"read", "act"}, "admin": {"read", "act", "admin"}}
SCOPES = tuple(IMPLIES)
MAX_KEY_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as stored. `tenant` is the tenant's slug; `source` names the events sent with it over Segment's protocol."""

    id: str
    tenant_id: int
    tenant: str
    secret_hash: bytes
    scope: str
    name: str
    source: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Minted:
    """A new key: the text is shown once and never stored."""

    text: str
    row: KeyRow


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A key's public id and its secret."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. Every query is bound to `tenant_id`."""

    tenant_id: int
    tenant: str
    key_id: str
    scope: str
    name: str
    source: str | None

    def allows(self, scope: str) -> bool:
        return scope in IMPLIES[self.scope]


def mint(
    scope: str,
    tenant_id: int,
    tenant: str,
    name: str,
    source: str | None = None,
    expires_at: datetime | None = None,
) -> Minted:
    """Make a new random key; raises Rejected for an unknown scope."""
    if scope not in IMPLIES:
        raise Rejected("scope-unknown", f"there is no scope {scope!r}; choose one of {', '.join(SCOPES)}")
    key_id = f"bw_{scope}_{_random(8)}"
    secret = _random(32)
    return Minted(
        f"{key_id}_{secret}",
        KeyRow(key_id, tenant_id, tenant, hash_secret(secret), scope, name, source, expires_at),
    )


def parse(text: str) -> ParsedKey:
    """Split a key's text; raises Unauthorized when it can't be one of ours."""
    parts = text.split("_")
    if len(text) > MAX_KEY_CHARACTERS or len(parts) != 4 or parts[0] != "bw" or not (parts[2] and parts[3]):
        raise Unauthorized("key-invalid", "this is not an API key of this installation")
    return ParsedKey("_".join(parts[:3]), parts[3])


def hash_secret(secret: str) -> bytes:
    """SHA-256 of the secret part."""
    return hashlib.sha256(secret.encode()).digest()


def verify(parsed: ParsedKey, row: KeyRow | None, now: datetime) -> Principal:
    """Decide whether a key opens the door; raises Unauthorized with key-invalid, key-revoked or key-expired."""
    matches = hmac.compare_digest(hash_secret(parsed.secret), row.secret_hash if row else b"\0" * 32)
    if row is None or not matches:
        raise Unauthorized("key-invalid", "this is not an API key of this installation")
    if row.revoked_at is not None and row.revoked_at <= now:
        raise Unauthorized(
            "key-revoked", "this key was revoked; ask for a new one (`bellwether keys create`)"
        )
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthorized(
            "key-expired", f"this key expired at {row.expires_at.isoformat()}; ask for a new one"
        )
    return Principal(row.tenant_id, row.tenant, row.id, row.scope, row.name, row.source)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
