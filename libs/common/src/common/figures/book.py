"""What every account pays a month, at any instant, in the tenant's currency: read once per question, looked into by bisection."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from itertools import accumulate
from typing import TypeVar

import numpy as np

from common.figures.calendar import Calendar
from common.figures.cells import Store
from common.figures.columns import Int64s, Numbers, Steps, numbers
from common.figures.instants import instant, micros
from common.figures.mrr import ZERO, Change, committed_functions, seat_steps, step_functions
from common.figures.rates import Rates, rates
from common.figures.terms import Convert, Due, dues

_TICK = dt.timedelta(microseconds=1)
K = TypeVar("K", bound=Hashable)
EXACT = Context(prec=120)
Deltas = Iterable[tuple[dt.datetime, Decimal]]


@dataclass(frozen=True, slots=True)
class Level:
    """A step function: `values[i]` holds after `instants[i]`."""

    instants: Sequence[dt.datetime]
    values: Sequence[Decimal]

    @staticmethod
    def of(steps: Deltas) -> Level:
        some = list(steps)
        return Level([at for at, _ in some], list(accumulate(delta for _, delta in some)))

    def before(self, at: dt.datetime) -> Decimal:
        position = bisect_left(self.instants, at)
        return self.values[position - 1] if position else ZERO

    def was_positive_before(self, at: dt.datetime) -> bool:
        return any(value > 0 for value in self.values[: bisect_left(self.instants, at)])

    def left_at(self, at: dt.datetime) -> dt.datetime | None:
        """When it last fell to 0 before an instant at which it is 0."""
        position = bisect_left(self.instants, at)
        while position > 1 and self.values[position - 2] <= 0:
            position -= 1
        return self.instants[position - 1] if position else None


@dataclass(frozen=True, slots=True)
class Account:
    """What one account pays, by currency; what is in a currency without any rate counts one for one."""

    account_id: int
    product: str | None
    levels: Mapping[str, Level]
    rates: Rates
    calendar: Calendar

    def before(self, at: dt.datetime, rated: dt.datetime | None = None) -> Decimal:
        """MRR of everything that acts strictly before an instant, at the rates just before `rated`, by default that instant."""
        if len(self.levels) == 1 and self.rates.home in self.levels:
            return self.levels[self.rates.home].before(at)
        day = self.calendar.day_of((rated or at) - _TICK)
        found = ZERO
        for currency, level in self.levels.items():
            rate = self.rates.counted(currency, day)
            found = EXACT.add(found, EXACT.multiply(level.before(at), rate))
        return found

    def is_unrated_before(self, at: dt.datetime) -> bool:
        """Whether something is paid just before an instant in a currency without any rate."""
        return any(
            level.before(at) > 0 for currency, level in self.levels.items() if not self.rates.has(currency)
        )

    def was_positive_before(self, at: dt.datetime) -> bool:
        return any(level.was_positive_before(at) for level in self.levels.values())

    def left_at(self, at: dt.datetime) -> dt.datetime | None:
        """When it last fell to 0 for good before an instant at which it is 0."""
        left = [when for level in self.levels.values() if (when := level.left_at(at))]
        return max(left, default=None)

    def leaving_around(self, at: dt.datetime) -> dt.datetime | None:
        """When it last fell to 0 where it pays nothing at an instant, else when it does next."""
        levels = self.levels.values()
        if all(level.before(at) <= 0 for level in levels):
            return self.left_at(at)
        later = sorted({when for level in levels for when in level.instants if when >= at})
        return next((when for when in later if all(its.before(when + _TICK) <= 0 for its in levels)), None)


Row = tuple[int, str, int, Decimal]
"""Of an account, in a currency, at an instant in microseconds MRR changes by so much."""


@dataclass(frozen=True)
class Book:
    """Of every account. Amounts of all of them are whole numbers of 10 ** -`places`, so that they are summed exactly."""

    ids: Int64s
    rows: Sequence[Row]
    first: Sequence[int]
    levels: Mapping[str, Steps]
    rates: Rates
    calendar: Calendar
    rate_places: int
    places: int

    @staticmethod
    def of(rows: Sequence[Row], known: Rates, calendar: Calendar) -> Book:
        """`rows` are in order."""
        ids, first = np.unique(np.array([row[0] for row in rows], np.int64), return_index=True)
        currencies = np.array([row[1] for row in rows])
        ratios = [rate for name in {row[1] for row in rows} for rate in known.values.get(name, ())]
        places, rate_places = decimal_places(row[3] for row in rows), decimal_places(ratios)
        deltas = [whole(row[3], places) for row in rows]
        # At the highest rate all of it together has to fit.
        highest = max((whole(rate, rate_places) for rate in ratios), default=1)
        amounts = numbers(deltas, times=max(highest, 10**rate_places))
        at_us = np.array([row[2] for row in rows], np.int64)
        accounts = np.searchsorted(ids, np.array([row[0] for row in rows], np.int64))
        levels = {}
        for currency in np.unique(currencies).tolist():
            its = np.flatnonzero(currencies == currency)
            levels[currency] = Steps.running(accounts[its], at_us[its], amounts[its])
        bounds = [*first.tolist(), len(rows)]
        return Book(ids, rows, bounds, levels, known, calendar, rate_places, places + rate_places)

    def before(self, at: dt.datetime, rated: dt.datetime | None = None) -> Numbers:
        """Of each of `ids` MRR of everything that acts strictly before an instant, at the rates just before `rated`, by default that instant."""
        day = self.calendar.day_of((rated or at) - _TICK)
        found: Numbers = np.zeros(len(self.ids), np.int64)
        for currency, steps in self.levels.items():
            worth = whole(self.rates.counted(currency, day), self.rate_places)
            found = found + steps.before(micros(at), np.zeros(len(self.ids), np.int64)) * worth
        return found

    def paying(self, at: dt.datetime) -> Iterator[tuple[int, Decimal]]:
        """The accounts that have MRR just before an instant, and how much."""
        mrr = self.before(at)
        there = np.flatnonzero(mrr > 0)
        for account_id, number in zip(self.ids[there].tolist(), mrr[there].tolist(), strict=True):
            yield account_id, self.amount(number)

    def amount(self, number: int) -> Decimal:
        return exact(number, self.places)

    def account(self, account_id: int) -> Account | None:
        """One by itself."""
        place = int(np.searchsorted(self.ids, account_id))
        if place == len(self.ids) or self.ids[place] != account_id:
            return None
        steps: dict[str, list[tuple[dt.datetime, Decimal]]] = defaultdict(list)
        for _, currency, at_us, delta in self.rows[self.first[place] : self.first[place + 1]]:
            steps[currency].append((instant(at_us), delta))
        return _account(self.rates, self.calendar, account_id, steps)

    def accounts(self) -> Iterator[Account]:
        for account_id in self.ids.tolist():
            account = self.account(account_id)
            assert account is not None
            yield account

    @property
    def unrated(self) -> Iterator[Account]:
        """Accounts of which some MRR is or was in a currency without any rate."""
        without = {name for name in self.levels if not self.rates.has(name)}
        for account_id in sorted({row[0] for row in self.rows if row[1] in without} if without else ()):
            account = self.account(account_id)
            assert account is not None
            yield account


def decimal_places(amounts: Iterable[Decimal]) -> int:
    """As many as the finest of them has."""
    return max((max(0, -int(amount.as_tuple().exponent)) for amount in amounts), default=0)


def whole(amount: Decimal, places: int) -> int:
    """In units of 10 ** -`places`, of which it has to be a multiple."""
    return int(amount.scaleb(places, EXACT))


def exact(number: int, places: int) -> Decimal:
    return Decimal(number).scaleb(-places, EXACT)


def book(store: Store) -> Book:
    """Of everything that is known, announced changes and lapses included, as the engine keeps it."""

    def read() -> Book:
        rows = store.read_instants(_STEPS, store.params()).fetchall()
        return Book.of(rows, rates(store), store.calendar)

    return store.once("book", read)


def committed(store: Store, now: dt.datetime) -> Book:
    """Without what is under notice."""

    def read() -> Book:
        rows = []
        for account_id, its in changes(store, now).items():
            by_currency = committed_functions(its, now, lambda change: change.currency or store.currency)
            for currency, steps in by_currency.items():
                rows += [(account_id, currency, micros(at), delta) for at, delta in steps]
        return Book.of(sorted(rows), rates(store), store.calendar)

    return store.once(("committed", now), read)


def products(store: Store, now: dt.datetime) -> Sequence[Account]:
    """Each product of each account by itself."""

    def read() -> Sequence[Account]:
        parts = _parts(store, now, lambda change: change.product)
        return [replace(part, product=product) for (_, product), part in parts.items()]

    return store.once(("products", now), read)


def subscriptions(store: Store, now: dt.datetime) -> Mapping[tuple[int, str], Account]:
    """Each subscription of each account by itself."""
    return store.once(("subscriptions", now), lambda: _parts(store, now, lambda change: change.subscription))


def _parts(store: Store, now: dt.datetime, part: Callable[[Change], K]) -> dict[tuple[int, K], Account]:
    """Of each account what is of one part by itself."""
    found: dict[tuple[int, K], dict[str, Deltas]] = defaultdict(dict)
    for account_id, its in changes(store, now).items():
        steps = step_functions(its, now, lambda change: (part(change), change.currency or store.currency))
        for (name, currency), some in steps.items():
            found[account_id, name][currency] = some
    known = rates(store)
    return {key: _account(known, store.calendar, key[0], some) for key, some in found.items()}


def is_foreign(store: Store) -> bool:
    """Whether anybody pays in another currency than the tenant's."""
    return store.once(
        "foreign", lambda: store.read(_FOREIGN, store.params(home=store.currency)).fetchone() == (True,)
    )


def changes(store: Store, now: dt.datetime) -> Mapping[int, list[Change]]:
    def read() -> Mapping[int, list[Change]]:
        found: dict[int, list[Change]] = defaultdict(list)
        for account_id, *columns in store.read(_CHANGES, store.params(now=now)):
            found[account_id].append(Change(*columns))
        return found

    return store.once(("changes", now), read)


def sold_seats(store: Store, now: dt.datetime) -> Mapping[int, Level]:
    """The seats of running subscriptions, of each account of which one was ever told any."""

    def read() -> Mapping[int, Level]:
        found: dict[int, list[Change]] = defaultdict(list)
        for account_id, *columns in store.read(_SEATED, store.params(now=now)):
            found[account_id].append(Change(*columns))
        return {account_id: Level.of(seat_steps(its, now)) for account_id, its in found.items()}

    return store.once(("sold seats", now), read)


def terms(store: Store, now: dt.datetime) -> Mapping[int, list[Due]]:
    """The terms of each account, in the tenant's currency at the rates of their ends."""
    convert = converter(store)
    return store.once(
        ("terms", now), lambda: {a: dues(its, now, convert) for a, its in changes(store, now).items()}
    )


def converter(store: Store) -> Convert:
    """At the rates of the day before an instant; one for one without any."""
    by_day, day_of = rates(store), store.calendar.day_of
    return lambda amount, currency, at: EXACT.multiply(amount, by_day.counted(currency, day_of(at - _TICK)))


def _account(known: Rates, calendar: Calendar, account_id: int, steps: Mapping[str, Deltas]) -> Account:
    levels = {currency: Level.of(some) for currency, some in steps.items()}
    return Account(account_id, None, levels, known, calendar)


_STEPS = """
select account_id, currency, at, delta from published.mrr_change where tenant_id = %(tenant)s
order by account_id, currency collate "C", at"""
_FOREIGN = """
select exists (select from published.mrr_change where tenant_id = %(tenant)s and currency < %(home)s)
  or exists (select from published.mrr_change where tenant_id = %(tenant)s and currency > %(home)s)"""
_SEATED = """
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline, seats
from published.subscription_change where tenant_id = %(tenant)s and event_at < %(now)s and account_id = any(array(
  select distinct account_id from published.subscription_change where tenant_id = %(tenant)s and seats is not null))"""
_CHANGES = """
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline
from published.subscription_change where tenant_id = %(tenant)s and event_at < %(now)s"""
