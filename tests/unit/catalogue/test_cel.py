"""Conditions in CEL: numbers are doubles, and what isn't known holds for nobody."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue.cel import CelInvalid, compile_account, compile_event, compile_number, widen


@pytest.mark.parametrize(
    ("source", "figures", "holds"),
    [
        ("a.mrr > 100", {"mrr": 101}, True),
        ("a.mrr > 100", {"mrr": 100.0}, False),
        ("a.login_trend < -0.3 && a.mrr >= 0", {"login_trend": -0.4, "mrr": 0}, True),
        ("a.days_silent > 3 * a.usual_gap_days", {"days_silent": 10, "usual_gap_days": 3}, True),
        ("a.login_trend < -0.3", {"login_trend": None}, None),
        ("a.login_trend < -0.3", {}, None),
        ("a.login_trend < -0.3 && a.mrr > 5", {"mrr": 1}, False),
        ("a.login_trend < -0.3 || a.mrr > 5", {"mrr": 9}, True),
        ("a.segment == 'smb'", {"segment": "smb"}, True),
        ("has(a.mrr)", {"mrr": 0}, True),
        ("has(a.mrr)", {"mrr": None}, False),
    ],
)
def test_a_condition_over_figures(source: str, figures: dict[str, Any], holds: bool | None) -> None:
    assert compile_account(source).for_account(figures, {}) is holds


def test_traits_are_beside_the_figures() -> None:
    condition = compile_account("a.traits.plan == 'pro' && a.traits.seats >= 5")
    assert condition.for_account({}, {"plan": "pro", "seats": 5}) is True
    assert condition.for_account({}, {"plan": "pro"}) is None
    assert compile_account("!has(a.traits.closed_at)").for_account({}, {"plan": "x"}) is True


def test_a_condition_over_events() -> None:
    condition = compile_event("event.type == 'survey.responded' && event.data.score >= 9")
    assert condition.for_event("survey.responded", {"score": 9}) is True
    assert condition.for_event("survey.responded", {"score": "9"}) is None
    assert condition.for_event("other", {}) is False
    assert compile_event("size(event.data.items) > 1").for_event("t", {"items": [1, 2]}) is True


def test_what_would_take_too_long_is_unknown() -> None:
    each = "a.traits.seats.exists({0}, {1})".format
    nested = each("x", each("y", each("z", "x + y + z < 0.0")))
    assert compile_account(nested).for_account({}, {"seats": [1] * 3}) is False
    assert compile_account(nested).for_account({}, {"seats": [1] * 100}) is None


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))  # fmt: skip
def test_no_data_makes_a_condition_fail_loudly(anything: Any) -> None:
    assert compile_event("event.data.x > 3").for_event("t", {"x": anything}) in (True, False, None)


def test_only_numbers_outside_text_are_widened() -> None:
    assert widen('a.x1 > 3 && b == \'3\' && c < 1.5 && d == "4\\"5" && e > 2e3') == (
        'a.x1 > 3.0 && b == \'3\' && c < 1.5 && d == "4\\"5" && e > 2e3'
    )


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("a.mrr > 100 && a.nope", 1, 17),
        ("a.mrr > 100 &&\n  a.mrr > 5 && a.nope > 1", 2, 17),
        ("a.mrr + 10 * * 3", 1, 14),
    ],
)
def test_an_error_says_where_in_the_text_as_written(source: str, line: int, column: int) -> None:
    with pytest.raises(CelInvalid) as invalid:
        compile_account(source)
    assert (invalid.value.line, invalid.value.column) == (line, column)


def test_a_division_by_zero_is_infinite_in_a_condition_and_unknown_as_a_value() -> None:
    """As the reference says, so that whoever writes a rule asks for the divisor first."""
    none = {"complaints_28d": 3, "seats": 0}
    for more in ("", " && a.segment in ['x']"):
        assert compile_account(f"a.complaints_28d / a.seats > 0.1{more}").for_account(
            none | {"segment": "x"}, {}
        )
        asked = compile_account(f"a.seats > 0 && a.complaints_28d / a.seats > 0.1{more}")
        assert asked.for_account(none | {"segment": "x"}, {}) is False
    assert compile_number("a.complaints_28d / a.seats").for_account(none, {}) is None
