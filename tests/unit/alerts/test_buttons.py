"""A link acts for what was signed, until it expires, and for nothing else."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.buttons import LABELS, Link, link_of, token_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = b"k" * 32
links = st.builds(
    Link,
    tenant_id=st.integers(1, 2**31),
    receiver_id=st.integers(1, 2**63),
    case_id=st.from_regex(r"case_[0-9a-f-]{1,60}", fullmatch=True),
    action=st.sampled_from(sorted(LABELS)),
    expires_at=st.integers(1, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


@given(links)
def test_what_was_signed_is_what_is_read_until_it_expires(link: Link) -> None:
    token = token_of(KEY, link)
    assert link_of(KEY, token, NOW) == link
    assert link_of(KEY, token, link.expires_at) is None
    assert link_of(b"another key", token, NOW) is None


@given(links, st.integers(0, 10**6), st.sampled_from("ABab01-_.=%\u00e9"))
def test_no_other_token_is_read(link: Link, place: int, character: str) -> None:
    token = token_of(KEY, link)
    at = place % len(token)
    changed = token[:at] + character + token[at + 1 :]
    assert (link_of(KEY, changed, NOW) is None) == (changed != token)
    assert link_of(KEY, token[:at], NOW) is None


@given(st.text(max_size=500))
def test_nonsense_is_not_read(token: str) -> None:
    assert link_of(KEY, token, NOW) is None


@given(st.binary(max_size=60))
def test_nonsense_that_is_signed_is_not_read_either(said: bytes) -> None:
    """As if another release had signed something else with the same key."""
    encoded = base64.urlsafe_b64encode(said).decode().rstrip("=")
    mac = hmac.new(KEY, b"bellwether-button\0" + encoded.encode(), hashlib.sha256).digest()
    assert link_of(KEY, f"{encoded}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}", NOW) is None
