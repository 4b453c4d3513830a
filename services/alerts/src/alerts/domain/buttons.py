"""Links that act: each does one thing to one case, for one receiver, until it expires, and can't be made without the key."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LABELS: Mapping[str, str] = {
    "acknowledge": "I've got it",
    "expected": "This is expected",
    "not_real": "This isn't real",
}
# Long enough for a holiday; what is older is decided on the page of the case.
GOOD_FOR = timedelta(days=21)
_VERSION = "1"
_MAX_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Link:
    """What a button does, whoever presses it acting as the receiver's person."""

    tenant_id: int
    receiver_id: int
    case_id: str
    action: str
    expires_at: datetime


def token_of(key: bytes, link: Link) -> str:
    """The same link gives the same token, so that every attempt to deliver a notice carries the same bytes."""
    parts = (
        _VERSION,
        link.tenant_id,
        link.receiver_id,
        link.action,
        int(link.expires_at.timestamp()),
        link.case_id,
    )
    said = _encoded("|".join(str(part) for part in parts).encode())
    return f"{said}.{_encoded(_mac(key, said))}"


def link_of(key: bytes, token: str, now: datetime) -> Link | None:
    """None for what we did not sign, or no longer stand by; nothing says which."""
    said, _, mac = token.rpartition(".")
    if len(token) > _MAX_CHARACTERS or not token.isascii():
        return None
    if not hmac.compare_digest(_encoded(_mac(key, said)), mac):
        return None
    link = _read(said)
    return link if link is not None and now < link.expires_at else None


def _read(said: str) -> Link | None:
    try:
        text = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)).decode("ascii")
        version, tenant_id, receiver_id, action, expires, case_id = text.split("|", 5)
        link = Link(
            int(tenant_id), int(receiver_id), case_id, action, datetime.fromtimestamp(int(expires), UTC)
        )
    except (binascii.Error, ValueError, OverflowError):
        return None
    return link if version == _VERSION and action in LABELS else None


def _mac(key: bytes, said: str) -> bytes:
    return hmac.new(key, b"bellwether-button\0" + said.encode(), hashlib.sha256).digest()


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def hash_of(token: str) -> bytes:
    """What is kept of a link that was used."""
    return hashlib.sha256(token.encode()).digest()
