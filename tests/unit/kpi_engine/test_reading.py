"""What a batch says: measures see their events, and what can't be kept exactly is refused with a reason."""

import json
from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.catalogue.models import Catalogue, EventType, Measure
from kpi_engine.domain import facts
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.plan import plan_of
from kpi_engine.domain.reading import Reading, digest_of, read

MEASURES: dict[str, dict[str, Any]] = {
    "events": {"agg": "count", "event_types": ["*"]},
    "actions": {"agg": "count", "activity": True},
    "paid": {"agg": "sum", "event_types": ["invoice.paid"], "field": "data.amount", "scale": 2},
    "big": {"agg": "count", "event_types": ["invoice.paid"], "where": "event.data.amount > 100"},
    "depth": {"agg": "last", "event_types": ["probe"], "field": "data.a.b"},
    "features": {"agg": "distinct", "event_types": ["feature.used"], "field": "data.feature"},
    "exits": {
        "agg": "count",
        "event_types": ["feature.used"],
        "where": "event.data.feature in ['way out', 'exit']",
    },
}
PLAN = plan_of(
    Catalogue(
        event_types={"invoice.paid": EventType(name="invoice.paid", activity=False)},
        measures={name: Measure.model_validate({"name": name, **made}) for name, made in MEASURES.items()},
    )
)


def body(event_type: str, data: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "source": "s",
        "type": event_type,
        "time": "2026-01-01T00:00:00Z",
        "subject": "acme",
        "data": data,
        **more,
    }


def reading_of(*events: dict[str, Any] | bytes, types: list[str] | None = None) -> Reading:
    return read(batch_of(*events, types=types), PLAN)


def batch_of(*events: dict[str, Any] | bytes, types: list[str] | None = None) -> TenantBatch:
    count = len(events)
    zeros = np.zeros(count, np.int64)
    return TenantBatch(
        1, PLAN.catalogue, np.zeros(count, np.int16), zeros, zeros, np.zeros(count, np.bool_),
        types or [str(event["type"]) for event in events if isinstance(event, dict)],
        zeros, ["s"] * count, ["1"] * count,
        [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events],
    )  # fmt: skip


def code_of(event: dict[str, Any] | bytes, event_type: str | None = None) -> str | None:
    reading = reading_of(event, types=[event_type] if event_type else None)
    return reading.rejected[0].code if reading.rejected else None


def test_measures_see_their_types() -> None:
    reading = reading_of(
        body("invoice.paid", {"amount": "100.50"}), body("feature.used", {}), body("never.heard.of", {})
    )
    assert reading.selected["events"].tolist() == [0, 1, 2]
    assert reading.selected["actions"].tolist() == [1, 2]
    assert reading.numbers["paid"] == {0: 10050}
    assert reading.activity.tolist() == [False, True, True]


SOME_EVENTS = st.lists(
    st.sampled_from(
        [
            body("invoice.paid", {"amount": "100.50"}),
            body("invoice.paid", {"amount": 7}),
            body("feature.used", {"user": "u"}),
            body("probe", {"a": {"b": 1.5}}),
            body("account.updated", {"traits": {"plan": "pro", "seats": 5}}),
            body("survey.responded", {"user": "u", "survey": "s", "kind": "nps", "score": 9}),
            body("subscription.started", {"subscription": "s", "mrr": "10", "currency": "EUR"}),
        ]
    ),
    min_size=1,
    max_size=12,
)


@given(SOME_EVENTS, st.sets(st.integers(0, 11)))
def test_a_reading_of_some_of_the_events_is_that_of_these_alone(
    events: list[dict[str, Any]], left_out: set[int]
) -> None:
    chosen = [i for i in range(len(events)) if i not in left_out]
    if not chosen:
        return
    some = reading_of(*events).only(np.array(chosen, np.int64))
    assert parts(some) == parts(reading_of(*[events[i] for i in chosen]))


def parts(reading: Reading) -> dict[str, Any]:
    return {
        **{f.name: getattr(reading, f.name) for f in fields(reading)},
        "kept": reading.kept.tolist(),
        "activity": reading.activity.tolist(),
        "selected": {name: indices.tolist() for name, indices in reading.selected.items()},
        "firsts": {key: indices.tolist() for key, indices in reading.firsts.items()},
    }


def test_a_condition_that_does_not_hold_or_is_unknown_counts_nothing() -> None:
    reading = reading_of(
        body("invoice.paid", {"amount": 101}), body("invoice.paid", {"amount": 99}), body("invoice.paid", {})
    )
    assert reading.selected["big"].tolist() == [0]
    assert reading.rejected == []


def test_a_sum_leaves_out_what_is_not_there() -> None:
    reading = reading_of(body("invoice.paid", {"amount": None}), body("invoice.paid", {}))
    assert reading.numbers["paid"] == {}
    assert reading.rejected == []


def test_a_field_may_lie_deeper() -> None:
    reading = reading_of(
        body("probe", {"a": {"b": 1.5}}), body("probe", {"a": {}}), body("probe", {"a": 1}), body("probe", {})
    )
    assert {index: str(value) for index, value in reading.decimals["depth"].items()} == {0: "1.5"}


def test_equal_values_have_equal_digests_however_they_are_written() -> None:
    assert digest_of(b'"a"') == digest_of(b'"\\u0061"')
    assert digest_of(b'{"a": 1, "b": 2}') == digest_of(b'{"b":2,"a":1}')
    assert digest_of(b'"1"') != digest_of(b"1")
    assert digest_of(b"1") >= 1 << 62


STARTED = {"subscription": "s", "mrr": "10", "currency": "EUR"}
ANSWER = {"user": "u", "survey": "s", "kind": "nps", "score": 9}


@pytest.mark.parametrize(
    ("event_type", "data", "code"),
    [
        ("subscription.started", STARTED, None),
        ("subscription.started", {**STARTED, "mrr": 10.25}, None),
        ("subscription.started", {**STARTED, "currency": "Euro"}, "currency-unknown"),
        ("subscription.started", {"subscription": "s", "mrr": "10"}, "currency-unknown"),
        ("subscription.started", {**STARTED, "mrr": None}, "field-missing"),
        ("subscription.started", {**STARTED, "mrr": "ten"}, "number-invalid"),
        ("subscription.started", {**STARTED, "mrr": "1e18"}, "number-out-of-range"),
        ("subscription.started", {"mrr": "10", "currency": "EUR"}, "field-invalid"),
        ("subscription.started", {**STARTED, "subscription": "x" * 300}, "name-too-long"),
        ("subscription.started", {**STARTED, "subscription": "a\0"}, "text-invalid"),
        ("subscription.started", {**STARTED, "term_end": "2026-12-31"}, None),
        ("subscription.started", {**STARTED, "term_end": "2026-12-31T00:00:00+01:00"}, None),
        ("subscription.started", {**STARTED, "term_end": "2026-12-31T00:00:00"}, "time-invalid"),
        ("subscription.started", {**STARTED, "effective_at": "soon"}, "time-invalid"),
        ("subscription.started", {**STARTED, "effective_at": "0001-01-01T00:00:00+14:00"}, "time-invalid"),
        ("subscription.cancelled", {"subscription": "s"}, None),
        ("survey.responded", ANSWER, None),
        ("survey.responded", {**ANSWER, "wave": 3}, None),
        ("survey.responded", {**ANSWER, "user": None}, "field-missing"),
        ("survey.responded", {**ANSWER, "score": None}, "field-missing"),
        ("survey.responded", {**ANSWER, "score": "high"}, "number-invalid"),
        ("user.updated", {"user": "u", "traits": {"role": "admin"}}, None),
        ("user.updated", {"traits": {}}, "field-missing"),
        ("account.updated", {"traits": []}, "field-invalid"),
        ("account.updated", {"traits": {"a": {"b": ["x\0y"]}}}, "text-invalid"),
        ("account.updated", {"traits": {"a": "\\u0000 spelt out"}}, None),
        ("account.updated", {"traits": {"n" * 300: 1}}, "name-too-long"),
    ],
)
def test_what_can_not_be_kept_exactly_is_refused(
    event_type: str, data: dict[str, Any], code: str | None
) -> None:
    assert code_of(body(event_type, data)) == code


@pytest.mark.parametrize(
    ("event_type", "data", "measure", "why"),
    [
        ("invoice.paid", {"amount": "1.005"}, "paid", "data.amount: 1.005 has more than 2 decimal places"),
        ("invoice.paid", {"amount": [1]}, "paid", "data.amount: [1] is not a decimal number"),
        ("probe", {"a": {"b": "much"}}, "depth", 'data.a.b: "much" is not a decimal number'),
    ],
)
def test_what_a_measure_can_not_read_is_left_out_of_that_measure_alone(
    event_type: str, data: dict[str, Any], measure: str, why: str
) -> None:
    reading = reading_of(body(event_type, data), body(event_type, {}))
    assert reading.rejected == []
    assert reading.kept.all()
    assert reading.selected["events"].tolist() == [0, 1]
    assert [(it.index, it.measure, it.message) for it in reading.left_out] == [(0, measure, why)]
    assert reading.numbers["paid"] == reading.decimals["depth"] == {}
    assert reading.only(np.array([1])).left_out == []


def test_facts_need_an_account_and_an_identity_that_can_be_filed() -> None:
    assert code_of({**body("account.updated", {}), "subject": None}) == "account-missing"
    assert code_of({**body("account.updated", {}), "id": "x" * 2000}) == "id-too-long"
    assert code_of({**body("account.updated", {}), "id": "a\0b"}) == "text-invalid"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":"1","source":"s","time":"t","subject":"a","data":{"traits":{"n":1e999}}}',
        b'{"id":"1","source":"s","time":"t","subject":"a","data":{"traits":{"n":"\\ud800"}}}',
        b'{"id":"1","source":"s","time":"t","subject":"a","data":{"traits":'
        + b"[" * 5000
        + b"]" * 5000
        + b"}}",
        b'{"id":"1","source":"s","time":"t","subject":"a"',
        b"",
    ],
)
def test_bytes_that_the_database_would_refuse_are_refused_here(raw: bytes) -> None:
    assert code_of(raw, "account.updated") == "field-invalid"


def test_a_closed_account_keeps_when_and_why() -> None:
    reading = reading_of(body("account.closed", {"reason": "bust"}))
    values = {trait.name: json.loads(trait.value) for trait in reading.traits}
    assert values == {"closed": True, "closed_at": "2026-01-01T00:00:00Z", "closed_reason": "bust"}


@pytest.mark.parametrize("traits", [{}, {"closed": True, "closed_at": "2025-12-31"}])
def test_a_created_account_stands_unless_it_says_otherwise_itself(traits: dict[str, Any]) -> None:
    reading = reading_of(body("account.created", {"traits": {"plan": "pro", **traits}}))
    values = {trait.name: json.loads(trait.value) for trait in reading.traits}
    assert values == {"closed": None, "closed_at": None, "closed_reason": None, "plan": "pro", **traits}


@pytest.mark.parametrize(
    ("told", "seats"),
    [
        (5, 5),
        ("2.5", Decimal("2.5")),
        (2.5, Decimal("2.5")),
        (0, 0),
        (-1, None),
        ("many", None),
        (None, None),
        ([3], None),
        (1e30, None),
    ],
)
def test_seats_of_a_subscription_that_are_no_number_are_as_if_not_told(told: Any, seats: Any) -> None:
    said = {**STARTED, "seats": told}
    (started,) = reading_of(body("subscription.started", said)).changes
    assert started.seats == seats
    (cancelled,) = reading_of(body("subscription.cancelled", said)).changes
    assert cancelled.seats is None


def test_leaving_says_nothing_about_who_is_internal() -> None:
    reading = reading_of(body("user.left", {"user": "u", "traits": {"is_internal": True, "role": "x"}}))
    assert {trait.name for trait in reading.traits} == {"left", "role"}


good = st.sampled_from(
    [
        body("invoice.paid", {"amount": "5.25"}),
        body("feature.used", {"feature": "x"}),
        body("subscription.started", STARTED),
        body("invoice.paid", {"amount": "x"}),
    ]
)
bad = st.sampled_from(
    [
        body("subscription.started", {**STARTED, "mrr": "x"}),
        body("subscription.started", {**STARTED, "currency": "?"}),
        body("user.left", {}),
    ]
)


@given(st.lists(good | bad, max_size=12))
def test_a_refused_event_leaves_no_trace_and_does_not_touch_its_neighbours(
    events: list[dict[str, Any]],
) -> None:
    together = reading_of(*events)
    alone = [reading_of(event) for event in events]
    assert together.kept.tolist() == [bool(one.kept[0]) for one in alone]
    kept = [index for index, one in enumerate(alone) if one.kept[0]]
    assert together.selected["events"].tolist() == kept
    assert {change.index for change in together.changes} == {i for i in kept if alone[i].changes}
    assert together.numbers["paid"] == {
        i: alone[i].numbers["paid"][0] for i in kept if alone[i].numbers["paid"]
    }
    assert [it.index for it in together.left_out] == [i for i in kept if alone[i].left_out]


def test_a_batch_of_nothing_is_nothing() -> None:
    reading = reading_of()
    assert reading.rejected == []
    assert all(len(indices) == 0 for indices in reading.selected.values())


values = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@given(
    data=st.none() | st.dictionaries(st.sampled_from(["feature", "user", "a b"]), values),
    path=st.sampled_from([("feature",), ("a b",), ("feature", "name")]),
)
def test_a_field_is_the_same_whether_the_others_are_read_or_passed_over(
    data: dict[str, Any] | None, path: tuple[str, ...]
) -> None:
    body = json.dumps({"id": "1", "data": data, "type": "t"}).encode()
    assert facts.token_reader(path)(body) == facts.token_at(facts.fields_of(body), path)


def test_a_condition_on_plain_texts_sees_the_same_however_they_are_written() -> None:
    said = ['"exit"', '"way out"', r'"\u0065xit"', '"exits"', '["exit"]', "null"]
    events = [
        b'{"id":"1","source":"exit","subject":"a","data":{"feature":%s}}' % text.encode() for text in said
    ]
    reading = reading_of(*events, types=["feature.used"] * len(events))
    assert reading.selected["exits"].tolist() == [0, 1, 2]
