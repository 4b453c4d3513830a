"""Questions are refused with a code before they cost anything; values are exact until the one division at the end."""

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from statistics import mean, stdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue.models import Nps, Ratio, Term
from common.errors import Rejected
from common.figures import Query, cursors, parse, values
from common.figures.model import money_text

GOOD: dict[str, Any] = {"metrics": ["events"], "from": "2026-01-01", "to": "2026-02-01"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"metrics": []}, "metrics-missing"),
    ({"metrics": None}, "metrics-invalid"),
    ({"metrics": "events"}, "metrics-invalid"),
    ({"metrics": ["events", "events"]}, "metrics-repeated"),
    ({"metrics": ["m"] * 51}, "metrics-too-many"),
    ({"from": None}, "from-missing"),
    ({"from": 1735689600000}, "from-missing"),
    ({"from": "yesterday"}, "from-invalid"),
    ({"from": "2026-02-30"}, "from-invalid"),
    ({"from": "0001-01-01"}, "from-invalid"),
    ({"to": "9999-12-31"}, "to-invalid"),
    ({"to": "2026-02-01T09:00:00"}, "instant-naive"),
    ({"to": "2026-02-01T23:59:60Z"}, "to-invalid"),
    ({"grain": "minute"}, "grain-unknown"),
    ({"grain": ["day"]}, "grain-unknown"),
    ({"compare": "next_year"}, "compare-unknown"),
    ({"group_by": ["a", "b", "c", "d", "e"]}, "group_by-too-many"),
    ({"group_by": ["plan", "plan"]}, "dimension-repeated"),
    ({"group_by": ["pl\0an"]}, "group_by-invalid"),
    ({"group_by": ["\ud800"]}, "group_by-invalid"),
    ({"filter": {"plan": "pro"}}, "filter-invalid"),
    ({"filter": {"plan": []}}, "filter-invalid"),
    ({"filter": {"plan": [{"a": 1}]}}, "filter-invalid"),
    ({"filter": {"plan": [float("nan")]}}, "filter-invalid"),
    ({"filter": ["plan"]}, "filter-invalid"),
    ({"filter": {"plan": ["x"] * 1001}}, "filter-too-many"),
    ({"accounts": "a"}, "accounts-invalid"),
    ({"limit": 0}, "limit-invalid"),
    ({"limit": True}, "limit-invalid"),
    ({"limit": 10_001}, "limit-invalid"),
    ({"cursor": 5}, "cursor-invalid"),
    ({"Metrics": ["events"]}, "field-unknown"),
]


@pytest.mark.parametrize(("change", "code"), REFUSED)
def test_a_question_that_makes_no_sense_is_refused_with_what_is_wrong(
    change: dict[str, Any], code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        parse({**GOOD, **change})
    assert refused.value.code == code
    assert refused.value.message.isprintable()


def test_dates_are_the_tenants_midnights_and_instants_say_their_offset() -> None:
    query = parse({**GOOD, "from": "2026-01-01T02:00:00+02:00"})
    assert query.start == datetime(2026, 1, 1, tzinfo=UTC)
    assert query.end == date(2026, 2, 1)
    assert parse({**GOOD, "from": "2025-12-31t23:59:60z"}).start == query.start, "read as events are"
    assert (query.grain, query.limit, query.reads_accounts) == ("day", 1_000, False)


def test_an_offset_whose_plus_was_read_as_a_space_is_told_how_to_be_written() -> None:
    with pytest.raises(Rejected, match=r"in an address the [+] of an offset is written %2B"):
        parse({**GOOD, "from": "2026-01-01T02:00:00 02:00"})


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))  # fmt: skip
def test_whatever_comes_is_answered_or_refused(anything: Any) -> None:
    for body in (
        anything,
        {**GOOD, "filter": anything},
        {**GOOD, "group_by": anything},
        {**GOOD, "from": anything},
    ):
        with contextlib.suppress(Rejected):
            parse(body)


def test_a_cursor_continues_its_own_question_only() -> None:
    query = parse({**GOOD, "filter": {"plan": ["pro", None]}})
    cursor = cursors.encode(1, query, (2, 1_000))
    assert cursors.decode(1, _with(query, cursor)) == (2, 1_000)
    for tenant, other in ((2, query), (1, parse(GOOD))):
        with pytest.raises(Rejected, match="doesn't continue this question"):
            cursors.decode(tenant, _with(other, cursor))


@settings(deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=40).map(lambda b: b.hex()))
def test_a_garbage_cursor_is_refused(garbage: str) -> None:
    with pytest.raises(Rejected) as refused:
        cursors.decode(1, _with(parse(GOOD), garbage))
    assert refused.value.code == "cursor-invalid"


def _with(query: Query, cursor: str) -> Query:
    return Query(query.metrics, query.start, query.end, filter=query.filter, cursor=cursor)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
def test_nps_is_the_mean_of_its_answers_with_their_own_variance(
    promoters: int, passives: int, detractors: int
) -> None:
    n = promoters + passives + detractors
    found = values.nps(promoters, detractors, n, Nps(type="nps", measure="nps"))
    assert found.low_n == (n < 20)
    if n == 0:
        assert found.value is None
        return
    answers = [1] * promoters + [0] * passives + [-1] * detractors
    mean = sum(answers) / n
    spread = sqrt(sum((answer - mean) ** 2 for answer in answers) / n)
    assert found.value == pytest.approx(100 * mean)
    assert found.low is not None
    assert found.high is not None
    assert found.low == pytest.approx(max(-100, 100 * (mean - 1.959964 * spread / sqrt(n))), abs=1e-3)
    assert found.high == pytest.approx(min(100, 100 * (mean + 1.959964 * spread / sqrt(n))), abs=1e-3)
    assert -100 <= found.low <= float(found.value or 0) <= found.high <= 100


@settings(deadline=None)
@given(st.lists(st.fractions(-50, 50, max_denominator=100), min_size=1, max_size=40))
def test_a_mean_has_the_interval_of_its_own_sample(sample: list[Fraction]) -> None:
    half = 1.959964 * stdev(sample) / sqrt(len(sample)) if len(sample) > 1 else None
    middle = float(mean(sample))
    for found in (values.estimated_mean(sample, min_n=0), values.estimated_money(sample, "money")):
        assert float(found.value or 0) == pytest.approx(middle)
        if half is None:
            assert (found.low, found.high) == (None, None)
        else:
            assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=1e-4)


@settings(deadline=None)
@given(st.integers(1, 500), st.data())
def test_the_ends_of_a_shares_interval_are_as_far_off_as_they_themselves_allow(
    whole: int, data: st.DataObject
) -> None:
    """An end is the share from which the one found is exactly 1.96 of its own standard errors away."""
    part = data.draw(st.integers(0, whole))
    found = values.estimated_share(part, whole, min_n=0)
    for end in (found.low, found.high):
        assert end is not None
        assert abs(part / whole - end) == pytest.approx(1.959964 * sqrt(end * (1 - end) / whole), abs=1e-6)
    assert (found.low or 0) <= part / whole <= (found.high or 0)


def test_a_trend_is_unknown_under_eight_in_its_base() -> None:
    term = Term(measure="m")
    formula = Ratio(type="ratio", numerator=term, denominator=term, minus_one=True, min_base=8)
    assert values.ratio(Fraction(4), Fraction(8), formula).value == -0.5
    unknown = values.ratio(Fraction(4), Fraction(7), formula)
    assert (unknown.value, unknown.numerator, unknown.denominator, unknown.n, unknown.low_n) == (
        None,
        4,
        7,
        7,
        True,
    )
    assert values.ratio(Fraction(0), Fraction(0), formula).value is None


def test_money_is_exact_text_of_at_least_two_places() -> None:
    shown = {
        "0": "0.00",
        "-0": "0.00",
        "1200": "1200.00",
        "1E+3": "1000.00",
        "-3.10": "-3.10",
        "0.0010": "0.001",
    }
    assert {text: money_text(Decimal(text)) for text in shown} == shown
    assert money_text(Decimal("123456789012345678901234567890.12")) == "123456789012345678901234567890.12"


def test_sums_keep_their_scale() -> None:
    assert values.shown(Fraction(1234, 100), "money") == Decimal("12.34")
    assert values.shown(Fraction(1234, 100), "days") == 12.34
    assert isinstance(values.shown(Fraction(7, 7), "count"), int)
    assert values.shown(Fraction(1, 7), "logins_per_day") == 1 / 7
