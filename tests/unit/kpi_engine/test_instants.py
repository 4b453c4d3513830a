"""Times as text: one by one with the standard library, many at once by arithmetic; both say the same."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.instants import UNREADABLE_US, instant_us, instants_us

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ANY_TIME = st.datetimes(timezones=st.timezones())
FORMS = (
    lambda at: at.isoformat(),
    lambda at: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0"),
    lambda at: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0"),
    lambda at: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.123Z").rjust(24, "0"),
    lambda at: at.isoformat(timespec="seconds"),
    lambda at: at.isoformat(timespec="milliseconds"),
    lambda at: at.isoformat(timespec="microseconds"),
    lambda at: at.astimezone(UTC).strftime("%Y-%m-%dt%H:%M:%S.%fz").rjust(27, "0"),
)
UTC_TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones())  # noqa: DTZ001 - hypothesis wants them bare
TEXTS = st.builds(lambda at, form: form(at), UTC_TIMES, st.sampled_from(FORMS))
# Characters of a time in any order, and of the lengths of the usual forms: mostly no time at all.
NEARLY = st.sampled_from((20, 24, 25, 27, 29, 32)).flatmap(
    lambda n: st.text("0123456789-+:.TZ é", min_size=n, max_size=n)
)


def one_by_one(text: str) -> int:
    try:
        return instant_us(text)
    except (ValueError, OverflowError):
        return UNREADABLE_US


@given(ANY_TIME)
def test_an_instant_is_the_same_whatever_zone_it_is_written_in(at: datetime) -> None:
    assert instant_us(at.isoformat()) == (at - EPOCH) // timedelta(microseconds=1)


@given(st.lists(TEXTS | NEARLY | st.text(), max_size=20))
def test_many_are_read_as_one_by_one(texts: list[str]) -> None:
    assert instants_us(texts).tolist() == [one_by_one(text) for text in texts]


@given(
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
)
def test_days_and_hours_that_do_not_exist_are_unreadable(
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> None:
    text = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"
    assert instants_us([text]).tolist() == [one_by_one(text)]


@given(
    st.sampled_from("+-"), st.integers(0, 26), st.integers(0, 62), st.sampled_from(("", ".123", ".123456"))
)
def test_offsets_mean_what_the_standard_library_says(
    sign: str, hours: int, minutes: int, fraction: str
) -> None:
    text = f"2026-03-01T00:30:00{fraction}{sign}{hours:02d}:{minutes:02d}"
    assert instants_us([text, text]).tolist() == [one_by_one(text)] * 2


@pytest.mark.parametrize(
    "text", ["", "2026-01-01T00:00:00", "2026-01-01", "20260101T000000Z", "2026-01-01T00:00:00.0000000Z"]
)
def test_unusual_forms_mean_what_the_standard_library_says(text: str) -> None:
    assert instants_us([text]).tolist() == [one_by_one(text)]


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"),
        ("2026-01-31t12:00:00.250z", "2026-01-31T12:00:00.250Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T18:59:60-05:00", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.500Z", "2017-01-01T00:00:00.500Z"),
    ],
)
def test_small_letters_and_leap_seconds_are_read_as_ingest_reads_them(text: str, usual: str) -> None:
    assert instants_us([text, usual]).tolist() == [instant_us(usual)] * 2


def test_a_second_60_within_a_month_is_unreadable() -> None:
    assert instants_us(["2016-12-30T23:59:60Z"]).tolist() == [UNREADABLE_US]
