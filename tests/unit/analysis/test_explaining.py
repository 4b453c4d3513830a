"""Whatever the two periods hold, the parts add up to the change: as fractions, and as the decimals that are shown."""

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.analysis import exact, report
from common.analysis.contributions import ranked
from common.analysis.explaining import Definition, Evidence, Late, Made, Missing, explain
from common.analysis.mix import quotient_change, quotient_inputs
from common.analysis.samples import Cell, Quotient, Sample, Unit, shape_of
from common.analysis.shapley import MOST_INPUTS, input_parts
from common.catalogue.derived import arithmetic
from common.catalogue.models import Metric
from common.figures.slices import text_of

ZERO = Fraction(0)


FORMULAS: dict[str, dict[str, Any]] = {
    "nrr": {"type": "movement", "measure": "mrr", "movement": "nrr"},
    "share": {
        "type": "share", "measure": "deals", "step": "won", "among": ["won", "lost"],
    },
    "complaints": {"type": "simple", "measure": "complaints"},
    "trend": {
        "type": "ratio", "min_base": 8, "minus_one": True, "numerator": {"measure": "active_users", "window_days": 28},
        "denominator": {"measure": "active_users", "window_days": 28, "offset_days": 28},
    },
    "velocity": {"type": "derived", "cel": "3 * a * b * c / d"},
    "time": {"type": "duration", "measure": "onboarding", "start": ["created"], "end": ["first_value"]},
}  # fmt: skip
UNITS = {"nrr": "ratio", "share": "ratio", "time": "days", "velocity": "money_per_day"}


def metric(name: str) -> Metric:
    return Metric.model_validate({
        "name": name, "label": name.upper(), "description": "-", "unit": UNITS.get(name, "count"), "direction": "higher",
        "kind": "simple", "formula": FORMULAS[name], "rollup": "sum", "owner": "-", "decision": "-", "evidence": "direct",
        "raci": {"responsible": "-", "accountable": "-"}, "cadence": "live", "category": "quantity", "stage": "adopt",
        "settles_after": "1 days", "version": 1, "effective_from": "2026-01-01",
    })  # fmt: skip


money = st.integers(0, 50_000).map(lambda cents: Fraction(cents, 100))
changes = st.builds(Fraction, st.integers(-1000, 1000), st.integers(1, 97))
shares = st.builds(Fraction, st.integers(0, 9), st.just(10))
ACCOUNTS = [f"a{n}" for n in range(7)]


@st.composite
def cohorts(draw: st.DrawFn) -> dict[Unit, Cell]:
    """Per account in a slice (MRR now, MRR then), some with nothing."""
    found = {}
    for account in draw(st.sets(st.sampled_from(ACCOUNTS), min_size=1)):
        then = draw(money)
        now = draw(st.one_of(st.just(then), st.just(ZERO), money))
        slice_ = (draw(st.sampled_from(['"small"', '"large"', None])),)
        found[Unit(slice_, account)] = Cell(now / then if then else None, now if then else ZERO, then)
    return found


def quotient(units: dict[Unit, Cell], factor: int = 1) -> Sample:
    over = sum((cell.over or ZERO for cell in units.values()), ZERO)
    under = sum((cell.under or ZERO for cell in units.values()), ZERO)
    return Sample(Cell(factor * over / under if under else None, over, under), units)


def counted(units: dict[Unit, Cell]) -> Sample:
    values = {unit: Cell(cell.over) for unit, cell in units.items()}
    return Sample(Cell(sum((cell.value or ZERO for cell in values.values()), ZERO)), values)


def evidence(name: str, earlier: Sample, later: Sample, **more: Any) -> Evidence:
    return Evidence(metric(name), ("segment",), earlier, later, Definition(1, 1), "EUR", **more)


def check(made: Evidence) -> dict[str, Any]:
    told = explain(made)
    shown = report.as_json(told, 3)
    assert told.start is not None
    assert told.start + sum(told.amounts.values(), ZERO) == made.later.whole.value
    assert sum((one.amount for one in told.inputs), ZERO) == told.amounts["inputs"]
    assert sum((one.mix for one in told.slices.values()), ZERO) == told.amounts["mix"]
    parts = {part["part"]: part for part in shown["parts"]}
    assert sum(Decimal(part["amount"]) for part in parts.values()) == Decimal(shown["change"])
    assert Decimal(shown["later"]["value"]) - Decimal(shown["earlier"]["as_known_when_complete"]) == Decimal(
        shown["change"]
    )
    mix = parts["mix"]
    inside = [*mix["slices"], mix["rest"]]
    if told.slices:
        assert sum(Decimal(one["amount"]) for one in inside) == Decimal(mix["amount"])
    assert sum(Decimal(one["amount"]) for one in parts["inputs"]["inputs"]) == Decimal(
        parts["inputs"]["amount"]
    )
    if shown["accounts"] is not None:
        amounts = [*shown["accounts"]["data"], shown["accounts"]["rest"]]
        assert sum(Decimal(one["amount"]) for one in amounts) == Decimal(shown["later"]["value"]) - Decimal(
            shown["earlier"]["value"]
        )
    return shown


@settings(max_examples=150, deadline=None)
@given(cohorts(), cohorts(), changes, changes, st.sampled_from(["nrr", "share"]))
def test_the_parts_of_a_quotient_are_its_change(
    before: dict[Unit, Cell], after: dict[Unit, Cell], by_definition: Fraction, late: Fraction, name: str
) -> None:
    earlier, later = quotient(before), quotient(after)
    if earlier.whole.value is None or later.whole.value is None:
        told = explain(evidence(name, earlier, later))
        assert (told.start, told.amounts) == (None, {})
        assert "unknown" in report.as_json(told, 3)["sentence"]
        return
    definition = Definition(1, 2, earlier.whole.value - by_definition, Late(late))
    shown = check(evidence(name, earlier, later, late=Late(late)) if not by_definition else replace(
        evidence(name, earlier, later, late=Late(late)), definition=definition
    ))  # fmt: skip
    amounts = {part["part"]: Decimal(part["amount"]) for part in shown["parts"]}
    assert abs(Fraction(amounts["definition"]) - by_definition) < Fraction(2, 10**12)
    assert abs(Fraction(amounts["late_data"]) - late) < Fraction(2, 10**12)


@settings(max_examples=100, deadline=None)
@given(cohorts(), cohorts(), shares)
def test_the_parts_of_a_sum_are_its_change(
    before: dict[Unit, Cell], after: dict[Unit, Cell], lost: Fraction
) -> None:
    earlier = counted(before)
    shown = check(evidence("complaints", earlier, counted(after), missing=Missing(lost)))
    assert earlier.whole.value is not None
    amounts = {part["part"]: Fraction(part["amount"]) for part in shown["parts"]}
    assert abs(amounts["missing_data"] + lost * earlier.whole.value) < Fraction(2, 10**12)


MARGIN = Fraction(4, 5)
Worth = Callable[[dict[str, Fraction]], Fraction]
DERIVED: dict[str, Worth] = {
    "3 * a * b * c / d": lambda its: 3 * its["a"] * its["b"] * its["c"] / its["d"],
    "a + b - c - d": lambda its: its["a"] + its["b"] - its["c"] - its["d"],
    "(a - b) / c + 2 * d": lambda its: (its["a"] - its["b"]) / its["c"] + 2 * its["d"],
    "a * (b - c) - a / d": lambda its: its["a"] * (its["b"] - its["c"]) - its["a"] / its["d"],
    "-(1 - a / b) * c / (d * settings.gross_margin)": lambda its: (
        -(1 - its["a"] / its["b"]) * its["c"] / (its["d"] * MARGIN)
    ),
}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(DERIVED)),
    st.lists(st.tuples(changes, changes).filter(all), min_size=4, max_size=4),
)
def test_inputs_of_a_derived_metric_are_means_over_all_orders(
    cel: str, values: list[tuple[Fraction, Fraction]]
) -> None:
    before, after = (dict(zip("abcd", side, strict=True)) for side in zip(*values, strict=True))
    worth = DERIVED[cel]
    expected: dict[str, Fraction] = defaultdict(Fraction)
    for order in itertools.permutations("abcd"):
        state = dict(before)
        for name in order:
            was = worth(state)
            state[name] = after[name]
            expected[name] += (worth(state) - was) / 24
    formula = arithmetic(cel)
    sides = [{**side, "settings.gross_margin": MARGIN} for side in (before, after)]
    found = input_parts(formula, *sides)
    assert found == dict(expected)
    assert sum(found.values(), ZERO) == worth(after) - worth(before)
    unit = Cell(ZERO)
    made = evidence(
        "velocity", Sample(Cell(worth(before)), {Unit(): unit}), Sample(Cell(worth(after)), {Unit(): unit}),
        made=Made(formula, *sides),
    )  # fmt: skip
    assert {one.name: one.amount for one in explain(made).inputs} == found
    check(made)


def test_a_sum_of_many_metrics_is_told_term_by_term() -> None:
    names = [f"m{n}" for n in range(3 * MOST_INPUTS)]
    before, after = ({name: Fraction(n * by) for n, name in enumerate(names)} for by in (2, 5))
    found = input_parts(arithmetic(" - ".join(names)), before, after)
    assert found == {name: Fraction(3 * n * (-1 if n else 1)) for n, name in enumerate(names)}


@pytest.mark.parametrize(
    ("cel", "before", "after"),
    [
        ("a / (b - c)", {"a": 1, "b": 3, "c": 2}, {"a": 1, "b": 2, "c": 1}),
        (" * ".join(f"m{n}" for n in range(MOST_INPUTS + 1)), {}, {}),
    ],
)
def test_what_is_unknown_halfway_is_not_taken_apart(
    cel: str, before: dict[str, int], after: dict[str, int]
) -> None:
    """b as before and c as after are 0 apart only where b is as after and c as before."""
    formula = arithmetic(cel)
    sides = [
        {name: Fraction(side.get(name, at)) for name in formula.names}
        for at, side in enumerate((before, after), 2)
    ]
    assert input_parts(formula, *sides) is None
    worth = [formula.value(side) for side in sides]
    told = check(
        evidence(
            "velocity",
            *(Sample(Cell(one)) for one in worth),
            made=Made(formula, *sides),
        )
    )
    inputs = next(part for part in told["parts"] if part["part"] == "inputs")
    assert [one["input"] for one in inputs["inputs"]] in ([], ["value"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(changes, changes.filter(bool)), min_size=2, max_size=2))
def test_numerator_and_denominator_are_means_over_both_orders(pairs: list[tuple[Fraction, Fraction]]) -> None:
    (n0, d0), (n1, d1) = pairs
    over, under = quotient_inputs(*pairs)
    assert over == ((n1 - n0) / d0 + (n1 - n0) / d1) / 2
    assert under == ((n0 / d1 - n0 / d0) + (n1 / d1 - n1 / d0)) / 2
    assert over + under == n1 / d1 - n0 / d0


@settings(max_examples=100, deadline=None)
@given(changes, st.lists(changes, max_size=20))
def test_shown_steps_lead_from_one_shown_number_to_the_other(start: Fraction, parts: list[Fraction]) -> None:
    found = exact.steps(start, parts)
    assert exact.total(found) == exact.shown(start + sum(parts, ZERO)) - exact.shown(start)
    assert all(
        abs(Fraction(one) - part) <= Fraction(1, 10**12) for one, part in zip(found, parts, strict=True)
    )


def test_every_slice_better_and_the_whole_worse_is_all_mix() -> None:
    """Both segments convert better than before, and most of the cases moved to the one that converts badly."""
    before = {"small": (Fraction(10), Fraction(100)), "large": (Fraction(810), Fraction(900))}
    after = {"small": (Fraction(180), Fraction(900)), "large": (Fraction(95), Fraction(100))}
    found = quotient_change(before, after)
    assert sum(one.rate for one in found.values()) > 0
    assert sum(one.mix for one in found.values()) < 0
    assert sum(one.mix + one.rate for one in found.values()) == Fraction(275, 1000) - Fraction(820, 1000)


def test_a_slice_that_comes_or_goes_is_mix() -> None:
    before = {"old": (Fraction(8), Fraction(10))}
    found = quotient_change(before, {**before, "new": (Fraction(1), Fraction(10))})
    assert {key: one.rate for key, one in found.items()} == {"old": ZERO, "new": ZERO}
    assert sum(one.mix for one in found.values()) == Fraction(9, 20) - Fraction(8, 10)


def nrr(**accounts: tuple[int, int]) -> Sample:
    return quotient({
        Unit(('"all"',), name): Cell(Fraction(now, then), Fraction(now), Fraction(then))
        for name, (then, now) in accounts.items()
    })  # fmt: skip


def test_retention_is_told_by_movements_and_the_accounts_that_made_them() -> None:
    earlier = nrr(acme=(1000, 1000), bolt=(500, 500), core=(500, 540))
    later = nrr(acme=(1000, 900), bolt=(500, 0), core=(500, 500))
    shown = check(evidence("nrr", earlier, later))
    assert shown["sentence"] == (
        "NRR fell 32 points, from 102 % to 70 %: 25 points from more churn, at 1 account (bolt), "
        "5 points from more contraction, at 1 account (acme), 2 points from less expansion."
    )
    assert [(one["account"], one["amount"], one["movement"]) for one in shown["accounts"]["data"]] == [
        ("bolt", "-0.25", "churned"), ("acme", "-0.05", "contraction"), ("core", "-0.02", None),
    ]  # fmt: skip


def test_groups_of_accounts_have_no_movement_of_their_own() -> None:
    """One of two accounts left, the other did nothing: their sum contracted, and neither did."""
    earlier, later = nrr(acme=(100, 100), bolt=(100, 100)), nrr(acme=(100, 100), bolt=(100, 0))
    by_segment = [
        Sample(
            sample.whole, {Unit(('"all"',)): Cell(sample.whole.value, sample.whole.over, sample.whole.under)}
        )
        for sample in (earlier, later)
    ]
    [group] = ranked(metric("nrr"), Quotient(), by_segment[0], by_segment[1], lambda unit: unit.slice[0])
    assert (group.amount, group.movement) == (Fraction(-1, 2), None)
    [account] = ranked(metric("nrr"), Quotient(), earlier, later, lambda unit: unit.account)
    assert (account.amount, account.movement) == (Fraction(-1, 2), "churned")


def test_an_account_under_the_least_base_has_no_figure_of_its_own() -> None:
    """As in a query; what it did to the whole is known all the same."""
    earlier, later = trend(acme=(10, 8), bolt=(10, 7)), trend(acme=(4, 8), bolt=(4, 20))
    found = {
        one.key: one
        for one in ranked(
            metric("trend"), Quotient(offset=Fraction(-1)), earlier, later, lambda unit: unit.account
        )
    }
    assert (found["acme"].before, found["acme"].after) == (Fraction(1, 4), Fraction(-1, 2))
    assert (found["bolt"].before, found["bolt"].after) == (None, Fraction(-4, 5))
    assert sum(one.amount for one in found.values()) == Fraction(8, 28) - Fraction(20, 15)


def trend(**accounts: tuple[int, int]) -> Sample:
    cells = {Unit((), name): Cell(None, Fraction(n), Fraction(d)) for name, (n, d) in accounts.items()}
    over, under = (sum(pair[side] for pair in accounts.values()) for side in (0, 1))
    return Sample(Cell(Fraction(over, under) - 1, Fraction(over), Fraction(under)), cells)


def test_an_account_that_did_nothing_takes_no_part_in_retention() -> None:
    earlier, later = nrr(acme=(100, 100), bolt=(50, 60)), nrr(acme=(900, 900), bolt=(50, 60), new=(5, 5))
    found = ranked(metric("nrr"), Quotient(), earlier, later, lambda unit: unit.account)
    assert {one.key for one in found} == {"bolt"}


def test_what_does_not_add_up_is_not_taken_apart() -> None:
    sample = Sample(
        Cell(Fraction(4), Fraction(6), Fraction(10)),
        {Unit((), "a"): Cell(Fraction(3), Fraction(1), Fraction(1))},
    )
    assert shape_of(metric("share"), (sample, sample)) is None
    told = check(evidence("time", sample, replace(sample, whole=Cell(Fraction(9)))))
    assert told["accounts"] is None
    assert told["sentence"] == "TIME rose 5 days, from 4 days to 9 days: 5 days from the cases behind it."


def test_a_median_is_not_made_of_accounts_where_it_has_one_case() -> None:
    first, second = (one_case(account, days) for account, days in (("a", 4), ("b", 9)))
    assert shape_of(metric("time"), (first, second)) is None
    told = check(evidence("time", first, second))
    assert told["accounts"] is None
    assert told["sentence"] == "TIME rose 5 days, from 4 days to 9 days: 5 days from the cases behind it."


def one_case(account: str, days: int) -> Sample:
    cell = Cell(Fraction(days), Fraction(1), Fraction(1))
    return Sample(cell, {Unit((text_of(account),), account): cell})


@pytest.mark.parametrize(
    ("number", "expected"), [(0.1, Fraction(1, 10)), (45 / 14, Fraction(45, 14)), (3, Fraction(3)), (Decimal("1.10"), Fraction(11, 10))]
)  # fmt: skip
def test_a_number_is_the_quotient_it_was_made_of(number: Any, expected: Fraction) -> None:
    assert exact.fraction_of(number) == expected


def test_the_same_figure_twice_is_no_change() -> None:
    sample = nrr(acme=(100, 90))
    shown = check(evidence("nrr", sample, sample))
    assert (shown["change"], shown["sentence"]) == ("0", "NRR stayed at 90 %.")
