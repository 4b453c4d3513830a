"""Revenue that can't be summed from stored steps: a year back from any day, notices, terms that were due, why accounts left.

Accounts' histories are read once per question and looked into by bisection. An account's cohort is the group it is in at
the start of the period.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from common.catalogue.lifecycles import Churn, Committed, Renewal
from common.catalogue.models import Movement
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.book import (
    EXACT,
    Book,
    book,
    changes,
    committed,
    decimal_places,
    exact,
    subscriptions,
    terms,
    whole,
)
from common.figures.buckets import state_at
from common.figures.calendar import add_months
from common.figures.cases import told
from common.figures.cells import Store
from common.figures.columns import Booleans, Numbers
from common.figures.histories import as_text, of_trait
from common.figures.model import Value
from common.figures.mrr import OVERDUE, ZERO, lapsed_at, standing
from common.figures.slices import GroupKey
from common.figures.states import Moves
from common.figures.terms import Due

Formula = Committed | Renewal | Churn
HISTORIES = (Committed, Renewal, Churn)
_COHORT_KINDS = ("nrr", "grr", "mrr_churn", "logo_churn", "logo_retention")
Period = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True, slots=True)
class Lost:
    """An account that had MRR at the start of a period and has none at its end."""

    account_id: int
    at: dt.datetime


def answer(formula: Formula, asked: Asked) -> ByBucket:
    if isinstance(formula, Committed):
        return _committed(asked)
    if isinstance(formula, Renewal):
        return _renewals(formula, asked)
    return _churn(formula, asked)


def empty(formula: Formula, *, begun: bool) -> Value:
    if isinstance(formula, Committed):
        return Value(ZERO, accounts=0) if begun else Value(None)
    if isinstance(formula, Renewal):
        return _renewal_value(formula, {})
    return values.money_ratio(ZERO, ZERO, 0) if begun else Value(None)


def is_of_a_cohort(formula: Movement) -> bool:
    """Whether it asks for nothing but what became, over months, of the accounts that paid when these began."""
    return formula.months is not None and formula.movement in _COHORT_KINDS


def trailing(formula: Movement, asked: Asked, value: Callable[[Moves, Any, Any], Value]) -> ByBucket:
    """The movement over `months` months up to each bucket's end, each account by the group it is in at their start."""
    assert formula.months is not None
    found: ByBucket = defaultdict(dict)
    known = book(asked.store)
    for position, (start, end) in periods(asked, formula.months):
        was, now = known.before(start), known.before(end, start)
        paid = np.flatnonzero(was > 0)
        groups = asked.placing.groups(known.ids[paid], start)
        was, change, gone = was[paid], (now - was)[paid], now[paid] <= 0
        columns = (was, np.ones(len(paid), np.int64), change, np.minimum(change, 0), gone)
        for group, (before, cohort, change_sum, kept, lost) in groups.sums(*columns):
            amounts = [known.amount(number) for number in (change_sum, kept)]
            moves = Moves(cohort_change=amounts[0], kept_change=amounts[1], lost=Decimal(lost))
            base = known.amount(before)
            found[group][position] = value(moves, (base, cohort), (base + amounts[0], cohort - lost))
    return found


def periods(asked: Asked, months: int) -> Iterator[tuple[int, Period]]:
    """The same local time so many months before each bucket's end."""
    calendar = asked.store.calendar
    for position, bucket in enumerate(asked.buckets):
        end = state_at(bucket, asked.now)
        if end is None:
            continue
        local = end.astimezone(calendar.zone)
        day = add_months(local.date(), -months)
        if end == calendar.day_start(local.date()):
            yield position, (calendar.day_start(day), end)
        else:
            there = dt.datetime.combine(day, local.time(), tzinfo=calendar.zone)
            yield position, (there.astimezone(dt.UTC), end)


def _committed(asked: Asked) -> ByBucket:
    known = committed(asked.store, asked.now)
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        if at is None:
            continue
        mrr = known.before(at)
        paid = np.flatnonzero(mrr > 0)
        groups = asked.placing.groups(known.ids[paid], at)
        for group, (total, accounts) in groups.sums(mrr[paid], np.ones(len(paid), np.int64)):
            found[group][position] = Value(known.amount(total), accounts=accounts)
    return found


def _renewals(formula: Renewal, asked: Asked) -> ByBucket:
    by_cell: dict[tuple[GroupKey, int], dict[int, list[Due]]] = defaultdict(lambda: defaultdict(list))
    for account_id, its in terms(asked.store, asked.now).items():
        for due in its:
            bucket = asked.bucket_of(due.at)
            if bucket is None:
                continue
            group = asked.placing.in_cohort(account_id, min(asked.buckets[bucket].start, asked.now))
            if group is not None:
                by_cell[group, bucket][account_id].append(due)
    found: ByBucket = defaultdict(dict)
    for (group, bucket), accounts in by_cell.items():
        found[group][bucket] = _renewal_value(formula, accounts)
    return found


def _renewal_value(formula: Renewal, accounts: Mapping[int, Sequence[Due]]) -> Value:
    """(renewed, decided, open) of each account or term, summed."""
    rows = [_as_logo(its) for its in accounts.values()] if formula.by == "logo" else [
        (due.renewed or ZERO, ZERO if due.renewed is None else due.mrr, due.mrr if due.renewed is None else ZERO)
        for its in accounts.values()
        for due in its
    ]  # fmt: skip
    renewed, decided, open_ = (
        (sum(column, ZERO) for column in zip(*rows, strict=True)) if rows else (ZERO,) * 3
    )
    waiting = sum(row[2] > 0 for row in rows)
    everything = decided + open_
    value, low, high = (
        float(values.exact_quotient(part, whole)) if whole else None
        for part, whole in ((renewed, decided), (renewed, everything), (renewed + open_, everything))
    )
    over, under = (int(renewed), int(decided)) if formula.by == "logo" else (renewed, decided)
    return Value(value, over, under, low, high, n=len(rows), accounts=len(accounts), censored=waiting)


def _as_logo(its: Sequence[Due]) -> tuple[Decimal, Decimal, Decimal]:
    one = Decimal(1)
    if any(due.renewed for due in its):
        return one, one, ZERO
    return (ZERO, ZERO, one) if any(due.renewed is None for due in its) else (ZERO, one, ZERO)


def _churn(formula: Churn, asked: Asked) -> ByBucket:
    known, counts = book(asked.store), _counting(formula, asked)
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        end = state_at(bucket, asked.now)
        if end is None or bucket.start >= end:
            continue
        was, gone = known.before(bucket.start), known.before(end) <= 0
        paid = np.flatnonzero(was > 0)
        groups = asked.placing.groups(known.ids[paid], bucket.start)
        part, places = counts(known, was, gone, (bucket.start, end))
        was, gone = was[paid], gone[paid]
        columns = (part[paid], np.where(gone, was, 0), was, np.ones(len(paid), np.int64), gone)
        for group, (part_sum, churned, base, accounts, left) in groups.sums(*columns):
            under, n = (churned, left) if formula.of == "coded" else (base, accounts)
            found[group][position] = values.money_ratio(exact(part_sum, places), known.amount(under), n)
    return found


Count = Callable[[Book, Numbers, Booleans, Period], tuple[Numbers, int]]
"""What counts of each account, by what it paid when the period started and whether it pays nothing at its end; with its decimal places."""


def _counting(formula: Churn, asked: Asked) -> Count:
    if formula.of == "due":
        return _due(asked)
    tests: dict[str, Callable[[Lost], bool]] = {
        "involuntary": _unpaid(formula, asked) if formula.of == "involuntary" else lambda _: False,
        "avoidable": lambda lost: _reason(asked, lost) not in formula.unavoidable,
        "coded": lambda lost: _reason(asked, lost) is not None,
    }
    counts = tests[formula.of]

    def churned(known: Book, was: Numbers, gone: Booleans, period: Period) -> tuple[Numbers, int]:
        found = np.zeros_like(was)
        for place in np.flatnonzero(gone & (was > 0)).tolist():
            account = known.account(int(known.ids[place]))
            at = None if account is None else account.left_at(period[1])
            assert at is not None
            if counts(Lost(int(known.ids[place]), at)):
                found[place] = was[place]
        return found, known.places

    return churned


def _due(asked: Asked) -> Count:
    """What subscriptions of which a term ended paid at the start, once however many terms did; at the rates of the start."""
    paid = subscriptions(asked.store, asked.now)
    ends = [
        (account_id, due.subscription, due.at)
        for account_id, its in terms(asked.store, asked.now).items()
        for due in its
    ]

    def due(known: Book, was: Numbers, _: Booleans, period: Period) -> tuple[Numbers, int]:
        start, end = period
        sums: dict[int, Decimal] = defaultdict(lambda: ZERO)
        for account_id, name in {(account_id, name) for account_id, name, at in ends if start <= at < end}:
            its = paid.get((account_id, name))
            if its is not None:
                sums[account_id] = EXACT.add(sums[account_id], its.before(start))
        places = max(known.places, decimal_places(sums.values()))
        found = np.zeros(len(was), object)
        for place in np.searchsorted(known.ids, sorted(sums)).tolist():
            # A discount may be a subscription of its own: no more is due than is paid.
            its_all = int(was[place]) * 10 ** (places - known.places)
            found[place] = min(its_all, whole(sums[int(known.ids[place])], places))
        return found, places

    return due


def _reason(asked: Asked, lost: Lost) -> str | None:
    """Of the cancellations that stand and act when the account leaves, the last that gives one; else that of its closing."""
    key = (lost.account_id, lost.at)
    return _reasons(asked.store, asked.now).get(key) or _closings(asked.store, asked.now).get(key)


def _unpaid(formula: Churn, asked: Asked) -> Callable[[Lost], bool]:
    assert formula.invoices is not None
    invoices: dict[int, list[list[tuple[dt.datetime, str]]]] = defaultdict(list)
    for (account_id, _), events in told(asked.store, asked.measure(formula.invoices), asked.now).items():
        invoices[account_id].append([(event.at, event.step) for event in events])
    within = dt.timedelta(days=formula.within_days)
    known = changes(asked.store, asked.now)

    def failed(lost: Lost) -> bool:
        lapsed = lost.at in lapsed_at(known.get(lost.account_id, ()), asked.now)
        # A lapse is dated to the term's end; the invoice of the next term fails after it.
        until = lost.at + OVERDUE if lapsed else lost.at
        for events in invoices.get(lost.account_id, ()):
            past = [(at, step) for at, step in events if at < until]
            if past and past[-1][1] == "failed" and past[-1][0] >= lost.at - within:
                return True
        return False

    return failed


def _reasons(store: Store, now: dt.datetime) -> Mapping[tuple[int, dt.datetime], str]:
    def read() -> Mapping[tuple[int, dt.datetime], str]:
        known = {
            (account_id, change.source, change.event_id)
            for account_id, told in changes(store, now).items()
            for its in standing(told)
            for change in its
        }
        return {
            (account_id, at): reason
            for account_id, at, reason, *event in store.read(_REASONS, store.params(now=now))
            if (account_id, *event) in known
        }

    return store.once(("reasons", now), read)


def _closings(store: Store, now: dt.datetime) -> Mapping[tuple[int, dt.datetime], str]:
    """Reasons by account and when it left: before it was closed, or where it still paid then, after."""

    def read() -> Mapping[tuple[int, dt.datetime], str]:
        found: dict[tuple[int, dt.datetime], str] = {}
        for account_id, history in of_trait(store, "closed_reason", as_text).items():
            account = book(store).account(account_id)
            for at, reason in zip(history.instants, history.values, strict=True) if account else ():
                left = account.leaving_around(at) if account and reason and at < now else None
                if reason and left:
                    found[account_id, left] = reason
        return found

    return store.once(("closings", now), read)


_REASONS = """
select account_id, effective_at, reason, source, event_id from published.subscription_change
where tenant_id = %(tenant)s and event_at < %(now)s and kind = 'cancelled' and reason <> ''
order by event_at, source collate "C", event_id collate "C"
"""
