"""Arithmetic between metrics gives what plain fractions give, whatever is written, and what of it divides is told with it."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue import Finding, load
from common.catalogue.cel import CelInvalid
from common.catalogue.derived import MARGIN, Arithmetic, Derived, arithmetic
from common.catalogue.loading import examine
from common.catalogue.scorecard_checks import unfit
from common.catalogue.store import canonical, parse

BASE = Path(__file__).parents[3] / "catalogue"
ZERO = Fraction(0)
NAMES = ("new", "b_2", "mrr")
Known = Mapping[str, Fraction | None]
Work = Callable[[Known], Fraction]
Written = tuple[str, Work]
"""A formula as somebody would write it, and what it means; unknown is an error."""


def metric(name: str) -> Written:
    def work(known: Known) -> Fraction:
        value = known[name]
        if value is None:
            raise ZeroDivisionError
        return value

    return name, work


def number(text: str) -> Written:
    return text, lambda _: Fraction(Decimal(text))


def both(made: tuple[Written, str, Written]) -> Written:
    (left, of_left), sign, (right, of_right) = made
    work: dict[str, Work] = {
        "+": lambda known: of_left(known) + of_right(known),
        "-": lambda known: of_left(known) - of_right(known),
        "*": lambda known: of_left(known) * of_right(known),
        "/": lambda known: of_left(known) / of_right(known),
    }
    return f"({left} {sign} {right})", work[sign]


def less(made: Written) -> Written:
    return f"-({made[0]})", lambda known: -made[1](known)


numbers = st.sampled_from(["0", "1", "3", "100", "0.1", "2.50", "0.333"]).map(number)
leaves = st.sampled_from([*NAMES, MARGIN]).map(metric) | numbers
written: st.SearchStrategy[Written] = st.recursive(
    leaves, lambda parts: st.tuples(parts, st.sampled_from("+-*/"), parts).map(both) | parts.map(less), max_leaves=7
)  # fmt: skip
values = st.none() | st.sampled_from([0, 1, -1]).map(Fraction) | st.fractions(-50, 50, max_denominator=97)
known_values = st.fixed_dictionaries(dict.fromkeys((*NAMES, MARGIN), values))


def worked_out(work: Work, known: Known) -> Fraction | None:
    try:
        return work(known)
    except ZeroDivisionError:
        return None


def accepted(text: str) -> Arithmetic | None:
    """None for what is rightly refused."""
    try:
        return arithmetic(text)
    except CelInvalid as error:
        if "names no metric" in str(error) or "divides by 0" in str(error):
            return None
        raise


@settings(max_examples=400, deadline=None)
@given(written, st.lists(known_values, min_size=1, max_size=4))
def test_a_formula_is_worked_out_exactly(formula: Written, periods: list[Known]) -> None:
    text, work = formula
    made = accepted(text)
    if made is None:
        return
    assert set(made.names) == {name for name in NAMES if name in text}
    assert made.reads_margin == (MARGIN in text)
    for known in periods:
        value = worked_out(work, known)
        assert made.value(known) == value
        over, under = made.sides(known)
        if value is None or not made.factors.over:
            assert made.factors.over or (over, under) == (None, None)
        else:
            assert over is not None
            assert under
            assert made.factors.scale * over / under == value


@settings(max_examples=200, deadline=None)
@given(written, st.lists(known_values, min_size=2, max_size=2))
def test_what_is_a_sum_adds_up_over_slices(formula: Written, slices: list[Known]) -> None:
    made = accepted(formula[0])
    margin = Fraction(4, 5)
    first, second = ({**its, MARGIN: margin} for its in slices)
    if made is None or not made.is_sum or None in (*first.values(), *second.values()):
        return
    whole: Known = {name: (first[name] or ZERO) + (second[name] or ZERO) for name in NAMES}
    parts = made.value(first), made.value(second)
    assert None not in parts
    assert made.value({**whole, MARGIN: margin}) == sum((part or ZERO for part in parts), ZERO)


@pytest.mark.parametrize(
    ("text", "over", "under"),
    [
        ("a / b", "a", "b"),
        ("100 * a / b", "a", "b"),
        ("100 * (a / b) * 2", "a", "b"),
        ("-a / (4 * b)", "a", "b"),
        ("(a - b) / (c + 1)", "a - b", "c + 1"),
        ("a * b / c / 3 * d", "a * b * d", "c"),
        ("a / b / c", "a", "b * c"),
        ("a / (b / c)", "a", "b / c"),
        ("1 / a", "1 + 0 * a", "a"),
        ("a + b", None, None),
        ("1 - a / b", None, None),
        ("-(a - b)", None, None),
    ],
)
def test_numerator_and_denominator_are_those_of_the_last_division(
    text: str, over: str | None, under: str | None
) -> None:
    known = {name: Fraction(7, at) for at, name in enumerate("abcd", 2)}
    sides = tuple(None if side is None else arithmetic(side).value(known) for side in (over, under))
    assert arithmetic(text).sides(known) == sides


@pytest.mark.parametrize(
    ("text", "is_sum", "quotient"),
    [
        ("a - b + c", True, None),
        ("2 * (a - b) / 3", True, None),
        ("a * settings.gross_margin - b", True, None),
        ("a / settings.gross_margin", True, None),
        ("a + 1", False, None),
        ("a * b", False, None),
        ("settings.gross_margin - a", False, None),
        ("100 * a / b", False, ("a", "b")),
        ("a / (b * settings.gross_margin)", False, ("a", "b")),
        ("0.5 * a / b", False, None),
        ("a * b / c", False, None),
        ("(a - b) / c", False, None),
    ],
)
def test_what_a_formula_is(text: str, is_sum: bool, quotient: tuple[str, str] | None) -> None:
    made = arithmetic(text)
    assert (made.is_sum, made.quotient) == (is_sum, quotient)


factors = st.sampled_from(["1", "100", "0.5", "1E+2"])
names = st.lists(st.sampled_from(NAMES), max_size=3)


@settings(max_examples=200, deadline=None)
@given(names, names, factors, st.sampled_from([None, "times", "over"]), known_values)
def test_products_of_earlier_versions_mean_what_they_did(
    times: list[str], over: list[str], factor: str, margin: str | None, known: dict[str, Fraction | None]
) -> None:
    if not (times or over):
        return
    known[MARGIN] = Fraction(4, 5)
    formula = {"type": "combined", "times": times, "over": over, "factor": factor, "margin": margin}
    text = stored_as("cac", formula)
    value = Fraction(Decimal(factor)) * (known[MARGIN] or 1) ** {None: 0, "times": 1, "over": -1}[margin]
    for power, side in ((1, times), (-1, over)):
        for name in side:
            its = known[name]
            if its is None or (power < 0 and not its):
                assert arithmetic(text).value(known) is None
                return
            value *= its**power
    assert arithmetic(text).value(known) == value


def stored_as(name: str, formula: dict[str, Any]) -> str:
    """The formula of a metric of a stored version, as it is read now."""
    body = json.loads(canonical(PACK))
    body["metrics"] = {name: {**body["metrics"][name], "formula": formula}}
    read = parse(json.dumps(body)).metrics[name].formula
    assert read.type == "derived"
    return read.cel


PACK = load(BASE)
EARLIER: dict[str, dict[str, Any]] = {
    "cac_payback_months": {"times": ["acquisition_spend_prior"], "over": ["mrr_new"], "margin": "over"},
    "complaints_per_100_accounts": {"times": ["complaints"], "over": ["paying_accounts"], "factor": "100"},
    "partner_roi": {"times": ["partner_sourced_revenue"], "over": ["partner_spend"], "margin": "times"},
    "deal_velocity": {
        "times": ["qualified_deals_open", "won_deal_size_90d", "win_rate_matured_90d"],
        "over": ["won_cycle_90d"],
    },
}


@pytest.mark.parametrize("name", sorted(EARLIER))
def test_the_packs_own_are_read_as_the_pack_says_them_now(name: str) -> None:
    """So that what is applied after an upgrade is the same definition, and nobody is warned."""
    formula = {"type": "combined", "times": [], "over": [], "factor": "1", "margin": None, **EARLIER[name]}
    said = PACK.metrics[name].formula
    assert said.type == "derived"
    assert stored_as(name, formula) == said.cel


@pytest.mark.parametrize(
    ("cel", "is_fit"), [("new_accounts - paying_accounts", True), ("new_accounts + paying_accounts", False)]
)
def test_what_takes_away_may_aim_below_zero(cel: str, is_fit: bool) -> None:
    formula = Derived(type="derived", cel=cel)
    metric = PACK.metrics["new_accounts"].model_copy(update={"formula": formula})
    assert (unfit(-3, metric) is None) == is_fit


def derived_from_each_other(where: Path, formulas: Mapping[str, str]) -> list[Finding]:
    """What is wrong with these metrics, each made of events and of others."""
    (where / "metrics").mkdir()
    own = yaml.safe_load((BASE / "metrics" / "adopt.yaml").read_text(encoding="utf-8"))[0]
    made = [
        {**own, "name": name, "kind": "derived", "formula": {"type": "derived", "cel": cel}}
        for name, cel in formulas.items()
    ]
    (where / "metrics" / "own.yaml").write_text(json.dumps(made, default=str), encoding="utf-8")
    return [found for found in examine(BASE, [where]).errors if "goes round" not in found.message]


def test_metrics_are_derived_over_a_bounded_number_of_levels(tmp_path: Path) -> None:
    """A chain of some hundred levels was accepted, and asking for its end took the gateway down."""
    chain = {f"own_{level}": f"own_{level - 1} + complaints" for level in range(1, 1000)}
    found = derived_from_each_other(tmp_path, {"own_0": "events + complaints", **chain})
    assert [(one.field, one.message) for one in found] == [
        ("own_20.formula.cel", "is derived from derived metrics over more than 20 levels")
    ]


def test_metrics_are_derived_from_a_bounded_number_of_others(tmp_path: Path) -> None:
    """Each metric names the one before twice over, so that some twenty of them are made of a million."""
    doubling = {
        f"own_{level}": f"own_{level - 1} + own_{level - 2} + complaints - own_{level - 1}"
        for level in range(2, 20)
    }
    found = derived_from_each_other(
        tmp_path, {"own_0": "events + complaints", "own_1": "events", **doubling, "own": "own + own_19"}
    )
    assert [one.field for one in found] == ["own_12.formula.cel"]
    assert "at most 1000" in found[0].message
