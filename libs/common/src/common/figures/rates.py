"""What one unit of another currency is worth in the tenant's, by dated rates."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import LiteralString

from common.figures.cells import Store

ONE = Decimal(1)
_EXACT = Context(prec=120)
UNCONVERTED = Decimal("NaN")
"""An amount of a currency without any rate: sums with it are unknown."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Per currency the days that have a rate, in order, and the rates. A rate holds from its day until the next one's."""

    home: str
    days: dict[str, list[dt.date]]
    values: dict[str, list[Decimal]]

    def on(self, currency: str | None, day: dt.date) -> Decimal | None:
        """Before its first day a currency counts at its first rate; None where it has none at all."""
        if currency is None or currency in ("", self.home):
            return ONE
        days = self.days.get(currency)
        if not days:
            return None
        return self.values[currency][max(0, bisect_right(days, day) - 1)]

    def has(self, currency: str | None) -> bool:
        return self.on(currency, dt.date.min) is not None

    def counted(self, currency: str | None, day: dt.date) -> Decimal:
        """One for one where there is none at all: accounts count there, and sums of money are unknown (`unrated`)."""
        rate = self.on(currency, day)
        return ONE if rate is None else rate

    def converted(self, amount: Decimal, currency: str | None, day: dt.date) -> Decimal:
        """In the tenant's currency, not rounded."""
        rate = self.on(currency, day)
        return UNCONVERTED if rate is None else amount if rate is ONE else _EXACT.multiply(amount, rate)

    @staticmethod
    def of(home: str, told: Iterable[tuple[str, dt.date, Decimal]]) -> Rates:
        """`told`: (currency, from when on, rate), the days in order."""
        days: dict[str, list[dt.date]] = defaultdict(list)
        values: dict[str, list[Decimal]] = defaultdict(list)
        for currency, day, rate in told:
            days[currency].append(day)
            values[currency].append(rate)
        return Rates(home, days, values)


def rates(store: Store) -> Rates:
    def read() -> Rates:
        return Rates.of(store.currency, store.read(SELECT_RATES, store.params(home=store.currency)))

    return store.once("rates", read)


SELECT_RATES: LiteralString = "select currency, day, rate from published.rate where tenant_id = %(tenant)s and quote = %(home)s order by currency, day"
