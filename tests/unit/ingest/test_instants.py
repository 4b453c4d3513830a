"""Instants: RFC 3339 with a zone, inside the window."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ingest.events import NAIVE, NOW, OLDEST, window

from common.contracts.instants import (
    are_surely_within,
    instant_of,
    is_surely_within,
    read,
    refuse_calendar,
    refuse_outside,
    text_of,
)
from common.contracts.refusals import Refusal

_offsets = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))


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
        st.datetimes(*NAIVE, timezones=_offsets).map(datetime.isoformat),
        st.from_regex(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", fullmatch=True),
    )
)
def test_what_is_surely_within_is_accepted_by_the_close_look_too(text: str) -> None:
    if is_surely_within(text, window()):
        assert refuse_outside("time", text, window()) is None


_looks = st.one_of(
    st.datetimes(*NAIVE, timezones=st.just(UTC)).map(lambda t: t.isoformat(timespec="milliseconds")),
    st.datetimes(*NAIVE, timezones=_offsets).map(lambda t: t.isoformat(timespec="seconds")),
    st.datetimes(*NAIVE).map(lambda t: t.isoformat(timespec="seconds") + ".1234Z"),
    st.from_regex(r"2026-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d:[0-6]\d\.\d{3}Z", fullmatch=True),
    st.datetimes(*NAIVE).map(lambda t: t.isoformat(timespec="milliseconds") + "Z"),
    st.text(st.sampled_from("0123456789-:TZ.\u0664"), min_size=24, max_size=24),
)


@given(st.lists(st.one_of(_looks, st.text(max_size=30)), max_size=6))
def test_instants_are_judged_together_as_each_on_its_own(texts: list[str]) -> None:
    assert are_surely_within(texts, window()) == all(is_surely_within(t, window()) for t in texts)


@given(st.lists(_looks, min_size=1, max_size=6))
def test_instants_of_one_width_are_judged_together_as_each_on_its_own(texts: list[str]) -> None:
    assert are_surely_within(texts, window()) == all(is_surely_within(t, window()) for t in texts)


@pytest.mark.parametrize("width", [19, 20, 21, 22, 26, 30, 31])
def test_every_width_is_judged_together_as_alone(width: int) -> None:
    text = "2026-11-21T17:59:00.123456789012Z"[: width - 1].rstrip(".") + "Z"
    assert are_surely_within([text, text], window()) == is_surely_within(text, window())


@given(
    st.datetimes(
        OLDEST.replace(tzinfo=None) + timedelta(days=1), NOW.replace(tzinfo=None), timezones=st.just(UTC)
    )
)
def test_our_own_text_and_that_of_python_need_no_close_look(instant: datetime) -> None:
    text = text_of(instant)
    assert is_surely_within(text, window())
    elsewhere = instant.astimezone(timezone(timedelta(hours=5, minutes=30)))
    for other in (instant.isoformat(), instant.isoformat(timespec="milliseconds"), elsewhere.isoformat()):
        assert are_surely_within([other, other], window())
    found = read(text)
    assert not isinstance(found, Refusal)
    assert abs(found - instant) < timedelta(milliseconds=1)


@given(st.text(max_size=40))
def test_any_text_is_judged(text: str) -> None:
    refuse_outside("time", text, window())
    refuse_calendar(text)
    is_surely_within(text, window())


def written(instant: datetime, minutes: int) -> str:
    """RFC 3339 at so many minutes from UTC."""
    sign = "-" if minutes < 0 else "+"
    local = (instant + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    return f"{local}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@given(st.datetimes(*NAIVE, timezones=st.just(UTC)))
def test_small_letters_say_what_capital_ones_do(instant: datetime) -> None:
    text = instant.isoformat().replace("+00:00", "Z")
    assert read(text.lower()) == read(text) == instant
    assert refuse_calendar(text.lower()) is None
    assert (refuse_outside("time", text.lower(), window()) is None) == (
        refuse_outside("time", text, window()) is None
    )


@given(
    st.integers(2000, 2099),
    st.integers(1, 12),
    st.integers(-840, 840),
    st.sampled_from(["", ".5", ".000001"]),
)
def test_a_leap_second_is_the_first_second_of_the_next_month(
    year: int, month: int, minutes: int, fraction: str
) -> None:
    begins = datetime(year, month, 1, tzinfo=UTC)
    last = written(begins - timedelta(seconds=1), minutes)
    assert last[17:19] == "59"
    text = f"{last[:17]}60{fraction}{last[19:]}"
    assert read(text) == instant_of(text) == begins + timedelta(seconds=float(fraction or 0))
    assert refuse_calendar(text) is None


@given(st.datetimes(*NAIVE, timezones=st.just(UTC)), st.integers(-840, 840))
def test_no_other_minute_has_a_second_60(instant: datetime, minutes: int) -> None:
    text = written(instant.replace(microsecond=0), minutes)
    after = instant.replace(second=0, microsecond=0) + timedelta(minutes=1)
    found = read(f"{text[:17]}60{text[19:]}")
    if (after.day, after.hour, after.minute) == (1, 0, 0):
        assert found == after
    else:
        assert isinstance(found, Refusal)
        assert "leap second" in found.message


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:60Z", "9999-12-31T18:59:60-05:00", "2016-12-31T23:59:61Z"]
)
def test_a_leap_second_beyond_the_calendar_is_refused(text: str) -> None:
    assert isinstance(read(text), Refusal)
