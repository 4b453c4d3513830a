"""What accounts will be worth, may be lost, and were won back: from each account's own revenue, terms and traits."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from common.catalogue.economics import AtRisk, Lifetime, RiskResolved
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.book import Book, book, terms
from common.figures.cells import WHOLE, Store
from common.figures.columns import Groups
from common.figures.histories import (
    History,
    Texts,
    as_text,
    grave_cases,
    of_health,
    of_trait,
    standing,
    texts,
)
from common.figures.model import Value
from common.figures.mrr import ZERO
from common.figures.revenue import periods
from common.figures.slices import GroupKey
from common.figures.terms import Due

Formula = Lifetime | AtRisk | RiskResolved
PROSPECTS = (Lifetime, AtRisk, RiskResolved)
RENEWAL_RISK = "renewal_risk"
NO_PROBABILITY = "no renewal risk is known of an account"
MONTHS = 12
_CENT = Decimal("0.01")


def answer(formula: Formula, asked: Asked) -> ByBucket:
    if isinstance(formula, Lifetime):
        return _lifetimes(formula, asked)
    if isinstance(formula, AtRisk):
        return _at_risk(formula, asked)
    return _resolved(formula, asked)


def empty(formula: Formula) -> Value:
    if isinstance(formula, AtRisk):
        return Value(ZERO, n=0, accounts=0)
    if isinstance(formula, RiskResolved):
        return values.money_ratio(ZERO, ZERO, 0)
    return Value(None, n=0, accounts=0)


# What an account is worth over its life.


def _lifetimes(formula: Lifetime, asked: Asked) -> ByBucket:
    margin = asked.catalogue.settings.gross_margin
    known = book(asked.store)
    segments = texts(asked.store, formula.by, known.ids)
    found: ByBucket = defaultdict(dict)
    for position, (start, end) in periods(asked, MONTHS):
        lives = _lives(formula, known, segments, start, end)
        mrr = known.before(end)
        paid = np.flatnonzero(mrr > 0)
        groups = asked.placing.groups(known.ids[paid], end).parted(segments.before(end)[paid])
        rows: dict[GroupKey, list[tuple[Fraction | None, int]]] = defaultdict(list)
        for (group, segment), (total, accounts) in groups.sums(mrr[paid], np.ones(len(paid), np.int64)):
            life = lives.get(segment)
            rows[group].append((None if life is None else Fraction(known.amount(total)) * life, accounts))
        for group, its in rows.items():
            found[group][position] = _lifetime(its, margin, asked.metric.unit)
    return found


def _lifetime(rows: Sequence[tuple[Fraction | None, int]], margin: Decimal | None, unit: str) -> Value:
    """`rows`: MRR times months, None where these aren't known, and of how many accounts."""
    known = [worth for worth, _ in rows if worth is not None]
    accounts = sum(n for worth, n in rows if worth is not None)
    left_out = sum(n for worth, n in rows if worth is None)
    if margin is None:
        return Value(None, n=accounts, accounts=accounts, censored=left_out, reason=values.NO_MARGIN)
    if not known:
        reason = "nobody of the segment paid 12 months ago"
        return Value(None, n=0, accounts=0, censored=left_out, reason=reason)
    worth = sum(known, Fraction(0)) * Fraction(margin)
    exact = worth / accounts
    return Value(
        values.shown(exact, unit), values.shown(worth, unit), accounts, n=accounts, accounts=accounts,
        censored=left_out, exact=exact,
    )  # fmt: skip


def _lives(
    formula: Lifetime, known: Book, segments: Texts, start: dt.datetime, end: dt.datetime
) -> Mapping[int, Fraction]:
    """Months by the segment that accounts were in at the start: 12 over the share that left by the end."""
    paid = np.flatnonzero(known.before(start) > 0)
    left = known.before(end, start)[paid] <= 0
    cap = Fraction(formula.cap_months)
    of = Groups([WHOLE], np.zeros(len(paid), np.int64)).parted(segments.before(start)[paid])
    return {
        segment: min(cap, Fraction(MONTHS * accounts, gone)) if gone else cap
        for (_, segment), (accounts, gone) in of.sums(np.ones(len(paid), np.int64), left)
    }


# What may be lost.


def _at_risk(formula: AtRisk, asked: Asked) -> ByBucket:
    chance, stands = _probabilities(formula, asked), standing(asked.store)
    cells: dict[tuple[GroupKey, int], list[_Open]] = defaultdict(list)

    def place(account_id: int, decide_by: dt.datetime, one: _Open) -> None:
        bucket, group = asked.bucket_of(decide_by), asked.placing.at(account_id, asked.now)
        if bucket is not None and group is not None:
            cells[group, bucket].append(one)

    for account_id, its in terms(asked.store, asked.now).items():
        for due in its if stands(account_id, asked.now) else ():
            if due.renewed is None:
                said = chance(account_id, due.subscription, due.at)
                place(account_id, due.deadline or due.at, _Open(account_id, due.mrr, said))
    for account_id, due_at, decide_by, mrr in told_by_traits(asked.store):
        place(account_id, decide_by, _Open(account_id, mrr or ZERO, chance(account_id, "", due_at)))
    found: ByBucket = defaultdict(dict)
    for (group, bucket), rows in cells.items():
        found[group][bucket] = _risk_value(rows, asked.metric.unit)
    return found


def told_by_traits(store: Store) -> Sequence[tuple[int, dt.datetime, dt.datetime, Decimal | None]]:
    """Account, due date, when it is decided and MRR of open renewals that only traits tell; no MRR where a currency has no rate."""

    def read() -> list[Any]:
        return store.read(_BY_TRAIT, store.params()).fetchall()

    return store.once(("renewals by trait",), read)


@dataclass(frozen=True, slots=True)
class _Open:
    """An open renewal; `probability` None where it is not known."""

    account_id: int
    mrr: Decimal
    probability: Decimal | None


def _risk_value(rows: Sequence[_Open], unit: str) -> Value:
    known = sum(
        (_in_cents(one.mrr * one.probability) for one in rows if one.probability is not None), Fraction(0)
    )
    unknown = [one.mrr for one in rows if one.probability is None]
    due = sum((Fraction(one.mrr) for one in rows), Fraction(0))
    return Value(
        None if unknown else values.shown(known, unit), values.shown(known, unit), values.shown(due, unit),
        low=float(known) if unknown else None, high=float(known + Fraction(sum(unknown, ZERO))) if unknown else None,
        n=len(rows), accounts=len({one.account_id for one in rows}), censored=len(unknown),
        reason=NO_PROBABILITY if unknown else None,
    )  # fmt: skip


def _in_cents(amount: Decimal) -> Fraction:
    """Rounded as each renewal is shown, so that the figure is the sum of the list."""
    return Fraction(amount.quantize(_CENT, ROUND_HALF_UP))


def _probabilities(formula: AtRisk, asked: Asked) -> Callable[[int, str, dt.datetime], Decimal | None]:
    """Of an account's subscription due at an instant: its own where the risk of renewals is asked for, else its account's figure."""
    if formula.probability != RENEWAL_RISK:
        of_accounts = {
            account_id: value
            for account_id, value in asked.store.read(_FIGURE, asked.store.params(figure=formula.probability))
            if 0 <= value <= 1
        }
        return lambda account_id, _subscription, _due_at: of_accounts.get(account_id)

    def read() -> Mapping[tuple[int, str, dt.datetime], Decimal]:
        return {
            (who, what, at): value for who, what, at, value in asked.store.read(_RISKS, asked.store.params())
        }

    of_renewals = asked.store.once(("risks of renewals",), read)
    return lambda account_id, subscription, due_at: of_renewals.get((account_id, subscription, due_at))


# What was won back.


@dataclass(frozen=True, slots=True)
class Entry:
    """An account became at risk."""

    account_id: int
    at: dt.datetime
    mrr: Decimal


def _resolved(formula: RiskResolved, asked: Asked) -> ByBucket:
    within = dt.timedelta(days=formula.within_days)
    cells: dict[tuple[GroupKey, int], list[tuple[Entry, bool | None]]] = defaultdict(list)
    for entry, history in entries(formula, asked):
        bucket = asked.bucket_of(entry.at)
        group = asked.placing.in_cohort(entry.account_id, entry.at) if bucket is not None else None
        if group is not None and bucket is not None:
            until = entry.at + within
            outcome = None if until > asked.now else _is_resolved(formula, asked, entry, history, until)
            cells[group, bucket].append((entry, outcome))
    found: ByBucket = defaultdict(dict)
    for (group, bucket), rows in cells.items():
        old = [(entry, outcome) for entry, outcome in rows if outcome is not None]
        saved = sum((entry.mrr for entry, outcome in old if outcome), ZERO)
        value = values.money_ratio(saved, sum((entry.mrr for entry, _ in old), ZERO), len(old))
        accounts = len({entry.account_id for entry, _ in old})
        found[group][bucket] = replace(value, accounts=accounts, censored=len(rows) - len(old))
    return found


def entries(formula: RiskResolved, asked: Asked) -> Iterator[tuple[Entry, History[str]]]:
    """Every time an account that paid just before became at risk, as known by now."""
    trait = formula.trait
    told = of_health(asked.store) if trait is None else of_trait(asked.store, trait, as_text)
    for account_id, history in told.items():
        account = book(asked.store).account(account_id)
        was = False
        for at, value in zip(history.instants, history.values, strict=True):
            now = value in formula.at_risk
            if now and not was and account is not None and at < asked.now:
                mrr = account.before(at)
                if mrr > 0:
                    yield Entry(account_id, at, mrr), history
            was = now


def _is_resolved(
    formula: RiskResolved, asked: Asked, entry: Entry, history: History[str], until: dt.datetime
) -> bool:
    since = until - dt.timedelta(days=formula.healthy_days)
    told = list(zip(history.instants, history.values, strict=True))
    spells = grave_cases(asked.store).get(entry.account_id, ())
    in_danger = any(began < until and (ended is None or ended > since) for began, ended in spells)
    stood = [value for at, value in told if at <= since][-1:] or [None]
    if not in_danger and all(
        value in formula.healthy for value in (*stood, *(v for at, v in told if since < at < until))
    ):
        return True
    due: Sequence[Due] = [
        term
        for term in terms(asked.store, asked.now).get(entry.account_id, ())
        if entry.at <= term.at < until
    ]
    owed = sum((Fraction(term.mrr) for term in due), Fraction(0))
    kept = sum((Fraction(term.renewed or ZERO) for term in due), Fraction(0))
    return bool(due) and kept >= Fraction(str(formula.renewed_share)) * owed


_FIGURE = """
select account_id, (figures ->> %(figure)s)::numeric from published.account
where tenant_id = %(tenant)s and jsonb_typeof(figures -> %(figure)s) = 'number'
"""
_RISKS = """
select account_id, subscription, due_at, probability from published.renewal_risk
where tenant_id = %(tenant)s and probability is not null
"""
_BY_TRAIT = """
select account_id, due_at, decide_by, mrr from published.renewal_risk where tenant_id = %(tenant)s and source = 'trait'
"""
