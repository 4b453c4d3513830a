"""From a metric's formula to its values: which rows it needs, and who makes them what, per group and bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from common.catalogue.derived import Derived
from common.catalogue.economics import (
    AtRisk,
    Lifetime,
    NpsWave,
    Recorded,
    RiskResolved,
)
from common.catalogue.lifecycles import Answers
from common.catalogue.models import Catalogue, Metric, Movement, Nps, Ratio, Rolling, SemiAdditive, Simple
from common.figures import (
    adoption,
    answered,
    contacts,
    goals,
    lifecycles,
    movements,
    opinions,
    prospects,
    purchases,
    recorded,
    revenue,
    sums,
    unrated,
    values,
)
from common.figures.adoption import ADOPTION
from common.figures.asked import Asked, ByBucket
from common.figures.buckets import Resolution
from common.figures.cells import Store
from common.figures.company import untold
from common.figures.contacts import CONTACTS
from common.figures.goals import GOALS
from common.figures.lifecycles import LIFECYCLES
from common.figures.members import slices
from common.figures.model import Value
from common.figures.parts import leaves, measures_read, parts_of
from common.figures.prospects import PROSPECTS
from common.figures.purchases import PURCHASES
from common.figures.revenue import HISTORIES
from common.figures.slices import GroupKey
from common.figures.states import Moves

MRR = "mrr"
_INSTANT = (Movement, *LIFECYCLES, *HISTORIES, *CONTACTS, *GOALS, *PROSPECTS, *PURCHASES)


def resolution(metric: Metric, catalogue: Catalogue) -> Resolution:
    """How finely the metric's measures are kept."""
    formula = metric.formula
    if isinstance(formula, Derived):
        found = {resolution(part, catalogue) for part in parts_of(formula, catalogue)}
        return "day" if "day" in found else "hour" if "hour" in found else "instant"
    if isinstance(formula, _INSTANT):
        return "instant"
    if isinstance(formula, SemiAdditive) and catalogue.measures[formula.measure].agg == "mrr":
        return "instant"
    if isinstance(formula, Simple) and catalogue.measures[formula.measure].grain == "hour":
        return "hour"
    return "day"


def reads_instants(metric: Metric, catalogue: Catalogue) -> bool:
    """Whether anything that the metric is made of is placed by the instant at which it began or stood, and not by the day."""
    return any(resolution(leaf, catalogue) == "instant" for leaf in leaves(metric, catalogue))


def rows_read(catalogue: Catalogue, metrics: Sequence[Metric]) -> list[str]:
    """The names of all stored rows that these metrics may read."""
    names = {name for metric in metrics for name in measures_read(metric, catalogue)}
    return sorted({row for name in names for row in catalogue.measures[name].rows})


def rows_told(catalogue: Catalogue, metric: Metric) -> list[str]:
    """Under which names revisions tell of what a metric reads: stored rows; recurring revenue and answers, which have none."""
    return sorted({row for leaf in leaves(metric, catalogue) for row in _rows_told(catalogue, leaf)})


def _rows_told(catalogue: Catalogue, metric: Metric) -> list[str]:
    if isinstance(metric.formula, Answers):
        return [answered.row_of(metric.formula.survey_kind)]
    if isinstance(metric.formula, NpsWave):
        return [answered.row_of("nps")]  # of the answers of a bucket, not of those that are valid in it
    aggs = {catalogue.measures[name].agg for name in measures_read(metric, catalogue)}
    return [*rows_read(catalogue, [metric]), *([MRR] if "mrr" in aggs else [])]


def answer(metric: Metric, asked: Asked) -> ByBucket:
    """Read once a question, however often it is asked for."""
    asked = replace(asked, metric=metric)
    spans = tuple((bucket.start, bucket.end) for bucket in asked.buckets)
    return asked.store.once(("answer", metric.name, spans, asked.now), lambda: _answered(metric, asked))


def _answered(metric: Metric, asked: Asked) -> ByBucket:
    if metric.only:
        asked = replace(asked, store=_narrowed(asked.store, metric.only))
    found = _answer(metric, asked)
    return _without_unrated(found, asked) if _reads_revenue(metric, asked.catalogue) else found


def _answer(metric: Metric, asked: Asked) -> ByBucket:
    formula = metric.formula
    if isinstance(formula, Simple):
        return sums.simple(formula, asked)
    if isinstance(formula, Rolling):
        return sums.rolling(formula, asked)
    if isinstance(formula, Ratio):
        return sums.ratio(formula, asked)
    if isinstance(formula, Nps):
        return sums.nps(formula, asked)
    if isinstance(formula, SemiAdditive):
        return movements.state(formula, asked)
    if isinstance(formula, Movement):
        return movements.movement(formula, asked)
    if isinstance(formula, Derived):
        return _derived(metric, formula, asked)
    if isinstance(formula, LIFECYCLES):
        return lifecycles.answer(formula, asked)
    if isinstance(formula, HISTORIES):
        return revenue.answer(formula, asked)
    if isinstance(formula, ADOPTION):
        return adoption.answer(formula, asked)
    if isinstance(formula, CONTACTS):
        return contacts.answer(formula, asked)
    if isinstance(formula, PROSPECTS):
        return prospects.answer(formula, asked)
    if isinstance(formula, GOALS):
        return goals.answer(formula, asked)
    if isinstance(formula, PURCHASES):
        return purchases.answer(formula, asked)
    return (
        opinions.answer(formula, asked)
        if isinstance(formula, opinions.OPINIONS)
        else recorded.answer(formula, asked)
    )


def empty(metric: Metric, asked: Asked, position: int) -> Value:
    """The value of a bucket in which nothing is stored: counts are 0, ratios unknown, the future unknown but for counts."""
    formula = metric.formula
    begun = asked.buckets[position].start <= asked.now
    if isinstance(formula, Simple):
        return Value(values.shown(Fraction(0), metric.unit), n=0, accounts=0)
    if isinstance(formula, Derived):
        parts = parts_of(formula, asked.catalogue)
        return _made(metric, formula, asked, [(part, empty(part, asked, position)) for part in parts])
    if isinstance(formula, LIFECYCLES):
        return lifecycles.empty(formula, metric, begun=begun)
    if isinstance(formula, HISTORIES):
        return revenue.empty(formula, begun=begun)
    if isinstance(formula, Recorded):
        return recorded.empty(formula, metric)
    if isinstance(formula, AtRisk):
        return prospects.empty(formula)
    return _empty(metric, asked) if begun else Value(None, accounts=0)


def _empty(metric: Metric, asked: Asked) -> Value:
    formula = metric.formula
    if isinstance(formula, ADOPTION):
        return adoption.empty(formula)
    if isinstance(formula, CONTACTS):
        return contacts.empty(formula)
    if isinstance(formula, GOALS):
        return goals.empty(formula)
    if isinstance(formula, PURCHASES):
        return purchases.empty(formula)
    if isinstance(formula, Rolling):
        return sums.rolling_value(0, metric, formula, asked.measure(formula.measure))
    if isinstance(formula, Ratio):
        return replace(values.ratio(Fraction(0), Fraction(0), formula), accounts=0)
    if isinstance(formula, Nps):
        return replace(values.nps(0, 0, 0, formula), accounts=0)
    if isinstance(formula, SemiAdditive):
        return movements.empty_state(formula, asked.measure(formula.measure).agg)
    if isinstance(formula, Movement):
        return movements.move_value(formula, Moves(), movements.NOTHING, movements.NOTHING)
    if isinstance(formula, opinions.OPINIONS):
        return opinions.empty(formula)
    assert isinstance(formula, Lifetime | RiskResolved)
    return prospects.empty(formula)


def value_at(answers: ByBucket, metric: Metric, asked: Asked, group: GroupKey, position: int) -> Value:
    """Of a group and a bucket: as answered, unknown where nothing is told of such a group, else what nothing amounts to."""
    found = answers.get(group, {}).get(position)
    if (reason := untold(metric, asked, group)) is not None:
        return Value(None, reason=reason, behind=found is not None and found.behind)
    return empty(metric, asked, position) if found is None else found


def _derived(metric: Metric, formula: Derived, asked: Asked) -> ByBucket:
    """Of the same buckets and groups: each part as it would be answered alone."""
    parts = [(part, answer(part, asked)) for part in parts_of(formula, asked.catalogue)]
    found: ByBucket = {}
    for group in {group for _, its in parts for group in its}:
        positions = {i for _, its in parts for i in its.get(group, ())}
        found[group] = {
            i: _made(
                metric, formula, asked, [(part, value_at(its, part, asked, group, i)) for part, its in parts]
            )
            for i in positions
        }
    return found


def _made(metric: Metric, formula: Derived, asked: Asked, parts: Sequence[tuple[Metric, Value]]) -> Value:
    by_name = {part.name: value for part, value in parts}
    made = values.derived(by_name, formula, metric.unit, asked.catalogue.settings.gross_margin)
    return replace(made, behind=any(values.contributes(part, value) for part, value in parts))


def _narrowed(store: Store, only: Mapping[str, Sequence[str]]) -> Store:
    """The same of accounts with these traits; what both the question and the metric ask for must hold."""

    def read() -> Store:
        asked_for = store.scope.filter
        both = {
            name: tuple(value for value in wanted if value in asked_for.get(name, wanted))
            for name, wanted in only.items()
        }
        scope = replace(store.scope, filter={**asked_for, **both})
        return Store(
            store.conn,
            scope,
            store.calendar,
            store.ids,
            slices(store.conn, scope, store.calendar, store.without),
            store.catalogue,
            store.without,
        )

    return store.once(("only", *sorted((name, tuple(wanted)) for name, wanted in only.items())), read)


def _reads_revenue(metric: Metric, catalogue: Catalogue) -> bool:
    if isinstance(metric.formula, Derived):
        return False  # its parts were looked at
    return any(catalogue.measures[name].agg == "mrr" for name in measures_read(metric, catalogue))


def _without_unrated(found: ByBucket, asked: Asked) -> ByBucket:
    """Unknown wherever something counts that is paid in a currency without any rate."""
    if asked.store.once("unrated", lambda: not _foreign_without_rate(asked.store)):
        return found
    for group, position in unrated.cells(asked.metric.formula, asked):
        found.setdefault(group, {})[position] = Value(None, reason=values.NO_RATE)
    return found


def _foreign_without_rate(store: Store) -> bool:
    row = store.read(_UNRATED, store.params(home=store.currency)).fetchone()
    return row == (True,)


_UNRATED = """
select exists (
  select from published.mrr_change m where m.tenant_id = %(tenant)s and (m.currency < %(home)s or m.currency > %(home)s)
    and not exists (select from published.rate r where r.tenant_id = m.tenant_id and r.quote = %(home)s and r.currency = m.currency)
)"""
