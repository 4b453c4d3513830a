"""What every account pays a month, at any instant, in the tenant's currency: read once per question, looked into by bisection."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import accumulate

from common.figures.calendar import Calendar
from common.figures.cells import Store
from common.figures.mrr import ZERO, Change, committed_functions, step_functions
from common.figures.rates import Rates, rates
from common.figures.terms import Due, dues

_TICK = dt.timedelta(microseconds=1)
_EXACT = Context(prec=120)
Steps = Iterable[tuple[dt.datetime, Decimal]]


@dataclass(frozen=True, slots=True)
class Level:
    """A step function: `values[i]` holds after `instants[i]`."""

    instants: Sequence[dt.datetime]
    values: Sequence[Decimal]

    @staticmethod
    def of(steps: Steps) -> Level:
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
    """What one account pays, by currency. `unrated`: some of it is in a currency without any rate, and counts as nothing."""

    account_id: int
    product: str | None
    levels: Mapping[str, Level]
    rates: Rates
    calendar: Calendar
    unrated: bool = False

    def before(self, at: dt.datetime, rated: dt.datetime | None = None) -> Decimal:
        """MRR of everything that acts strictly before an instant, at the rates just before `rated`, by default that instant."""
        if len(self.levels) == 1 and self.rates.home in self.levels:
            return self.levels[self.rates.home].before(at)
        day = self.calendar.day_of((rated or at) - _TICK)
        found = ZERO
        for currency, level in self.levels.items():
            rate = self.rates.on(currency, day)
            if rate is not None:
                found = _EXACT.add(found, _EXACT.multiply(level.before(at), rate))
        return found

    def was_positive_before(self, at: dt.datetime) -> bool:
        return any(level.was_positive_before(at) for level in self.levels.values())

    def left_at(self, at: dt.datetime) -> dt.datetime | None:
        """When it last fell to 0 for good before an instant at which it is 0."""
        left = [when for level in self.levels.values() if (when := level.left_at(at))]
        return max(left, default=None)


@dataclass(frozen=True, slots=True)
class Book:
    accounts: Mapping[int, Account]
    rates: Rates
    calendar: Calendar

    def before(self, account_id: int, at: dt.datetime, rated: dt.datetime | None = None) -> Decimal:
        account = self.accounts.get(account_id)
        return ZERO if account is None else account.before(at, rated)

    @property
    def unrated(self) -> Iterator[int]:
        return (account_id for account_id, its in self.accounts.items() if its.unrated)


def book(store: Store) -> Book:
    """Of everything that is known, announced changes and lapses included, as the engine keeps it."""

    def read() -> Book:
        steps: dict[int, dict[str, list[tuple[dt.datetime, Decimal]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for account_id, currency, at, delta in store.read(_STEPS, store.params()):
            steps[account_id][currency].append((at, delta))
        return Book(
            {account_id: _account(store, account_id, its) for account_id, its in steps.items()},
            rates(store),
            store.calendar,
        )

    return store.once("book", read)


def committed(store: Store, now: dt.datetime) -> Book:
    """Without what is under notice."""

    def read() -> Book:
        found = {}
        for account_id, its in changes(store, now).items():
            by_currency = committed_functions(its, now, lambda change: change.currency or store.currency)
            found[account_id] = _account(store, account_id, by_currency)
        return Book(found, rates(store), store.calendar)

    return store.once(("committed", now), read)


def products(store: Store, now: dt.datetime) -> Sequence[Account]:
    """Each product of each account by itself."""

    def read() -> Sequence[Account]:
        found = []
        for account_id, its in changes(store, now).items():
            steps = step_functions(its, now, lambda c: (c.product, c.currency or store.currency))
            by_product: dict[str | None, dict[str, Steps]] = defaultdict(dict)
            for (product, currency), some in steps.items():
                by_product[product][currency] = some
            found += [_account(store, account_id, some, product) for product, some in by_product.items()]
        return found

    return store.once(("products", now), read)


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


def terms(store: Store, now: dt.datetime) -> Mapping[int, list[Due]]:
    """The terms of each account, in the tenant's currency at the rates of their ends."""
    by_day, day_of = rates(store), store.calendar.day_of

    def convert(amount: Decimal, currency: str | None, at: dt.datetime) -> Decimal:
        rate = by_day.on(currency, day_of(at - _TICK))
        return ZERO if rate is None else _EXACT.multiply(amount, rate)

    return store.once(
        ("terms", now), lambda: {a: dues(its, now, convert) for a, its in changes(store, now).items()}
    )


def _account(
    store: Store, account_id: int, steps: Mapping[str, Steps], product: str | None = None
) -> Account:
    known = rates(store)
    unrated = any(known.on(currency, dt.date.min) is None for currency in steps)
    levels = {currency: Level.of(some) for currency, some in steps.items()}
    return Account(account_id, product, levels, known, store.calendar, unrated)


_STEPS = """
select account_id, currency, at, delta from published.mrr_change where tenant_id = %(tenant)s order by at"""
_FOREIGN = """
select exists (select from published.mrr_change where tenant_id = %(tenant)s and currency < %(home)s)
  or exists (select from published.mrr_change where tenant_id = %(tenant)s and currency > %(home)s)"""
_CHANGES = """
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline
from published.subscription_change where tenant_id = %(tenant)s and event_at < %(now)s"""
