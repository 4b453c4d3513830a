"""The signals of accounts from what was read of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from common.signals.judging import Rows
from common.signals.states import Accounts, Signals, Sources, tell
from common.signals.weeks import YEAR_DAYS, Booleans, Floats, Int64s
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.signal_facts import SignalFacts
from kpi_engine.domain.signal_plan import SignalPlan


@dataclass(frozen=True, slots=True)
class SignalInputs:
    """What was read for some accounts, in their order. `days` as `Rows.days`, from `first_day` to today; not all of them before `whole_from`.

    `a_year_ago` reads a measure's days 52 weeks before, of the accounts in these rows. `together`: what all accounts with the same segment, or the same country, did on those days, by trait, value and measure. `before`: what was told of an account last time.
    """

    facts: Sequence[SignalFacts]
    days: Mapping[str, Floats]
    first_day: date
    whole_from: date | None
    a_year_ago: Callable[[str, Int64s], Floats]
    together: Mapping[tuple[str, str], Mapping[str, Floats]]
    sources: Sources
    before: Mapping[int, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Known:
    """One account: its number, its figures with those of signals, and when it was first heard of."""

    account_id: int
    figures: Mapping[str, Any]
    segment: str | None
    country: str | None
    is_closed: bool
    first_event_at: datetime | None
    quiet: Collection[date]
    """Days on which nobody expects it to be there."""


def signals_of(
    plan: SignalPlan,
    inputs: SignalInputs,
    known: Sequence[Known],
    broken: Collection[str],
    now: datetime,
    local: LocalTime,
) -> list[Signals]:
    """In the order of `known`, which is that of the inputs. `broken`: signals about which nothing can be said now."""
    if not plan.signals or not known:
        return [{} for _ in known]
    began = [_began(one, inputs.whole_from, local) for one in known]
    quiet = [one.quiet for one in known]
    included, begun = _included(inputs.first_day, began, quiet, plan.span)

    def last_year(measure: str, rows: Int64s) -> tuple[Floats, Booleans]:
        its = rows.tolist()
        first = inputs.first_day - timedelta(days=YEAR_DAYS)
        can_be_compared, _ = _included(first, [began[n] for n in its], [quiet[n] for n in its], plan.span)
        return inputs.a_year_ago(measure, rows), can_be_compared

    rows = Rows(
        size=len(known),
        figures={name: _column(name, known) for name in plan.figures},
        days=inputs.days,
        others={of: _others(*of, inputs, known, plan.span) for of in plan.compared},
        included=included,
        begun=begun,
        last_year=last_year,
    )
    accounts = Accounts(
        figures=[one.figures for one in known],
        closed=[one.is_closed for one in known],
        before=[inputs.before.get(one.account_id, {}) for one in known],
    )
    sources = replace(inputs.sources, broken=broken)
    return tell(plan.signals, rows, accounts, sources, now, local.day_at(now))


def _began(account: Known, whole_from: date | None, local: LocalTime) -> date | None:
    """The first day on which what the account did would be seen."""
    if account.first_event_at is None:
        return None
    return max(local.day_at(account.first_event_at), whole_from or date.min)


def _column(name: str, known: Sequence[Known]) -> Floats:
    values = (one.figures.get(name) for one in known)
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)


def _others(trait: str, measure: str, inputs: SignalInputs, known: Sequence[Known], span: int) -> Floats:
    """The days of each account's segment, of the whole company where it has none; of its country, of nobody where it has none."""
    nobody = np.zeros(span)
    values = ((one.segment if trait == "segment" else one.country) or "" for one in known)
    return np.stack([inputs.together.get((trait, value), {}).get(measure, nobody) for value in values])


def _included(
    first_day: date, began: Sequence[date | None], quiet: Sequence[Collection[date]], span: int
) -> tuple[Booleans, Booleans]:
    """Days since each account began on which it could be there; and all days since it began."""
    starts = np.array([span if day is None else (day - first_day).days for day in began])
    begun = np.arange(span)[None, :] >= starts[:, None]
    included = begun.copy()
    for row, days in enumerate(quiet):
        away = [number for day in days if 0 <= (number := (day - first_day).days) < span]
        included[row, away] = False
    return included, begun
