"""Why a figure changed: its parts in a fixed order, and what each account did. Pure.

The chain of states, each the figure of the earlier period but for what is said:

    as it was known when it was complete, by the definition of then
      -> by the definition of the later period             part `definition`
      -> with what arrived since                           part `late_data`
      -> without what the later period shows nothing of,
         because a source or type of event fell silent     part `missing_data`
      -> with the later period's weights of slices         part `mix`
      -> the later period's figure                         part `inputs`

A part is the difference of two states, so all of them are the change. Mix and inputs are Shapley values (`mix`, `shapley`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from common.analysis import movements
from common.analysis.contributions import Contribution, ranked
from common.analysis.mix import SliceChange, quotient_change, quotient_inputs, sum_change
from common.analysis.samples import (
    Cell,
    Quotient,
    Sample,
    Shape,
    Sum,
    Unit,
    as_terms,
    same,
    shape_of,
)
from common.analysis.shapley import input_parts
from common.catalogue.derived import Arithmetic, Derived
from common.catalogue.models import Metric
from common.figures.slices import GroupKey

ZERO = Fraction(0)
PARTS = ("definition", "late_data", "missing_data", "mix", "inputs")
Pair = tuple[Fraction, Fraction]
Terms = Mapping[Unit, Pair]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Late:
    """`amount`: what the earlier figure changed since it was complete; None where that isn't known. `events` by type."""

    amount: Fraction | None = ZERO
    events: Mapping[str, int] = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """`before`: the earlier figure as now known, by the definition that was in force then; None where it is the same definition.
    `late`: what that changed since it was complete. `units`: what the two are told in, where that differs and neither can be taken from
    the other; `before` is None then."""

    earlier_version: int
    later_version: int
    before: Fraction | None = None
    late: Late = Late()
    units: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """`over`, `under`: which share of each side is expected to be missing from the later period; 0 where nothing is silent.

    `known` is false where something is silent and what it did to the figure can't be told.
    """

    over: Fraction = ZERO
    under: Fraction = ZERO
    spells: Sequence[Mapping[str, object]] = ()
    known: bool = True
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """How a figure is derived from others, with the values of those, and of gross margin, in both periods."""

    formula: Arithmetic
    before: Mapping[str, Fraction | None]
    after: Mapping[str, Fraction | None]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of the two periods.

    `made`: of a figure that is derived from others, and isn't a quotient of two that slices and accounts make. `mrr_moves`: of an
    MRR, what each movement did to it between the ends of the two periods; of net new MRR, what it did more or less than in the earlier one.
    `labels`: what metrics are called.
    """

    metric: Metric
    by: tuple[str, ...]
    earlier: Sample
    later: Sample
    definition: Definition
    currency: str | None = None
    late: Late = Late()
    missing: Missing = Missing()
    made: Made | None = None
    mrr_moves: Mapping[str, movements.Turn] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def definition_known(self) -> bool:
        """Both definitions are compared as of when the earlier period was complete."""
        amounts = (self.definition.late.amount, self.late.amount)
        return self.definition.units is None and (self.definition.before is None or None not in amounts)


@dataclass(frozen=True, slots=True)
class Input:
    """`more`: it rose itself, whichever way it turned the figure. Accounts: those that did it in the later period."""

    name: str
    amount: Fraction
    words: str
    more: bool = True
    accounts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Amounts in units of the figure; `start` is the first state, and `start` plus all amounts the later figure."""

    evidence: Evidence
    start: Fraction | None
    amounts: Mapping[str, Fraction]
    slices: Mapping[GroupKey, SliceChange]
    inputs: Sequence[Input]
    accounts: Sequence[Contribution[str | None]] | None
    notes: Mapping[str, str]

    @property
    def currency(self) -> str | None:
        return self.evidence.currency if self.evidence.metric.is_money else None

    @property
    def change(self) -> Fraction | None:
        return None if self.start is None else sum(self.amounts.values(), ZERO)


def exactly(formula: Arithmetic, sample: Sample, values: Mapping[str, Fraction | None]) -> Sample:
    """The sample with the value that the inputs make, where the figure is that value as a rounded number."""
    made, value = formula.value(values), sample.whole.value
    if made is None or value is None or not same(made, value):
        return sample
    return Sample(Cell(made, sample.whole.over, sample.whole.under), sample.units)


def explain(evidence: Evidence) -> Explanation:
    """`start` is None, and there are no amounts, where one of the two figures is unknown."""
    earlier, later = evidence.earlier.whole.value, evidence.later.whole.value
    notes = _notes(evidence)
    if earlier is None or later is None:
        return Explanation(evidence, None, {}, {}, (), None, notes)
    late, definition = evidence.late.amount or ZERO, evidence.definition
    start = earlier - late
    if definition.before is not None:
        start = definition.before - (definition.late.amount or ZERO)
    shape = shape_of(evidence.metric, (evidence.earlier, evidence.later))
    split = _split(evidence, None if evidence.made else shape, earlier, later, notes)
    inputs = sum((one.amount for one in split.inputs), ZERO)
    assert split.missing + split.mix + inputs == later - earlier
    amounts = dict(zip(PARTS, (earlier - late - start, late, split.missing, split.mix, inputs), strict=True))
    return Explanation(
        evidence, start, amounts, split.slices, split.inputs, _accounts(evidence, shape), notes
    )


def _accounts(evidence: Evidence, shape: Shape | None) -> Sequence[Contribution[str | None]] | None:
    units = (*evidence.earlier.units, *evidence.later.units)
    if shape is None or all(unit.account is None for unit in units):
        return None
    return ranked(evidence.metric, shape, evidence.earlier, evidence.later, lambda unit: unit.account)


@dataclass(frozen=True, slots=True)
class _Split:
    missing: Fraction
    mix: Fraction
    slices: Mapping[GroupKey, SliceChange]
    inputs: Sequence[Input]


def _split(
    evidence: Evidence, shape: Shape | None, earlier: Fraction, later: Fraction, notes: dict[str, str]
) -> _Split:
    turned = evidence.mrr_moves
    if turned is not None and sum((one.amount for one in turned.values()), ZERO) == later - earlier:
        notes["mix"] = "a sum of money has no mix: what moves between slices leaves it as it is"
        return _Split(ZERO, ZERO, {}, _of_mrr(turned))
    if shape is None:
        return _Split(ZERO, ZERO, {}, _of_metrics(evidence, later - earlier, notes))
    before, after = as_terms(evidence.earlier, shape), as_terms(evidence.later, shape)
    lost = evidence.missing
    reduced = {unit: (n * (1 - lost.over), d * (1 - lost.under)) for unit, (n, d) in before.items()}
    if isinstance(shape, Sum):
        missing = -earlier * lost.over
        return _of_sum(missing, later - earlier - missing, reduced, after, notes)
    reduced_value = shape.value(*_totals(reduced))
    if reduced_value is None or not _totals(after)[1]:
        reduced, reduced_value = dict(before), earlier
        notes["missing_data"] = "nothing of the denominator would be left, so it isn't estimated"
    return _of_quotient(evidence, shape, reduced_value - earlier, reduced, after)


def _of_sum(missing: Fraction, rest: Fraction, before: Terms, after: Terms, notes: dict[str, str]) -> _Split:
    counted = [_with_counts(terms) for terms in (before, after)]
    if any(made is None for made in counted):
        notes["mix"] = "accounts behind it aren't counted, so it is not known as a mean of accounts"
        inputs = [Input("value", rest, "what was counted", rest > 0)] if rest else []
        return _Split(missing, ZERO, {}, inputs)
    first, second = (made for made in counted if made is not None)
    counts = (_totals(first)[1], _totals(second)[1])
    size, slices = sum_change(counts, first, second)
    mix = sum((part.mix for part in slices.values()), ZERO)
    rate = rest - size - mix
    inputs = [
        Input("accounts", size, "accounts", counts[1] > counts[0]),
        Input("per_account", rate, "per account", rate > 0),
    ]
    return _Split(missing, mix, slices, inputs)


def _with_counts(terms: Terms) -> dict[GroupKey, Pair] | None:
    """Per slice (sum, accounts that have any); None where accounts aren't known, or some value is below 0."""
    found: dict[GroupKey, Pair] = {}
    for unit, (value, _) in terms.items():
        if not value:
            continue
        if unit.account is None or value < 0:
            return None
        total, accounts = found.get(unit.slice, (ZERO, ZERO))
        found[unit.slice] = total + value, accounts + 1
    return found


def _of_quotient(
    evidence: Evidence, shape: Quotient, missing: Fraction, before: Terms, after: Terms
) -> _Split:
    first, second = _by_slice(before), _by_slice(after)
    slices = {
        key: SliceChange(
            shape.factor * part.mix, shape.factor * part.rate, part.weight, part.rate_before, part.rate_after,
            part.share_before, part.share_after,
        )
        for key, part in quotient_change(first, second).items()
    }  # fmt: skip
    mix = sum((part.mix for part in slices.values()), ZERO)
    kind = movements.kind_of(evidence.metric)
    units = (*before.items(), *after.items())
    if kind is not None and all(unit.account is not None or not any(pair) for unit, pair in units):
        return _Split(missing, mix, slices, _of_movements(kind, before, after, slices))
    over = under = ZERO
    for key, part in slices.items():
        if part.rate_before is not None and part.rate_after is not None:
            one, other = quotient_inputs(first[key], second[key])
            over += shape.factor * part.weight * one
            under += shape.factor * part.weight * other
    names = _sides(evidence)
    sums = (_totals(before), _totals(after))
    inputs = [
        Input("numerator", over, names[0], sums[1][0] > sums[0][0]),
        Input("denominator", under, names[1], sums[1][1] > sums[0][1]),
    ]
    return _Split(missing, mix, slices, inputs)


def _of_movements(
    kind: str, before: Terms, after: Terms, slices: Mapping[GroupKey, SliceChange]
) -> list[Input]:
    """Each movement over its slice's start, at the slice's weight: together the change of rates."""
    was, now = movements.by_slice(kind, before), movements.by_slice(kind, after)
    starts = [{key: d for key, (_, d) in _by_slice(terms).items()} for terms in (before, after)]
    found = []
    for name, sign in movements.SIGNS[kind].items():
        rates = [
            part.weight * (_moved(now, key, name) / starts[1][key] - _moved(was, key, name) / starts[0][key])
            for key, part in slices.items()
            if part.rate_before is not None and part.rate_after is not None
        ]
        did = [
            (moved.amount, unit.account)
            for unit, terms in after.items()
            if unit.account is not None
            and (moved := movements.of_cohort(kind, *terms))
            and moved.kind == name
        ]
        amount = sum(rates, ZERO)
        accounts = tuple(account for _, account in sorted(did, key=lambda one: (-one[0], one[1])))
        found.append(Input(name, sign * amount, movements.WORDS[name], amount > 0, accounts))
    return found


def _moved(sums: Mapping[GroupKey, Mapping[str, Fraction]], key: GroupKey, name: str) -> Fraction:
    return sums[key][name] if key in sums else ZERO


def _of_mrr(turned: Mapping[str, movements.Turn]) -> list[Input]:
    return [
        Input(name, its.amount, movements.WORDS[name], its.amount * movements.turns(name) > 0, its.accounts)
        for name, its in turned.items()
    ]


def _of_metrics(evidence: Evidence, change: Fraction, notes: dict[str, str]) -> list[Input]:
    made = evidence.made
    notes["mix"] = "slices of it don't add up to the whole, so it has no mix"
    if made is not None:
        notes["mix"] = "it is told by the metrics that it is derived from, so it has no mix of its own"
        parts = input_parts(made.formula, made.before, made.after)
        if parts is not None and sum(parts.values(), ZERO) == change:
            return [
                Input(
                    name,
                    part,
                    _called(evidence, name),
                    (made.after[name] or ZERO) > (made.before[name] or ZERO),
                )
                for name, part in parts.items()
            ]
    notes["inputs"] = "it can't be taken apart further"
    return [Input("value", change, "the cases behind it", change > 0)] if change else []


_SIDES: Mapping[str, tuple[str, str]] = {
    "logo_churn": ("number of accounts lost", "number of accounts at the start"),
    "logo_retention": ("number of accounts kept", "number of accounts at the start"),
    "nps": ("balance of promoters and detractors", "number of answers"),
    "answers": ("sum of good answers", "number of answers"),
    "renewal": ("amount renewed", "amount due"),
    "nps_wave": ("balance of promoters and detractors", "number of answers"),
    "nps_change": ("balance of those who changed their mind", "number of people who answered both times"),
    "churn, avoidable": ("amount lost that need not have been", "amount at the start"),
    "churn, involuntary": ("amount lost with an unpaid invoice", "amount at the start"),
    "churn, coded": ("amount lost with a reason", "amount lost"),
    "churn, due": ("amount with a term that ended", "amount at the start"),
    "lifetime": ("worth of accounts over their lives", "number of accounts"),
    "risk_resolved": ("amount no longer at risk", "amount that became at risk"),
    "attained": ("number of goals reached", "number of goals due"),
    "repeated": ("number of accounts that came again", "number of accounts that came"),
    "unaided": ("number that needed nobody", "number of all"),
    "benefit, roi": ("benefit that was confirmed", "amount of fees and effort"),
    "benefit, share": ("number of accounts that confirmed a benefit", "number of accounts that pay"),
    "conversion": ("number that arrived", "number that started"),
    "moved_on": ("number that moved on", "number that entered"),
    "share": ("number of those", "number of all"),
    "entered": ("amount of all", "number of all"),
    "seats": ("number of people", "number of seats"),
    "silence": ("number of silent accounts", "number of accounts that were active"),
    "coverage": ("number of accounts covered", "number of accounts owned"),
}


def _sides(evidence: Evidence) -> tuple[str, str]:
    """What numerator and denominator are called."""
    formula = evidence.metric.formula
    if isinstance(formula, Derived):
        sides = formula.arithmetic.quotient
        assert sides is not None, "all others are told by their metrics"
        return _called(evidence, sides[0]), _called(evidence, sides[1])
    if formula.type == "ratio":
        over, under = formula.numerator.measure, formula.denominator.measure
        told = _called(evidence, under)
        return _called(evidence, over), f"{told} of the time before" if over == under else told
    kind, movement = str(formula.type), str(getattr(formula, "movement", ""))
    names = (movement, f"{kind}, {getattr(formula, 'of', '')}", kind)
    return next((_SIDES[name] for name in names if name in _SIDES), ("numerator", "denominator"))


def _called(evidence: Evidence, name: str) -> str:
    """A metric, or a measure, which has no label."""
    return f"figure of {evidence.labels.get(name) or name.replace('_', ' ')}"


def _by_slice(terms: Terms) -> dict[GroupKey, Pair]:
    found: dict[GroupKey, Pair] = {}
    for unit, (n, d) in terms.items():
        own = found.get(unit.slice, (ZERO, ZERO))
        found[unit.slice] = own[0] + n, own[1] + d
    return found


def _totals(terms: Mapping[K, Pair]) -> Pair:
    return sum((n for n, _ in terms.values()), ZERO), sum((d for _, d in terms.values()), ZERO)


def _notes(evidence: Evidence) -> dict[str, str]:
    notes = {}
    definition = evidence.definition
    if definition.units is not None:
        notes["definition"] = (
            f"version {definition.earlier_version} was told in {definition.units[0]}, version {definition.later_version} in "
            f"{definition.units[1]}, and one can't be taken from the other; both periods are told by version {definition.later_version}"
        )
    elif not evidence.definition_known:
        notes["definition"] = (
            "what arrived late did something to the earlier figure by one of the definitions that can't be told"
        )
    if evidence.late.note:
        notes["late_data"] = evidence.late.note
    if evidence.missing.note:
        notes["missing_data"] = evidence.missing.note
    return notes
