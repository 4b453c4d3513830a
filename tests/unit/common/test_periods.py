"""Periods as people write them, against a walk over the calendar day by day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.periods import period_named

DAY = timedelta(days=1)


def forms(day: date) -> list[str]:
    year = f"{day.year:04}"
    return [year, f"{year}-Q{(day.month + 2) // 3}", f"{year}-{day.month:02}", day.isoformat()]


written = st.dates(date(1900, 1, 1), date(2200, 12, 31)).flatmap(lambda day: st.sampled_from(forms(day)))


@given(written)
def test_a_period_is_the_days_that_its_name_begins(text: str) -> None:
    first, end = period_named(text) or (date.max, date.max)
    assert text in forms(first)
    assert text in forms(end - DAY)
    assert text not in forms(end)
    assert text not in forms(first - DAY)


@given(written, written)
def test_two_of_them_reach_from_the_first_day_to_the_last(one: str, other: str) -> None:
    starts, ends = period_named(one), period_named(other)
    assert starts is not None
    assert ends is not None
    found = period_named(f"{one}/{other}")
    assert found == ((starts[0], ends[1]) if starts[0] < ends[1] else None)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "Q1 2026", "March 2026", "2026-03-01..2026-03-31", "2026-13", "2026-00", "2026-Q5", "2026-02-30", "26", "0000", "2026-3",
     "2026-03/", "/2026", "2026-04/2026-03", "9999", "٢٠٢٦"],
)  # fmt: skip
def test_what_is_none_of_the_forms_is_no_period(text: str) -> None:
    assert period_named(text) is None
