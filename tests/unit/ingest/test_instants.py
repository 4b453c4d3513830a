"""Instants: RFC 3339 with a zone, inside the window."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ingest.events import NAIVE, NOW, OLDEST, window

from ingest.domain.instants import is_canonical_within, read, refuse_calendar, refuse_outside, text_of
from ingest.domain.refusals import Refusal


@given(st.datetimes(*NAIVE, timezones=st.just(UTC)), st.integers(-840, 840))
def test_an_instant_is_judged_alike_in_every_zone(instant: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    shifted = (instant + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    text = f"{shifted}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    assert read(text) == instant
    refusal = refuse_outside("time", text, window())
    assert (refusal is None) == (OLDEST <= instant <= NOW + timedelta(seconds=300))


@given(
    st.one_of(
        st.text(st.sampled_from("0123456789-:TZ.W+ "), min_size=16, max_size=30),
        st.datetimes(*NAIVE).map(lambda t: t.isoformat() + "Z"),
        st.from_regex(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", fullmatch=True),
    )
)
def test_what_looks_canonical_is_accepted_by_the_close_look_too(text: str) -> None:
    if is_canonical_within(text, window()):
        assert refuse_outside("time", text, window()) is None


@given(
    st.datetimes(
        OLDEST.replace(tzinfo=None) + timedelta(days=1), NOW.replace(tzinfo=None), timezones=st.just(UTC)
    )
)
def test_our_own_text_is_canonical(instant: datetime) -> None:
    text = text_of(instant)
    assert is_canonical_within(text, window())
    found = read(text)
    assert not isinstance(found, Refusal)
    assert abs(found - instant) < timedelta(milliseconds=1)


@given(st.text(max_size=40))
def test_any_text_is_judged(text: str) -> None:
    refuse_outside("time", text, window())
    refuse_calendar(text)
    is_canonical_within(text, window())
