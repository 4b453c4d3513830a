"""What a figure was when its period was complete, from the revisions of the measures it is made of. Pure.

A revision says that a stored measure is another one on the local days [day, until). Undone, they give the measure as it was. This
works for figures that are sums or quotients of measures, last values, MRR, shares and means of answers and the number of cases that took a step;
what became of an account's revenue, or a median, can't be undone so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from common.analysis.reading import EVERYTHING, types_of
from common.catalogue.lifecycles import Answers, Entered
from common.catalogue.models import (
    Catalogue,
    Measure,
    Metric,
    Nps,
    Ratio,
    Rolling,
    SemiAdditive,
    Simple,
    Term,
)
from common.figures.answered import read_part, row_of
from common.figures.formulas import MRR

ZERO = Fraction(0)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Revision:
    """`change`: of the tenant's measure, in units of its scale, on every day of [day, until)."""

    measure: str
    day: dt.date
    until: dt.date
    change: Decimal
    why: str
    part: str = ""
    """The currency of recurring revenue, the step of which it is the number of cases, or the score and survey of answers."""


@dataclass(frozen=True, slots=True)
class Days:
    """The local days [first, last] of a period. Rolling figures are those of the last one."""

    first: dt.date
    last: dt.date


def rows_revised(metric: Metric, catalogue: Catalogue) -> tuple[str, ...]:
    """The stored rows whose revisions tell what the metric was; none where they don't."""
    formula = metric.formula
    if metric.only:
        return ()  # revisions are of all accounts
    if isinstance(formula, Simple):
        return (formula.measure,)
    if isinstance(formula, Rolling):
        return (_row(formula.measure, formula.window_days, own=True, catalogue=catalogue)[0],)
    if isinstance(formula, Ratio):
        terms = (formula.numerator, formula.denominator)
        return tuple(
            _row(t.measure, t.window_days, own=t.agg == "value", catalogue=catalogue)[0] for t in terms
        )
    if isinstance(formula, Nps) and formula.by == "respondent":
        return tuple(f"{formula.measure}_{part}" for part in ("promoters", "detractors", "answers"))
    if isinstance(formula, SemiAdditive):
        return (_row_of_state(formula, catalogue),) if formula.sum == "value" else ()
    if isinstance(formula, Entered):
        plain = (formula.sum, formula.labelled, formula.window_days) == ("entities", None, None)
        return (f"{formula.measure}_steps",) if plain else ()
    if isinstance(formula, Answers) and formula.window_days is None:
        return (row_of(formula.survey_kind),)
    return ()


def first_day(metric: Metric, days: Days) -> dt.date:
    """The first local day whose revisions matter."""
    formula = metric.formula
    if isinstance(formula, Rolling):
        return days.last - (formula.window_days - 1) * DAY
    if isinstance(formula, Ratio):
        return (
            days.last
            - max(
                term.offset_days + term.window_days - 1 for term in (formula.numerator, formula.denominator)
            )
            * DAY
        )
    return days.first


def changed(
    metric: Metric,
    catalogue: Catalogue,
    days: Days,
    now: tuple[Fraction | None, Fraction | None, Fraction | None],
    revisions: Sequence[Revision],
) -> Fraction | None:
    """How much greater the figure is now than it was; None where that isn't known. `now`: value, numerator, denominator."""
    value, over, under = now
    formula = metric.formula
    if isinstance(formula, Simple):
        return _over(revisions, formula.measure, days.first, days.last) / _unit(formula.measure, catalogue)
    if isinstance(formula, Rolling):
        term = Term(measure=formula.measure, window_days=formula.window_days, divide_by=formula.divide_by)
        own = catalogue.measures[formula.measure].is_distinct
        return _of_term(term, days.last, revisions, catalogue, own=own)
    if isinstance(formula, SemiAdditive):
        row = _row_of_state(formula, catalogue)
        home = row != MRR or all(one.part == catalogue.settings.currency for one in revisions)
        return _on(revisions, row, days.last) if home and value is not None else None
    if isinstance(formula, Entered):
        of_step = [one for one in revisions if one.part == formula.step]
        return _over(of_step, f"{formula.measure}_steps", days.first, days.last)
    if value is None or over is None or under is None:
        return None
    if isinstance(formula, Ratio):
        more, fewer = (
            _of_term(term, days.last, revisions, catalogue, own=term.agg == "value")
            for term in (formula.numerator, formula.denominator)
        )
        offset = Fraction(-1 if formula.minus_one else 0)
        return value - ((over - more) / (under - fewer) + offset) if under != fewer else None
    if isinstance(formula, Nps) and formula.by == "respondent":
        promoters, detractors, answers = (
            _on(revisions, f"{formula.measure}_{part}", days.last)
            for part in ("promoters", "detractors", "answers")
        )
        was = under - answers
        return value - 100 * (over - promoters + detractors) / was if was else None
    if isinstance(formula, Answers) and under:
        more, all_more = _of_answers(formula, days, revisions)
        was = under - all_more
        return over / under - (over - more) / was if was else None
    return None


def _of_answers(formula: Answers, days: Days, revisions: Sequence[Revision]) -> tuple[Fraction, Fraction]:
    """How much more the numerator is, and how many answers more there are."""
    over = under = ZERO
    for one in revisions:
        if one.measure != row_of(formula.survey_kind) or not days.first <= one.day <= days.last:
            continue
        survey, score = read_part(one.part)
        if formula.survey in (None, survey) and formula.lowest <= score <= formula.highest:
            change, weight = Fraction(one.change), Fraction(score)
            if formula.at_least is not None and formula.value == "share":
                weight = Fraction(score >= formula.at_least)
            over, under = over + change * weight, under + change
    return over, under


def told(
    metric: Metric,
    catalogue: Catalogue,
    days: Days,
    now: tuple[Fraction | None, Fraction | None, Fraction | None],
    revisions: Sequence[Revision],
    came: Collection[tuple[str, dt.date]],
) -> bool:
    """Whether revisions tell of all events that came, by type and local day: a row that was 0 has none.

    A sum is told when each day on which something came has one, and so are last values; a window when it was not 0 at the end.
    Revenue, steps and answers are told always.
    """
    value, over, under = now
    formula = metric.formula
    if isinstance(formula, Simple):
        on = _came_on(catalogue.measures[formula.measure], days, came)
        return _each_revised(formula.measure, on, revisions)
    if isinstance(formula, Rolling):
        term = Term(measure=formula.measure, window_days=formula.window_days, divide_by=formula.divide_by)
        own = catalogue.measures[formula.measure].is_distinct
        return _term_told(term, value, days.last, revisions, catalogue, came, own=own)
    if isinstance(formula, Ratio):
        return all(
            _term_told(term, side, days.last, revisions, catalogue, came, own=term.agg == "value")
            for term, side in ((formula.numerator, over), (formula.denominator, under))
        )
    if isinstance(formula, SemiAdditive) and _row_of_state(formula, catalogue) != MRR:
        on = _came_on(catalogue.measures[formula.measure], Days(dt.date.min, days.last), came)
        return _each_revised(formula.measure, on, revisions)
    return True


def _term_told(
    term: Term,
    now: Fraction | None,
    last: dt.date,
    revisions: Sequence[Revision],
    catalogue: Catalogue,
    came: Collection[tuple[str, dt.date]],
    *,
    own: bool,
) -> bool:
    row, window = _row(term.measure, term.window_days, own=own, catalogue=catalogue)
    day = last - term.offset_days * DAY
    on = _came_on(catalogue.measures[term.measure], Days(day - (term.window_days - 1) * DAY, day), came)
    if window:
        return not on or now != _of_term(term, last, revisions, catalogue, own=own)
    return _each_revised(row, on, revisions)


def _came_on(measure: Measure, days: Days, came: Collection[tuple[str, dt.date]]) -> set[dt.date]:
    types = types_of(measure)
    read = {day for kind, day in came if kind in types or EVERYTHING in types}
    return {day for day in read if days.first <= day <= days.last}


def _each_revised(row: str, on: set[dt.date], revisions: Sequence[Revision]) -> bool:
    mine = [one for one in revisions if one.measure == row]
    return all(any(one.day <= day < one.until for one in mine) for day in on)


def _of_term(
    term: Term, last: dt.date, revisions: Sequence[Revision], catalogue: Catalogue, *, own: bool
) -> Fraction:
    row, window = _row(term.measure, term.window_days, own=own, catalogue=catalogue)
    day = last - term.offset_days * DAY
    total = (
        _on(revisions, row, day) if window else _over(revisions, row, day - (term.window_days - 1) * DAY, day)
    )
    return total / (term.divide_by * _unit(term.measure, catalogue))


def _row_of_state(formula: SemiAdditive, catalogue: Catalogue) -> str:
    """Of recurring revenue, or of last values."""
    return MRR if catalogue.measures[formula.measure].agg == "mrr" else formula.measure


def _row(measure: str, days: int, *, own: bool, catalogue: Catalogue) -> tuple[str, bool]:
    """The stored row, and whether it is a window of its own."""
    if own and catalogue.measures[measure].is_distinct and days > 1:
        return f"{measure}_{days}d", True
    return measure, False


def _unit(measure: str, catalogue: Catalogue) -> int:
    return int(10 ** catalogue.measures[measure].scale)


def _on(revisions: Sequence[Revision], row: str, day: dt.date) -> Fraction:
    return sum(
        (Fraction(one.change) for one in revisions if one.measure == row and one.day <= day < one.until), ZERO
    )


def _over(revisions: Sequence[Revision], row: str, first: dt.date, last: dt.date) -> Fraction:
    return sum(
        (
            Fraction(one.change) * max(0, (min(one.until, last + DAY) - max(one.day, first)).days)
            for one in revisions
            if one.measure == row
        ),
        ZERO,
    )
