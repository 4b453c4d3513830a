"""MRR at an instant, and what became of accounts between two: from the stored steps where these answer, else from `moves`."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from common.catalogue.models import Movement, SemiAdditive
from common.figures import moves, revenue, states, values
from common.figures.asked import Asked, ByBucket
from common.figures.buckets import state_at
from common.figures.model import Value
from common.figures.mrr import ZERO
from common.figures.slices import GroupKey
from common.figures.states import Moves

Worth = Sequence[Decimal | int]
"""MRR, and of how many accounts."""
NOTHING: Worth = (ZERO, 0)


def state(formula: SemiAdditive, asked: Asked) -> ByBucket:
    if asked.measure(formula.measure).agg == "last":
        return _last(formula, asked)
    if moves.is_needed(asked.store):
        found = moves.levels(asked)
        return {g: {i: _level(formula, worth) for i, worth in its.items()} for g, its in found.items()}
    ends = {i: state_at(bucket, asked.now) for i, bucket in enumerate(asked.buckets)}
    instants = sorted({at for at in ends.values() if at is not None})
    if not instants:
        return {}
    at = {instant: position for position, instant in enumerate(instants)}
    levels = states.mrr_levels(asked.store, instants)
    return {
        group: {i: _level(formula, row[at[end]]) for i, end in ends.items() if end is not None}
        for group, row in levels.items()
    }


def _level(formula: SemiAdditive, row: Worth) -> Value:
    accounts = int(row[1])
    return Value(accounts if formula.sum == "accounts" else row[0], n=accounts, accounts=accounts)


def _last(formula: SemiAdditive, asked: Asked) -> ByBucket:
    samples, positions = asked.samples()
    rows = states.last_values(asked.store, formula.measure, samples) if samples else {}
    return {
        group: {
            i: _last_value(row[position], asked.metric.unit, formula) for i, position in positions.items()
        }
        for group, row in rows.items()
    }


def _last_value(row: Sequence[Decimal], unit: str, formula: SemiAdditive) -> Value:
    """Unknown, not 0, where nobody has said anything yet. The tenant's own word counts as one case and no account."""
    cases, accounts = int(row[1]), int(row[2])
    if formula.sum == "accounts":
        return Value(accounts, n=accounts, accounts=accounts)
    return Value(values.shown(Fraction(row[0]), unit) if cases else None, n=cases, accounts=accounts)


def empty_state(formula: SemiAdditive, agg: str) -> Value:
    if formula.sum == "accounts":
        return Value(0, n=0, accounts=0)
    return Value(ZERO if agg == "mrr" else None, n=0, accounts=0)


def movement(formula: Movement, asked: Asked) -> ByBucket:
    if revenue.is_of_a_cohort(formula):
        return revenue.trailing(formula, asked, lambda *row: move_value(formula, *row))
    spans = _spans(formula, asked)
    if moves.is_needed(asked.store):
        between = moves.between(asked, [(i, *span) for i, span in spans.items()])
        return {g: {i: move_value(formula, *row) for i, row in its.items()} for g, its in between.items()}
    if formula.months is None:
        return _stored(formula, asked, spans)
    found: dict[GroupKey, dict[int, Value]] = defaultdict(dict)
    for i, span in spans.items():  # these overlap, and stored moves are those between neighbouring instants
        for group, its in _stored(formula, asked, {i: span}).items():
            found[group] |= its
    return found


def _spans(formula: Movement, asked: Asked) -> Mapping[int, tuple[dt.datetime, dt.datetime]]:
    """The position of each bucket that has begun, and from when until when it asks for what moved."""
    if formula.months is not None:
        return dict(revenue.periods(asked, formula.months))
    return {
        i: (bucket.start, end)
        for i, bucket in enumerate(asked.buckets)
        if (end := state_at(bucket, asked.now)) is not None and bucket.start < end
    }


def _stored(
    formula: Movement, asked: Asked, spans: Mapping[int, tuple[dt.datetime, dt.datetime]]
) -> ByBucket:
    instants = sorted({at for span in spans.values() for at in span})
    if len(instants) < 2:
        return {}
    at = {instant: position for position, instant in enumerate(instants)}
    levels = states.mrr_levels(asked.store, instants)
    moved_by: Mapping[GroupKey, Mapping[int, Moves]] = states.mrr_moves(asked.store, instants)
    nothing = [NOTHING] * len(instants)
    found: ByBucket = {}
    for group in {*levels, *moved_by}:
        row, moved = levels.get(group, nothing), moved_by.get(group, {})
        found[group] = {
            i: move_value(formula, moved.get(at[start], Moves()), row[at[start]], row[at[end]])
            for i, (start, end) in spans.items()
        }
    return found


def move_value(formula: Movement, its: Moves, start: Worth, end: Worth) -> Value:
    """`start` and `end`: MRR and the number of accounts with any, just before each end of the bucket."""
    base, cohort = Decimal(start[0]), int(start[1])
    kind = formula.movement
    if kind == "nrr":
        return values.money_ratio(base + its.cohort_change, base, cohort)
    if kind == "grr":
        return values.money_ratio(base + its.kept_change, base, cohort)
    if kind == "mrr_churn":
        return values.money_ratio(-its.kept_change, base, cohort)
    if kind == "logo_churn":
        return values.share(int(its.lost), cohort)
    if kind == "logo_retention":
        return values.share(cohort - int(its.lost), cohort)
    if kind == "new_accounts":
        return Value(int(its.new_accounts), n=int(its.new_accounts), accounts=int(its.new_accounts))
    accounts = int(getattr(its, f"{kind}_accounts"))
    amount = Decimal(end[0]) - base if kind == "net_new" else getattr(its, kind)
    return Value(amount, n=accounts, accounts=accounts)
