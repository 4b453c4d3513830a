"""Who is looked after, and who moves on: contacts within an interval, and journeys step by step."""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from common.catalogue.lifecycles import Coverage, MovedOn
from common.figures import values
from common.figures.buckets import state_at
from common.figures.cases import Told, told
from common.figures.histories import of_trait
from common.figures.lifecycles import Asked
from common.figures.model import Value
from common.figures.slices import GroupKey

Formula = Coverage | MovedOn
CONTACTS = (Coverage, MovedOn)
ByBucket = dict[GroupKey, dict[int, Value]]
Entry = tuple[int, dt.datetime, dt.datetime | None]
"""(account, when it entered a step, when it entered the next)"""


def answer(formula: Formula, asked: Asked) -> ByBucket:
    return _covered(formula, asked) if isinstance(formula, Coverage) else _moved_on(formula, asked)


def empty(formula: Formula) -> Value:
    if isinstance(formula, Coverage):
        return values.share(0, 0)
    return values.estimated_share(0, 0, min_n=formula.min_n)


def _covered(formula: Coverage, asked: Asked) -> ByBucket:
    store, calendar = asked.store, asked.store.calendar
    owners, models = (of_trait(store, trait, _text) for trait in (formula.owner, formula.model))
    intervals, default = asked.catalogue.contact_intervals()
    contacts: dict[int, list[dt.datetime]] = defaultdict(list)
    for (account_id, _), events in told(store, asked.measure(formula.measure), asked.now).items():
        contacts[account_id] += [event.at for event in events if event.step == formula.step]
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        if at is None:
            continue
        since = {days: calendar.days_before(at, days) for days in {*intervals.values(), default}}
        sums: dict[GroupKey, list[int]] = {}
        for account_id, owner in owners.items():
            group = asked.placing.at(account_id, at) if owner.before(at) is not None else None
            if group is None:
                continue
            model = models[account_id].before(at) if account_id in models else None
            interval = intervals.get(model or "", default)
            row = sums.setdefault(group, [0, 0])
            row[0] += _between(contacts.get(account_id, ()), since[interval], at)
            row[1] += 1
        for group, (covered, owned) in sums.items():
            found[group][position] = values.share(covered, owned)
    return found


def _between(instants: Sequence[dt.datetime], start: dt.datetime, end: dt.datetime) -> bool:
    """Whether one of them, in order, is in [start, end)."""
    position = bisect_left(instants, start)
    return position < len(instants) and instants[position] < end


def _text(text: str) -> str | None:
    """A trait that is text; anything but null is something."""
    value = json.loads(text)
    return None if value is None else value if isinstance(value, str) else text


def _moved_on(formula: MovedOn, asked: Asked) -> ByBucket:
    within = dt.timedelta(days=formula.within_days)
    by_cell: dict[tuple[GroupKey, int], list[Entry]] = defaultdict(list)
    for (account_id, _), events in told(asked.store, asked.measure(formula.measure), asked.now).items():
        for step, at, after in _entries(events):
            bucket = asked.bucket_of(at) if step not in formula.last else None
            if bucket is None or formula.step not in (None, step):
                continue
            group = asked.placing.in_cohort(account_id, at)
            if group is not None:
                by_cell[group, bucket].append((account_id, at, after))
    found: ByBucket = defaultdict(dict)
    for (group, bucket), entries in by_cell.items():
        old = [(at, after) for _, at, after in entries if at + within <= asked.now]
        moved = sum(after is not None and after < at + within for at, after in old)
        young = len(entries) - len(old)
        found[group][bucket] = values.estimated_share(moved, len(old), min_n=formula.min_n, censored=young)
    return found


def _entries(events: Sequence[Told]) -> Iterator[tuple[str, dt.datetime, dt.datetime | None]]:
    """Every step when it was first entered, and when the step after it was."""
    first: dict[str, dt.datetime] = {}
    for event in events:
        first.setdefault(event.step, event.at)
    entered = list(first.items())
    afterwards = [*(at for _, at in entered[1:]), None]
    for (step, at), after in zip(entered, afterwards, strict=True):
        yield step, at, after
