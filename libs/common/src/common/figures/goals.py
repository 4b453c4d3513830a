"""What customers wanted and got: goals that were due, and the benefit they confirmed against what they put in."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from common.catalogue.economics import Attained, Benefit
from common.contracts.instants import instant_of
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.book import Book, book
from common.figures.buckets import state_at
from common.figures.calendar import DAY, Calendar
from common.figures.cases import CURRENCY, Told, told
from common.figures.model import Value
from common.figures.mrr import ZERO
from common.figures.rates import UNCONVERTED, rates
from common.figures.slices import GroupKey
from common.numbers import plain

Formula = Attained | Benefit
GOALS = (Attained, Benefit)
MONTHS = 12


def answer(formula: Formula, asked: Asked) -> ByBucket:
    return _attained(formula, asked) if isinstance(formula, Attained) else _benefits(formula, asked)


def empty(formula: Formula) -> Value:
    if isinstance(formula, Attained):
        return values.estimated_share(0, 0, min_n=formula.min_n)
    return _benefit(formula, [])


# Goals.


@dataclass(frozen=True, slots=True)
class Goal:
    """As last set. Due just before `due`."""

    due: dt.datetime
    is_reached: bool


def _attained(formula: Attained, asked: Asked) -> ByBucket:
    cells: dict[tuple[GroupKey, int], list[tuple[int, bool]]] = defaultdict(list)
    for (account_id, _), events in told(asked.store, asked.measure(formula.measure), asked.now).items():
        goal = _goal(events, formula.set_step, asked.store.calendar)
        # Due at the end of a day: that day's bucket holds it, not the next one's.
        bucket = None if goal is None else asked.bucket_of(goal.due - dt.timedelta(microseconds=1))
        if goal is None or bucket is None or goal.due > asked.now:
            continue
        group = asked.placing.at(account_id, goal.due)
        if group is not None:
            cells[group, bucket].append((account_id, goal.is_reached))
    found: ByBucket = defaultdict(dict)
    for (group, bucket), rows in cells.items():
        found[group][bucket] = values.estimated_share(
            sum(reached for _, reached in rows), len(rows), min_n=formula.min_n,
            accounts=len({account_id for account_id, _ in rows}),
        )  # fmt: skip
    return found


def _goal(events: Sequence[Told], set_step: str, calendar: Calendar) -> Goal | None:
    said: Mapping[str, str] | None = next((e.labels for e in reversed(events) if e.step == set_step), None)
    if said is None:
        return None
    due, target = _due(said.get("due"), calendar), plain(said.get("target"))
    if due is None or target is None:
        return None
    baseline = plain(said.get("baseline"))
    told_values = [plain(event.labels.get("value")) for event in events if event.at < due]
    known = [value for value in told_values if value is not None]
    falls = baseline is not None and target < baseline
    return Goal(due, any(value <= target if falls else value >= target for value in known))


def _due(text: str | None, calendar: Calendar) -> dt.datetime | None:
    try:
        if text is None:
            return None
        if len(text) == len("2026-03-31"):
            return calendar.day_start(dt.date.fromisoformat(text) + DAY)
        return instant_of(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


# Benefit.


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What one paying account gets and puts in, a year. `benefit` is None where nothing valid was confirmed."""

    benefit: Decimal | None
    effort: Decimal
    fees: Decimal


def _benefits(formula: Benefit, asked: Asked) -> ByBucket:
    confirmed = {
        account_id: [event for event in events if event.step == formula.step]
        for (account_id, _), events in told(asked.store, asked.measure(formula.measure), asked.now).items()
    }
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        cells: dict[GroupKey, list[Confirmed]] = defaultdict(list)
        for account_id, mrr in _fees(book(asked.store), at) if at is not None else ():
            assert at is not None
            group = asked.placing.at(account_id, at)
            if group is not None:
                cells[group].append(_confirmed(formula, asked, confirmed.get(account_id, ()), mrr, at))
        for group, rows in cells.items():
            found[group][position] = _benefit(formula, rows)
    return found


def _fees(known: Book, at: dt.datetime) -> Iterator[tuple[int, Decimal]]:
    """What paying accounts pay a month just before an instant, unknown where some of it has no rate."""
    unrated = {account.account_id for account in known.unrated if account.is_unrated_before(at)}
    for account_id, mrr in known.paying(at):
        yield account_id, UNCONVERTED if account_id in unrated else mrr


def _confirmed(
    formula: Benefit, asked: Asked, events: Sequence[Told], mrr: Decimal, at: dt.datetime
) -> Confirmed:
    since = asked.store.calendar.days_before(at, formula.valid_days)
    valid = [event for event in events if since <= event.at < at and event.amount is not None]
    if not valid:
        return Confirmed(None, ZERO, MONTHS * mrr)
    last = valid[-1]
    effort = plain(last.labels.get(formula.effort)) or ZERO
    day = asked.store.calendar.day_of(last.at)
    return Confirmed(
        last.amount, rates(asked.store).converted(effort, last.labels.get(CURRENCY), day), MONTHS * mrr
    )


def _benefit(formula: Benefit, paying: Sequence[Confirmed]) -> Value:
    measured = [one for one in paying if one.benefit is not None]
    if formula.of == "share":
        return values.share(len(measured), len(paying))
    benefit = values.total(one.benefit for one in measured if one.benefit is not None)
    put_in = values.total(part for one in measured for part in (one.fees, one.effort))
    censored = len(paying) - len(measured)
    if benefit is None or put_in is None:
        return Value(None, n=len(measured), accounts=len(measured), censored=censored, reason=values.NO_RATE)
    shown = values.shown(benefit, "money"), values.shown(put_in, "money")
    value = float(benefit / put_in) if put_in else None
    return replace(Value(value, *shown, n=len(measured), accounts=len(measured)), censored=censored)
