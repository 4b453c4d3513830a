"""API keys: who may do what, and what happens when the database can't be asked."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.auth.keys import SCOPES, KeyRow, Minted, mint, parse, verify
from common.auth.ring import KeyRing
from common.errors import Rejected, Unauthorized, Unavailable

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def key(scope: str = "read") -> Minted:
    return mint(scope, 7, "acme", "test")


@dataclass
class Store:
    """Where keys are looked up; it can be down."""

    rows: dict[str, KeyRow] = field(default_factory=dict)
    down: bool = False
    asked: int = 0

    def load(self, key_id: str) -> KeyRow | None:
        self.asked += 1
        if self.down:
            raise Unavailable("database-unavailable", "down")
        return self.rows.get(key_id)


def ring_with(*minted: Minted) -> tuple[KeyRing, Store]:
    store = Store({m.row.id: m.row for m in minted})
    return KeyRing(store.load), store


@pytest.mark.parametrize("scope", SCOPES)
def test_a_minted_key_opens_its_own_door(scope: str) -> None:
    made = key(scope)
    principal = verify(parse(made.text), made.row, NOW)
    assert (principal.tenant_id, principal.tenant, principal.scope) == (7, "acme", scope)
    assert made.text.startswith(f"bw_{scope}_")
    assert made.row.secret_hash not in made.text.encode()


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("ingest", {"ingest"}),
        ("read", {"read"}),
        ("act", {"read", "act"}),
        ("admin", {"read", "act", "admin"}),
    ],
)
def test_admin_includes_act_includes_read_and_ingest_stands_apart(scope: str, allowed: set[str]) -> None:
    made = key(scope)
    principal = verify(parse(made.text), made.row, NOW)
    assert {s for s in SCOPES if principal.allows(s)} == allowed


def test_there_are_no_other_scopes() -> None:
    with pytest.raises(Rejected):
        mint("root", 7, "acme", "test")


@given(st.text(max_size=120))
def test_whatever_is_sent_as_a_key_is_parsed_or_refused(text: str) -> None:
    looks_like_one = (
        text.startswith("bw_") and text.count("_") == 3 and not text.endswith("_") and len(text) <= 100
    )
    if looks_like_one and "__" not in text[3:]:
        assert f"{parse(text).id}_{parse(text).secret}" == text
    elif not looks_like_one:
        with pytest.raises(Unauthorized):
            parse(text)


@given(st.integers(0, 31))
def test_a_secret_that_differs_anywhere_is_refused(position: int) -> None:
    made = key()
    parsed = parse(made.text)
    other = "b" if parsed.secret[position] == "a" else "a"
    wrong = replace(parsed, secret=parsed.secret[:position] + other + parsed.secret[position + 1 :])
    with pytest.raises(Unauthorized) as refused:
        verify(wrong, made.row, NOW)
    assert refused.value.code == "key-invalid"


def test_an_ended_key_says_why_it_is_refused() -> None:
    made = key()
    with pytest.raises(Unauthorized, match="expired") as expired:
        verify(parse(made.text), replace(made.row, expires_at=NOW), NOW)
    with pytest.raises(Unauthorized, match="revoked") as revoked:
        verify(parse(made.text), replace(made.row, revoked_at=NOW), NOW)
    assert (expired.value.code, revoked.value.code) == ("key-expired", "key-revoked")


def test_a_key_ended_in_the_future_still_works_so_that_rotation_overlaps() -> None:
    made = key()
    later = NOW + timedelta(hours=1)
    assert verify(parse(made.text), replace(made.row, revoked_at=later, expires_at=later), NOW)


def test_a_known_key_is_not_looked_up_again_for_ten_seconds() -> None:
    made = key()
    ring, store = ring_with(made)
    for seconds in (0, 5, 10):
        ring.authenticate(made.text, NOW + timedelta(seconds=seconds))
    assert store.asked == 1
    ring.authenticate(made.text, NOW + timedelta(seconds=11))
    assert store.asked == 2


def test_a_revocation_takes_effect_within_ten_seconds() -> None:
    made = key()
    ring, store = ring_with(made)
    ring.authenticate(made.text, NOW)
    store.rows[made.row.id] = replace(made.row, revoked_at=NOW)
    with pytest.raises(Unauthorized):
        ring.authenticate(made.text, NOW + timedelta(seconds=11))


def test_a_clock_that_is_set_back_makes_no_key_trusted_for_longer() -> None:
    made, before = key(), NOW - timedelta(hours=1)
    ring, store = ring_with(made)
    ring.authenticate(made.text, NOW)
    store.rows[made.row.id] = replace(made.row, revoked_at=before)
    assert ring.cached(made.text, before) is None
    with pytest.raises(Unauthorized):
        ring.authenticate(made.text, before)


def test_with_the_database_down_a_known_key_works_for_an_hour_and_no_longer() -> None:
    made = key()
    ring, store = ring_with(made)
    ring.authenticate(made.text, NOW)
    store.down = True
    assert ring.authenticate(made.text, NOW + timedelta(minutes=59)).tenant == "acme"
    with pytest.raises(Unavailable):
        ring.authenticate(made.text, NOW + timedelta(minutes=61))


def test_with_the_database_down_an_unknown_key_is_told_to_come_back() -> None:
    ring, store = ring_with()
    store.down = True
    with pytest.raises(Unavailable):
        ring.authenticate(key().text, NOW)


def test_an_outage_is_not_felt_by_every_request() -> None:
    made = key()
    ring, store = ring_with(made)
    ring.authenticate(made.text, NOW)
    store.down = True
    for _ in range(100):
        ring.authenticate(made.text, NOW + timedelta(minutes=5))
    assert store.asked == 2


def test_the_ring_remembers_boundedly_many_keys_that_nobody_has() -> None:
    ring, store = ring_with()
    for _ in range(50):
        with pytest.raises(Unauthorized):
            ring.authenticate(key().text, NOW)
    assert store.asked == 50
    with pytest.raises(Unauthorized) as missing:
        ring.authenticate("", NOW)
    assert missing.value.code == "key-missing"
