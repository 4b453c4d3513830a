"""Sign-ins in control.session: found by a hash of the cookie, and of use only together with the cookie."""

import hashlib
import secrets
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api_gateway.ports.sessions import Session
from common.db.pool import Pool, borrow

_NONCE_BYTES = 12


class PostgresSessions:
    """SessionStore on PostgreSQL. Who reads the table alone learns no key: each is encrypted under its cookie's secret."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def save(self, secret: bytes, session: Session, tenant_id: int, key_id: str, now: datetime) -> None:
        with borrow(self._pool) as connection:
            connection.execute("delete from control.session where expires_at <= %s", (now,))
            connection.execute(
                "insert into control.session (id, tenant_id, key_id, sealed_key, created_at, expires_at) values (%s, %s, %s, %s, %s, %s)",
                (_id_of(secret), tenant_id, key_id, _seal(secret, session.key_text), now, session.expires_at),
            )

    def find(self, secret: bytes, now: datetime) -> Session | None:
        with borrow(self._pool) as connection:
            row = connection.execute(
                "select sealed_key, expires_at from control.session where id = %s and expires_at > %s",
                (_id_of(secret), now),
            ).fetchone()
        key_text = _open(secret, row[0]) if row else None
        return Session(key_text, row[1]) if row and key_text is not None else None

    def remove(self, secret: bytes) -> None:
        with borrow(self._pool) as connection:
            connection.execute("delete from control.session where id = %s", (_id_of(secret),))


def _id_of(secret: bytes) -> bytes:
    return hashlib.sha256(b"bellwether session id\0" + secret).digest()


def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(hashlib.sha256(b"bellwether session key\0" + secret).digest())


def _seal(secret: bytes, text: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, text.encode(), _id_of(secret))


def _open(secret: bytes, sealed: bytes) -> str | None:
    try:
        return _cipher(secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _id_of(secret)).decode()
    except InvalidTag:
        return None
