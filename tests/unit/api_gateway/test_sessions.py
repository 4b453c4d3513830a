from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.ports.sessions import Session
from api_gateway.use_cases.sessions import Sessions
from common.auth.keys import KeyRow, mint
from common.auth.ring import KeyRing
from common.clock import FixedClock
from common.errors import Forbidden, Unauthorized

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class KeptSessions:
    """A session store in memory, with the same rules as the database's."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Session] = {}

    def save(self, secret: bytes, session: Session, tenant_id: int, key_id: str, now: datetime) -> None:
        self.kept[secret] = session

    def find(self, secret: bytes, now: datetime) -> Session | None:
        found = self.kept.get(secret)
        return found if found and found.expires_at > now else None

    def remove(self, secret: bytes) -> None:
        self.kept.pop(secret, None)


class Desk:
    """Sessions with one key of each scope."""

    def __init__(self) -> None:
        self.clock, self.store = FixedClock(NOW), KeptSessions()
        minted = {scope: mint(scope, 1, "ours", scope) for scope in ("read", "act", "ingest")}
        self.keys = {scope: one.text for scope, one in minted.items()}
        self.rows: dict[str, KeyRow] = {one.row.id: one.row for one in minted.values()}
        self.sessions = Sessions(self.store, KeyRing(self.rows.get), self.clock, timedelta(hours=1))

    def revoke(self, scope: str) -> None:
        found = next(row for row in self.rows.values() if row.scope == scope)
        self.rows[found.id] = replace(found, revoked_at=self.clock.now())


def test_a_key_is_exchanged_for_a_cookie_that_stands_for_it() -> None:
    desk = Desk()
    signed = desk.sessions.sign_in(desk.keys["act"])
    caller = desk.sessions.caller(signed.cookie)
    assert (caller.principal.scope, caller.key_text) == ("act", desk.keys["act"])
    assert desk.keys["act"] not in signed.cookie


def test_a_session_ends_when_its_time_is_over() -> None:
    desk = Desk()
    cookie = desk.sessions.sign_in(desk.keys["read"]).cookie
    desk.sessions.caller(cookie)
    desk.clock.advance(timedelta(hours=1))
    with pytest.raises(Unauthorized) as refused:
        desk.sessions.caller(cookie)
    assert refused.value.code == "session-expired"


def test_signing_out_ends_it_at_once() -> None:
    desk = Desk()
    cookie = desk.sessions.sign_in(desk.keys["read"]).cookie
    desk.sessions.sign_out(cookie)
    with pytest.raises(Unauthorized):
        desk.sessions.caller(cookie)


def test_revoking_the_key_ends_its_sessions() -> None:
    desk = Desk()
    cookie = desk.sessions.sign_in(desk.keys["read"]).cookie
    desk.revoke("read")
    desk.clock.advance(timedelta(seconds=11))
    with pytest.raises(Unauthorized) as refused:
        desk.sessions.caller(cookie)
    assert refused.value.code == "key-revoked"


def test_a_key_that_may_not_read_can_not_sign_in() -> None:
    desk = Desk()
    with pytest.raises(Forbidden):
        desk.sessions.sign_in(desk.keys["ingest"])


@given(st.text(max_size=100))
def test_no_made_up_cookie_opens_anything(cookie: str) -> None:
    with pytest.raises(Unauthorized):
        Desk().sessions.caller(cookie)
