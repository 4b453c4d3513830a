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

from common.catalogue.lifecycles import Churn, Committed, Renewal
from common.catalogue.models import Movement
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.book import Account, book, committed, terms
from common.figures.buckets import state_at
from common.figures.calendar import add_months
from common.figures.cases import told
from common.figures.cells import Store
from common.figures.model import Value
from common.figures.mrr import ZERO
from common.figures.slices import GroupKey
from common.figures.states import Moves
from common.figures.terms import Due

Formula = Committed | Renewal | Churn
HISTORIES = (Committed, Renewal, Churn)
Period = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True, slots=True)
class Lost:
    """An account that had MRR at the start of a period and has none at its end."""

    account_id: int
    mrr: Decimal
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


def trailing(formula: Movement, asked: Asked, value: Callable[[Moves, Any, Any], Value]) -> ByBucket:
    """The movement over `months` months up to each bucket's end, each account by the group it is in at their start."""
    assert formula.months is not None
    found: ByBucket = defaultdict(dict)
    for position, (start, end) in periods(asked, formula.months):
        sums: dict[GroupKey, list[Decimal]] = {}
        for account_id, level in book(asked.store).accounts.items():
            was, now = level.before(start), level.before(end, start)
            group = asked.placing.at(account_id, start) if was > 0 else None
            if group is not None:
                row = sums.setdefault(group, [ZERO] * 5)
                lost = Decimal(int(now <= 0))
                for index, number in enumerate((was, Decimal(1), now - was, min(now - was, ZERO), lost)):
                    row[index] += number
        for group, (was, cohort, change, kept, gone) in sums.items():
            moves = Moves(cohort_change=change, kept_change=kept, lost=gone)
            found[group][position] = value(moves, (was, cohort), (was + change, cohort - gone))
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
    histories = committed(asked.store, asked.now).accounts
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        sums: dict[GroupKey, tuple[Decimal, int]] = {}
        for account_id, level in histories.items() if at is not None else ():
            assert at is not None
            mrr = level.before(at)
            group = asked.placing.at(account_id, at) if mrr > 0 else None
            if group is not None:
                total, accounts = sums.get(group, (ZERO, 0))
                sums[group] = total + mrr, accounts + 1
        for group, (total, accounts) in sums.items():
            found[group][position] = Value(total, accounts=accounts)
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
    counts = _counting(formula, asked)
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        end = state_at(bucket, asked.now)
        if end is None or bucket.start >= end:
            continue
        sums: dict[GroupKey, list[Decimal]] = {}
        for account_id, level in book(asked.store).accounts.items():
            was = level.before(bucket.start)
            group = asked.placing.at(account_id, bucket.start) if was > 0 else None
            if group is None:
                continue
            row = sums.setdefault(group, [ZERO] * 5)
            part, churned = counts(account_id, level, was, (bucket.start, end))
            numbers = (part, churned, was, Decimal(1), Decimal(int(churned > 0)))
            for index, number in enumerate(numbers):
                row[index] += number
        for group, (part, churned, was, accounts, gone) in sums.items():
            under, n = (churned, gone) if formula.of == "coded" else (was, accounts)
            found[group][position] = values.money_ratio(part, under, int(n))
    return found


Count = Callable[[int, Account, Decimal, Period], tuple[Decimal, Decimal]]


def _counting(formula: Churn, asked: Asked) -> Count:
    """A function that gives what counts of an account with MRR in a period, and what it lost by leaving."""
    if formula.of == "due":
        due_of = terms(asked.store, asked.now)

        def due(account_id: int, _: Account, was: Decimal, period: Period) -> tuple[Decimal, Decimal]:
            start, end = period
            return min(
                was, sum((d.mrr for d in due_of.get(account_id, ()) if start <= d.at < end), ZERO)
            ), ZERO

        return due
    tests: dict[str, Callable[[Lost], bool]] = {
        "involuntary": _unpaid(formula, asked) if formula.of == "involuntary" else lambda _: False,
        "avoidable": lambda lost: _reason(asked, lost) not in formula.unavoidable,
        "coded": lambda lost: _reason(asked, lost) is not None,
    }
    counts = tests[formula.of]

    def churned(account_id: int, level: Account, was: Decimal, period: Period) -> tuple[Decimal, Decimal]:
        if level.before(period[1]) > 0:
            return ZERO, ZERO
        at = level.left_at(period[1])
        assert at is not None
        return (was if counts(Lost(account_id, was, at)) else ZERO), was

    return churned


def _reason(asked: Asked, lost: Lost) -> str | None:
    """Of the cancellations that act when the account leaves, the last that gives one."""
    return _reasons(asked.store, asked.now).get((lost.account_id, lost.at))


def _unpaid(formula: Churn, asked: Asked) -> Callable[[Lost], bool]:
    assert formula.invoices is not None
    invoices: dict[int, list[list[tuple[dt.datetime, str]]]] = defaultdict(list)
    for (account_id, _), events in told(asked.store, asked.measure(formula.invoices), asked.now).items():
        invoices[account_id].append([(event.at, event.step) for event in events])
    within = dt.timedelta(days=formula.within_days)

    def failed(lost: Lost) -> bool:
        for events in invoices.get(lost.account_id, ()):
            past = [(at, step) for at, step in events if at < lost.at]
            if past and past[-1][1] == "failed" and past[-1][0] >= lost.at - within:
                return True
        return False

    return failed


def _reasons(store: Store, now: dt.datetime) -> Mapping[tuple[int, dt.datetime], str]:
    def read() -> Mapping[tuple[int, dt.datetime], str]:
        rows = store.read(_REASONS, store.params(now=now))
        return {(account_id, at): reason for account_id, at, reason in rows}

    return store.once(("reasons", now), read)


_REASONS = """
select account_id, effective_at, reason from published.subscription_change
where tenant_id = %(tenant)s and event_at < %(now)s and kind = 'cancelled' and reason <> ''
order by event_at, source collate "C", event_id collate "C"
"""
