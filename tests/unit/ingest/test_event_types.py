"""What declared types demand of `data`."""

from typing import Any

import msgspec
import pytest
from tests.unit.ingest.events import types

from common.catalogue.loading import base_pack, load
from common.contracts.event_types import rules_of
from common.contracts.refusals import Code

SUBSCRIPTION = {"subscription": "s", "mrr": "99.50", "currency": "EUR"}
ANSWER = {"survey": "q3", "kind": "nps", "user": "ann", "score": 9}


def code_of(event_type: str, data: dict[str, Any] | bytes | None) -> Code | None:
    raw = data if isinstance(data, bytes) or data is None else msgspec.json.encode(data)
    refusal = types().rules[event_type].refusal(raw)
    return refusal.code if refusal else None


@pytest.mark.parametrize("mrr", ["0", "99.50", 100, "123456789012.123456", "-5.00"])
def test_exact_amounts_are_accepted(mrr: Any) -> None:
    assert code_of("subscription.started", SUBSCRIPTION | {"mrr": mrr}) is None


def test_an_amount_as_a_number_is_read_from_its_text() -> None:
    assert code_of("subscription.started", b'{"subscription":"s","mrr":0.1,"currency":"EUR"}') is None


@pytest.mark.parametrize(
    "mrr", ["", "NaN", "Infinity", "1e3", " 1", "1_0", "0.1234567", "1,5", True, [], 2**64]
)
def test_amounts_that_are_not_exact_decimals_are_refused(mrr: Any) -> None:
    assert code_of("subscription.started", SUBSCRIPTION | {"mrr": mrr}) == Code.MONEY_INVALID


def test_a_huge_exponent_is_no_amount() -> None:
    assert (
        code_of("subscription.started", b'{"subscription":"s","mrr":1e400,"currency":"EUR"}')
        == Code.MONEY_INVALID
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"currency": "eur"}, Code.FIELD_INVALID),
        ({"currency": None}, Code.FIELD_MISSING),
        ({"subscription": ""}, Code.FIELD_INVALID),
        ({"seats": -1}, Code.FIELD_OUT_OF_RANGE),
        ({"seats": "5"}, Code.FIELD_INVALID),
        ({"effective_at": "next week"}, Code.FIELD_INVALID),
        ({"effective_at": "9999-12-31"}, Code.FIELD_INVALID),
        ({"effective_at": "2026-01-31T00:00:00"}, Code.FIELD_INVALID),
    ],
)
def test_a_subscription_names_what_is_wrong(change: dict[str, Any], code: Code) -> None:
    assert code_of("subscription.started", SUBSCRIPTION | change) == code


@pytest.mark.parametrize("at", ["2026-01-31", "2026-01-31T00:00:00Z", "2026-01-31T00:00:00.5-08:00"])
def test_dates_and_instants_are_both_calendar_values(at: str) -> None:
    assert code_of("subscription.started", SUBSCRIPTION | {"effective_at": at}) is None


@pytest.mark.parametrize(
    ("kind", "score", "right"),
    [
        ("nps", 0, True),
        ("nps", 10, True),
        ("nps", 9.5, False),
        ("nps", 11, False),
        ("csat", 1, True),
        ("csat", 0, False),
        ("csat", 6, False),
        ("csat", 4.5, True),
        ("ces", 7, True),
        ("ces", 8, False),
        ("nps", "9", False),
    ],
)
def test_a_score_lies_in_the_range_of_its_kind(kind: str, score: Any, right: bool) -> None:
    assert (code_of("survey.responded", ANSWER | {"kind": kind, "score": score}) is None) == right


def test_an_unknown_kind_of_survey_is_refused() -> None:
    assert code_of("survey.responded", ANSWER | {"kind": "smile"}) == Code.FIELD_INVALID


def test_a_declared_type_needs_its_fields_even_without_data() -> None:
    assert code_of("user.logged_in", None) == Code.FIELD_MISSING


def test_people_may_write_line_breaks_in_comments_but_not_in_names() -> None:
    assert code_of("feature.used", {"feature": "x", "comment": "one\ntwo"}) is None
    assert code_of("feature.used", {"feature": "one\ntwo"}) == Code.FIELD_INVALID


SPEND = {"amount": "100", "currency": "EUR", "purpose": "service"}
SPENT = rules_of(load(base_pack()).event_types.values()).rules["spend.recorded"]


@pytest.mark.parametrize(
    "period", ["2026", "2026-Q1", "2026-03", "2026-03-15", "2026-03-01/2026-03-31", None]
)
def test_spend_may_name_the_period_that_it_is_for(period: str | None) -> None:
    assert SPENT.face is None
    assert SPENT.refusal(msgspec.json.encode(SPEND | {"period": period})) is None


@pytest.mark.parametrize(
    "period",
    ["Q1 2026", "March 2026", "2026-03-01..2026-03-31", "2026-13", "2026-Q5", "2026-04/2026-03", "", 2026],
)
def test_a_period_in_other_words_is_refused_with_the_forms_that_are_read(period: str | int) -> None:
    refusal = SPENT.refusal(msgspec.json.encode(SPEND | {"period": period}))
    assert refusal is not None
    assert refusal.code == Code.FIELD_INVALID
    assert (
        "`data.period` must be a period: 2026, 2026-Q1, 2026-03, 2026-03-15, or a first and a last one"
        in refusal.message
    )
