"""From a metric's formula to its values: which sums it needs, and what they make, per group and bucket."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from common.catalogue.lifecycles import Answers, Churn, Combined, Qualified
from common.catalogue.models import (
    Catalogue,
    Measure,
    Metric,
    Movement,
    Nps,
    Ratio,
    Rolling,
    SemiAdditive,
    Simple,
    Term,
)
from common.figures import adoption, contacts, lifecycles, revenue, states, values
from common.figures.adoption import ADOPTION
from common.figures.buckets import Bucket, Resolution, sample_day, state_at
from common.figures.calendar import Calendar
from common.figures.cells import Cell, Store
from common.figures.contacts import CONTACTS
from common.figures.lifecycles import LIFECYCLES, Asked
from common.figures.model import Value
from common.figures.revenue import HISTORIES
from common.figures.slices import GroupKey
from common.figures.windows import Window, on_samples

T = TypeVar("T")
Answered = dict[GroupKey, dict[int, Value]]
"""Per group the values by the bucket's position; what is absent is `empty`."""


@dataclass(frozen=True, slots=True)
class Question:
    """Buckets in order, without overlap; gaps are allowed. `now` decides which of them are in progress."""

    store: Store
    catalogue: Catalogue
    calendar: Calendar
    buckets: Sequence[Bucket]
    now: dt.datetime

    def samples(self) -> tuple[list[dt.date], dict[int, int]]:
        """The distinct sample days, and for each bucket that has one its position among them."""
        days = {i: sample_day(self.calendar, bucket, self.now) for i, bucket in enumerate(self.buckets)}
        distinct = sorted({day for day in days.values() if day is not None})
        index = {day: position for position, day in enumerate(distinct)}
        return distinct, {i: index[day] for i, day in days.items() if day is not None}


def resolution(metric: Metric, catalogue: Catalogue) -> Resolution:
    """How finely the metric's measures are kept."""
    formula = metric.formula
    if isinstance(formula, Combined):
        found = {resolution(catalogue.metrics[name], catalogue) for name in (*formula.times, *formula.over)}
        return "day" if "day" in found else "hour" if "hour" in found else "instant"
    if isinstance(formula, (Movement, *LIFECYCLES, *HISTORIES, *CONTACTS)):
        return "instant"
    if isinstance(formula, SemiAdditive) and catalogue.measures[formula.measure].agg == "mrr":
        return "instant"
    if isinstance(formula, Simple) and catalogue.measures[formula.measure].grain == "hour":
        return "hour"
    return "day"


def rows_read(catalogue: Catalogue, metrics: Sequence[Metric]) -> list[str]:
    """The names of all stored rows that these metrics may read."""
    measures = {name for metric in metrics for name in _measures(metric, catalogue)}
    return sorted({row for name in measures for row in catalogue.measures[name].rows})


def answer(metric: Metric, question: Question) -> Answered:
    formula = metric.formula
    if isinstance(formula, Simple):
        return _simple(metric, formula, question)
    if isinstance(formula, Rolling):
        return _rolling(metric, formula, question)
    if isinstance(formula, Ratio):
        return _ratio(formula, question)
    if isinstance(formula, Nps):
        return _nps(formula, question)
    if isinstance(formula, SemiAdditive):
        return _state(metric, formula, question)
    if isinstance(formula, Combined):
        return _combined(metric, formula, question)
    asked = Asked(question.store, question.catalogue, metric, question.buckets, question.now)
    if isinstance(formula, Movement):
        if formula.months is None:
            return _movement(formula, question)
        return revenue.trailing(formula, asked, lambda *row: _move_value(formula, *row))
    if isinstance(formula, HISTORIES):
        return revenue.answer(formula, asked)
    if isinstance(formula, ADOPTION):
        return adoption.answer(formula, asked)
    if isinstance(formula, CONTACTS):
        return contacts.answer(formula, asked)
    return lifecycles.answer(formula, asked)


def empty(metric: Metric, question: Question, position: int) -> Value:
    """The value of a bucket in which nothing is stored: counts are 0, ratios unknown, the future unknown but for counts."""
    formula = metric.formula
    begun = question.buckets[position].start <= question.now
    if isinstance(formula, Simple):
        return Value(values.shown(Fraction(0), metric.unit), accounts=0)
    if isinstance(formula, LIFECYCLES):
        return lifecycles.empty(formula, metric, begun=begun)
    if isinstance(formula, HISTORIES):
        return revenue.empty(formula, begun=begun)
    if not begun:
        return Value(None)
    if isinstance(formula, ADOPTION):
        return adoption.empty(formula)
    if isinstance(formula, CONTACTS):
        return contacts.empty(formula)
    if isinstance(formula, Combined):
        parts = {
            name: empty(question.catalogue.metrics[name], question, position)
            for name in (*formula.times, *formula.over)
        }
        return values.combined(parts, formula, metric.unit)
    if isinstance(formula, Rolling):
        return _rolling_value(0, metric, formula, question.catalogue.measures[formula.measure])
    if isinstance(formula, Ratio):
        return values.ratio(Fraction(0), Fraction(0), formula)
    if isinstance(formula, Nps):
        return values.nps(0, 0, 0, formula)
    if isinstance(formula, SemiAdditive):
        if formula.sum == "accounts":
            return Value(0, accounts=0)
        is_mrr = question.catalogue.measures[formula.measure].agg == "mrr"
        return Value(Decimal(0) if is_mrr else None, accounts=0)
    return _move_value(formula, states.Moves(), (Decimal(0), Decimal(0)), (Decimal(0), Decimal(0)))


def _measures(metric: Metric, catalogue: Catalogue) -> list[str]:
    formula = metric.formula
    if isinstance(formula, Ratio):
        return [formula.numerator.measure, formula.denominator.measure]
    if isinstance(formula, Combined):
        parts = (catalogue.metrics[name] for name in (*formula.times, *formula.over))
        return [measure for part in parts for measure in _measures(part, catalogue)]
    if isinstance(formula, Qualified):
        return [condition.measure for condition in formula.conditions]
    if isinstance(formula, Churn) and formula.invoices is not None:
        return [formula.measure, formula.invoices]
    return [] if isinstance(formula, Answers) else [formula.measure]


def _combined(metric: Metric, formula: Combined, question: Question) -> Answered:
    """Of the same buckets and groups: each part as it would be answered alone."""
    metrics = question.catalogue.metrics
    parts = {name: answer(metrics[name], question) for name in (*formula.times, *formula.over)}
    found: Answered = {}
    for group in {group for answers in parts.values() for group in answers}:
        positions = {i for answers in parts.values() for i in answers.get(group, ())}
        found[group] = {i: _combined_at(metric, formula, question, parts, group, i) for i in positions}
    return found


def _combined_at(
    metric: Metric,
    formula: Combined,
    question: Question,
    parts: Mapping[str, Answered],
    group: GroupKey,
    position: int,
) -> Value:
    found = {
        name: answers.get(group, {}).get(position)
        or empty(question.catalogue.metrics[name], question, position)
        for name, answers in parts.items()
    }
    return values.combined(found, formula, metric.unit)


def _simple(metric: Metric, formula: Simple, question: Question) -> Answered:
    measure = question.catalogue.measures[formula.measure]
    edges = sorted({at for bucket in question.buckets for at in (bucket.start, bucket.end)})
    at = {edge: position for position, edge in enumerate(edges)}
    starts = edges if measure.grain == "hour" else [question.calendar.day_of(edge) for edge in edges]
    cells = question.store.sums(measure.name, measure.grain, starts)

    unit = 10**measure.scale

    def value(cell: Cell) -> Value:
        return Value(values.shown(Fraction(cell.value, unit), metric.unit), accounts=cell.accounts)

    return {
        group: {
            i: value(row[at[bucket.start]])
            for i, bucket in enumerate(question.buckets)
            if at[bucket.start] in row
        }
        for group, row in cells.items()
    }


def _rolling(metric: Metric, formula: Rolling, question: Question) -> Answered:
    measure = question.catalogue.measures[formula.measure]
    sums = _windowed(measure, formula.window_days, 0, measure.is_distinct, question)
    return _on_buckets(question, sums, lambda total: _rolling_value(total, metric, formula, measure))


def _rolling_value(total: int, metric: Metric, formula: Rolling, measure: Measure) -> Value:
    exact = Fraction(total, 10**measure.scale)
    if formula.divide_by == 1:
        accounts = total if measure.agg == "active_accounts" else None
        return Value(values.shown(exact, metric.unit), accounts=accounts)
    share = values.shown(exact / formula.divide_by, metric.unit)
    return Value(share, values.shown(exact, metric.unit), formula.divide_by)


def _ratio(formula: Ratio, question: Question) -> Answered:
    over, under = _term(formula.numerator, question), _term(formula.denominator, question)
    nothing = [Fraction(0)] * len(question.samples()[0])
    pairs = {
        group: list(zip(over.get(group, nothing), under.get(group, nothing), strict=True))
        for group in {*over, *under}
    }
    return _on_buckets(question, pairs, lambda pair: values.ratio(pair[0], pair[1], formula))


def _term(term: Term, question: Question) -> dict[GroupKey, list[Fraction]]:
    measure = question.catalogue.measures[term.measure]
    sums = _windowed(measure, term.window_days, term.offset_days, term.agg == "value", question)
    unit = term.divide_by * 10**measure.scale
    return {group: [Fraction(total, unit) for total in row] for group, row in sums.items()}


def _windowed(
    measure: Measure, days: int, offset: int, own_window: bool, question: Question
) -> dict[GroupKey, list[int]]:
    """`own_window`: the measure's own window of that many days, kept as deltas; else the sum of its days."""
    samples, _ = question.samples()
    if not samples:
        return {}
    if own_window and measure.is_distinct and days > 1:
        row, window = f"{measure.name}_{days}d", Window(None, offset)
    else:
        row, window = measure.name, Window(days, offset)
    sums = question.store.daily(row, measure.grain, samples, window.since(samples[0]))
    return on_samples(sums, samples, window)


def _nps(formula: Nps, question: Question) -> Answered:
    samples, _ = question.samples()
    if not samples:
        return {}
    if formula.by == "account":
        counted = states.nps_by_account(question.store, formula.measure, samples)
        rows = {group: [tuple(map(int, row)) for row in cells] for group, cells in counted.items()}
    else:
        parts = [
            on_samples(
                question.store.daily(f"{formula.measure}_{part}", "day", samples, None), samples, Window()
            )
            for part in ("promoters", "detractors", "answers")
        ]
        nothing = [0] * len(samples)
        rows = {
            group: list(zip(*(part.get(group, nothing) for part in parts), strict=True))
            for group in {group for part in parts for group in part}
        }
    return _on_buckets(question, rows, lambda row: _nps_value(row, formula))


def _nps_value(row: Sequence[int], formula: Nps) -> Value:
    found = values.nps(row[0], row[1], row[2], formula)
    if formula.by == "respondent":
        return found
    return Value(
        found.value, found.numerator, found.denominator, found.low, found.high, found.n, row[2], found.low_n
    )


def _last_value(row: Sequence[Decimal], unit: str, formula: SemiAdditive) -> Value:
    """Unknown, not 0, where no account has said anything yet."""
    accounts = int(row[1])
    if formula.sum == "accounts":
        return Value(accounts, accounts=accounts)
    return Value(values.shown(Fraction(row[0]), unit) if accounts else None, accounts=accounts)


def _state(metric: Metric, formula: SemiAdditive, question: Question) -> Answered:
    def value(row: Sequence[Decimal]) -> Value:
        accounts = int(row[1])
        return Value(accounts if formula.sum == "accounts" else row[0], accounts=accounts)

    if question.catalogue.measures[formula.measure].agg == "last":
        samples, _ = question.samples()
        rows = states.last_values(question.store, formula.measure, samples) if samples else {}
        return _on_buckets(question, rows, lambda row: _last_value(row, metric.unit, formula))
    ends = {i: state_at(bucket, question.now) for i, bucket in enumerate(question.buckets)}
    instants = sorted({at for at in ends.values() if at is not None})
    if not instants:
        return {}
    at = {instant: position for position, instant in enumerate(instants)}
    levels = states.mrr_levels(question.store, instants)
    return {
        group: {i: value(row[at[end]]) for i, end in ends.items() if end is not None}
        for group, row in levels.items()
    }


def _movement(formula: Movement, question: Question) -> Answered:
    spans = {
        i: (bucket.start, end)
        for i, bucket in enumerate(question.buckets)
        if (end := state_at(bucket, question.now)) is not None and bucket.start < end
    }
    instants = sorted({at for span in spans.values() for at in span})
    if len(instants) < 2:
        return {}
    at = {instant: position for position, instant in enumerate(instants)}
    levels = states.mrr_levels(question.store, instants)
    moves = states.mrr_moves(question.store, instants)
    nothing = [(Decimal(0), Decimal(0))] * len(instants)
    found: Answered = {}
    for group in {*levels, *moves}:
        row, moved = levels.get(group, nothing), moves.get(group, {})
        found[group] = {
            i: _move_value(formula, moved.get(at[start], states.Moves()), row[at[start]], row[at[end]])
            for i, (start, end) in spans.items()
        }
    return found


def _move_value(
    formula: Movement, moves: states.Moves, start: Sequence[Decimal], end: Sequence[Decimal]
) -> Value:
    """`start` and `end`: MRR and the number of accounts with any, just before each end of the bucket."""
    cohort = int(start[1])
    if formula.movement == "nrr":
        return values.money_ratio(start[0] + moves.cohort_change, start[0], cohort)
    if formula.movement == "grr":
        return values.money_ratio(start[0] + moves.kept_change, start[0], cohort)
    if formula.movement == "mrr_churn":
        return values.money_ratio(-moves.kept_change, start[0], cohort)
    if formula.movement == "logo_churn":
        return values.share(int(moves.lost), cohort)
    if formula.movement == "logo_retention":
        return values.share(cohort - int(moves.lost), cohort)
    if formula.movement == "net_new":
        return Value(end[0] - start[0])
    return Value(getattr(moves, formula.movement))


def _on_buckets(
    question: Question, rows: Mapping[GroupKey, Sequence[T]], value: Callable[[T], Value]
) -> Answered:
    _, positions = question.samples()
    return {
        group: {i: value(row[position]) for i, position in positions.items()} for group, row in rows.items()
    }
