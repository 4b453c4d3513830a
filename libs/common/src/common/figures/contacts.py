"""Who is looked after, and who moves on: contacts within an interval, and journeys step by step."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from common.catalogue.lifecycles import Coverage, MovedOn
from common.catalogue.models import Measure
from common.figures import values
from common.figures.anew import by_case
from common.figures.asked import Asked, ByBucket
from common.figures.book import book
from common.figures.buckets import state_at
from common.figures.cases import Told, told
from common.figures.histories import as_text, of_trait, standing
from common.figures.model import Value
from common.figures.mrr import ZERO
from common.figures.placing import placing
from common.figures.slices import GroupKey

Formula = Coverage | MovedOn
CONTACTS = (Coverage, MovedOn)
Entry = tuple[int, dt.datetime, dt.datetime | None]
"""(account, when it entered a step, when it entered the next)"""


def answer(formula: Formula, asked: Asked) -> ByBucket:
    return _covered(formula, asked) if isinstance(formula, Coverage) else _moved_on(formula, asked)


def empty(formula: Formula) -> Value:
    if isinstance(formula, Coverage):
        return _coverage(formula, ZERO, ZERO, 0)
    return values.estimated_share(0, 0, min_n=formula.min_n)


def _covered(formula: Coverage, asked: Asked) -> ByBucket:
    store, calendar = asked.store, asked.store.calendar
    owners, models = (of_trait(store, trait, as_text) for trait in (formula.owner, formula.model))
    stands = standing(store)
    intervals, default = asked.catalogue.contact_intervals()
    contacts = _instants(asked, formula.measure, (formula.step,))
    plans = _instants(asked, formula.plans, formula.plan_steps) if formula.plans else None
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        if at is None:
            continue
        since = {
            days: calendar.days_before(at, days) for days in {*intervals.values(), default, formula.plan_days}
        }
        paying = dict(book(store).paying(at)) if formula.weigh == "mrr" else {}
        sums: dict[GroupKey, list[Decimal]] = {}
        for account_id, owner in owners.items():
            is_owned = owner.before(at) is not None and stands(account_id, at)
            group = asked.placing.at(account_id, at) if is_owned else None
            if group is None:
                continue
            model = models[account_id].before(at) if account_id in models else None
            interval = intervals.get(model or "", default)
            weight = paying.get(account_id, ZERO) if formula.weigh == "mrr" else Decimal(1)
            covered = _between(contacts.get(account_id, ()), since[interval], at) and (
                plans is None or _between(plans.get(account_id, ()), since[formula.plan_days], at)
            )
            row = sums.setdefault(group, [ZERO] * 3)
            for index, number in enumerate((weight if covered else ZERO, weight, Decimal(int(weight > 0)))):
                row[index] += number
        for group, (covered_sum, owned, accounts) in sums.items():
            found[group][position] = _coverage(formula, covered_sum, owned, int(accounts))
    return found


def _coverage(formula: Coverage, covered: Decimal, owned: Decimal, accounts: int) -> Value:
    if formula.weigh == "mrr":
        return values.money_ratio(covered, owned, accounts)
    return values.share(int(covered), int(owned))


def _instants(asked: Asked, measure: str, steps: Sequence[str]) -> Mapping[int, list[dt.datetime]]:
    """Per account when one of these steps was taken, in order."""
    found: dict[int, list[dt.datetime]] = defaultdict(list)
    for (account_id, _), events in told(asked.store, asked.measure(measure), asked.now).items():
        found[account_id] += [event.at for event in events if event.step in steps]
    return {account_id: sorted(instants) for account_id, instants in found.items()}


def _between(instants: Sequence[dt.datetime], start: dt.datetime, end: dt.datetime) -> bool:
    """Whether one of them, in order, is in [start, end)."""
    position = bisect_left(instants, start)
    return position < len(instants) and instants[position] < end


def _moved_on(formula: MovedOn, asked: Asked) -> ByBucket:
    within = dt.timedelta(days=formula.within_days)
    by_cell: dict[tuple[GroupKey, int], list[Entry]] = defaultdict(list)
    measure = asked.measure(formula.measure)
    place = placing(asked.store, measure, own_of(measure))
    for (account_id, entity), events in told(asked.store, measure, asked.now).items():
        for step, at, after in (entry for case in by_case(measure, events) for entry in _entries(case)):
            bucket = asked.bucket_of(at) if step not in formula.last else None
            if bucket is None or formula.step not in (None, step):
                continue
            group = place.in_cohort(account_id, at, {**dict.fromkeys(own_of(measure), entity), STEP: step})
            if group is not None:
                by_cell[group, bucket].append((account_id, at, after))
    found: ByBucket = defaultdict(dict)
    for (group, bucket), entries in by_cell.items():
        old = [(who, at, after) for who, at, after in entries if at + within <= asked.now]
        moved = sum(after is not None and after < at + within for _, at, after in old)
        found[group][bucket] = values.estimated_share(
            moved, len(old), min_n=formula.min_n, censored=len(entries) - len(old),
            accounts=len({who for who, _, _ in old}),
        )  # fmt: skip
    return found


STEP = "step"


def own_of(measure: Measure) -> Mapping[str, str]:
    """Besides labels: an entry's step, and what the entities are called (`journey`)."""
    named = [measure.entity[0].rpartition(".")[2]] if len(measure.entity) == 1 else []
    return {name: name for name in (STEP, *named)}


def _entries(events: Sequence[Told]) -> Iterator[tuple[str, dt.datetime, dt.datetime | None]]:
    """Every step when it was first entered, and when the step after it was."""
    first: dict[str, dt.datetime] = {}
    for event in events:
        first.setdefault(event.step, event.at)
    entered = list(first.items())
    afterwards = [*(at for _, at in entered[1:]), None]
    for (step, at), after in zip(entered, afterwards, strict=True):
        yield step, at, after
