"""Dated exchange rates from a file: a row per day and currency, or the European Central Bank's table of a row per day."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal
from itertools import islice
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

from bellwether.imports.cells import CellError, Order, day, plain
from bellwether.imports.journal import Connection, Journal
from bellwether.imports.report import Line
from bellwether.imports.table import Row, Table, Unreadable
from bellwether.load.records import UnreadableFileError, check_once

ECB_BASE: Final = "EUR"
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NO_MONEY: Final = ("XTS", "X" * 3)  # ISO 4217: for tests, and where no currency is meant
# Far more digits than any table of rates has: what is computed from a quotient is exact to the cent by a wide margin.
_EXACT: Final = Context(prec=50)
_RATE: Final = re.compile(r"\d{1,20}([.,]\d{1,30})?")
_NOT_QUOTED: Final = frozenset({"", "N/A", "NA", "-"})
_AT_ONCE: Final = 5_000
_UTC: Final = ZoneInfo("UTC")
_STORED: Final[LiteralString] = """
select r.currency, r.day, r.rate, r.import_id::text from control.rate r
join unnest(%(currencies)s::text[], %(days)s::date[]) as asked (currency, day) using (currency, day)
where r.tenant_id = %(tenant)s and r.quote = %(quote)s
"""
# The tenant's figures may be others from now on, which is what `rates_told` tells those who keep them.
_STORE: Final[LiteralString] = """
with counted as (update control.tenant set rates_told = rates_told + 1 where id = %(tenant)s)
insert into control.rate (tenant_id, quote, currency, day, rate, import_id)
select %(tenant)s, %(quote)s, told.*, %(import)s from unnest(%(currencies)s::text[], %(days)s::date[], %(rates)s::numeric[]) as told
on conflict (tenant_id, quote, currency, day) do update set rate = excluded.rate, import_id = excluded.import_id
where control.rate.rate <> excluded.rate
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `currency` is worth `rate` units of the tenant's."""

    line: int
    currency: str
    day: date
    rate: Decimal


Told = Rate | Line


def rates(table: Table, quote: str, base: str | None, order: Order | None) -> Iterator[Told]:
    """Every rate of the file, and a line for each that is refused. `quote` is the tenant's currency."""
    names = [name.strip().lower() for name in table.header]
    check_once(filter(None, names))
    if {"day", "currency", "rate"} <= set(names):
        if base is not None:
            raise UnreadableFileError(
                "--base goes with a table that has a column a currency, not with day, currency, rate."
            )
        places = [names.index(name) for name in ("day", "currency", "rate")]
        return _long(table, quote, places, order or table.order(places[0]))
    currencies = {
        index: name.strip().upper() for index, name in enumerate(table.header[1:], start=1) if name.strip()
    }
    if names[0] not in ("date", "day") or not currencies or not all(map(_is_currency, currencies.values())):
        raise UnreadableFileError(
            f"The header has {', '.join(table.header[:8])}. It needs day, currency and rate, or a date and a column a currency, "
            "as the European Central Bank publishes them."
        )
    base = base or ECB_BASE
    if not _is_currency(base):
        raise UnreadableFileError(f"--base {base} is no currency code such as {ECB_BASE}.")
    if quote not in (base, *currencies.values()):
        raise UnreadableFileError(
            f"The table says what one {base} is worth and has no column {quote}, the tenant's currency, to convert by. Is --base right?"
        )
    return _wide(table, quote, currencies, base, order or table.order(0))


def _long(table: Table, quote: str, places: Sequence[int], order: Order | None) -> Iterator[Told]:
    for row in table.rows():
        if isinstance(row, Unreadable):
            yield Line("refused", row.line, reason=row.reason)
            continue
        said, currency, told = (row.cells[place].strip() for place in places)
        currency = currency.upper()
        try:
            yield Rate(
                row.line, _foreign(currency, quote), day(plain(said) or "", order, _UTC), _positive(told)
            )
        except CellError as error:
            yield Line("refused", row.line, currency[:20] or None, reason=str(error))


def _is_currency(code: str) -> bool:
    return _CURRENCY.fullmatch(code) is not None and code not in _NO_MONEY


def _foreign(currency: str, quote: str) -> str:
    if not _is_currency(currency):
        raise CellError(f"{currency[:20]!a} is no currency code such as USD")
    if currency == quote:
        raise CellError(f"{quote} is the tenant's own currency")
    return currency


def _wide(
    table: Table, quote: str, currencies: dict[int, str], base: str, order: Order | None
) -> Iterator[Told]:
    """Each cell says how many units of its currency one unit of `base` is worth."""
    for row in table.rows():
        if isinstance(row, Unreadable):
            yield Line("refused", row.line, reason=row.reason)
            continue
        try:
            yield from _crossed(row, currencies, base, quote, day(row.cells[0].strip(), order, _UTC))
        except CellError as error:
            yield Line("refused", row.line, reason=str(error))


def _crossed(row: Row, currencies: dict[int, str], base: str, quote: str, at: date) -> Iterator[Told]:
    worth: dict[str, Decimal] = {base: Decimal(1)}
    refused = []
    for index, currency in currencies.items():
        cell = row.cells[index].strip()
        if cell.upper() not in _NOT_QUOTED:
            try:
                worth[currency] = _positive(cell)
            except CellError as error:
                refused.append(Line("refused", row.line, currency, reason=str(error)))
    if quote not in worth:
        raise CellError(f"it has no rate of {quote}, the tenant's currency, to convert by")
    yield from refused
    for currency, units in worth.items():
        if currency != quote:
            yield Rate(row.line, currency, at, _EXACT.divide(worth[quote], units))


def _positive(text: str) -> Decimal:
    if not _RATE.fullmatch(text):
        raise CellError(f"{text[:40]!a} is no rate; write it as 1.0823, without a mark for thousands")
    found = Decimal(text.replace(",", "."))
    if not found:
        raise CellError("a rate is more than 0")
    return found


@dataclass
class Keeping:
    """Keeps rates of one tenant, and reports corrections one by one and what is new by currency. `keep` False: only reports."""

    conn: Connection
    tenant_id: int
    quote: str
    journal: Journal
    keep: bool
    unchanged: int = 0
    fresh: dict[str, tuple[date, date, int]] = field(default_factory=dict)

    def all(self, told: Iterator[Told]) -> dict[str, int]:
        while some := list(islice(told, _AT_ONCE)):
            self.journal.write([line for line in some if isinstance(line, Line)])
            self._some(self._unique(rate for rate in some if isinstance(rate, Rate)))
        self.journal.write(
            [
                Line("added", subject=currency, new={"from": str(first), "to": str(last), "days": days})
                for currency, (first, last, days) in sorted(self.fresh.items())
            ]
        )
        return {"unchanged": self.unchanged, "rates_added": sum(days for *_, days in self.fresh.values())}

    def _unique(self, told: Iterable[Rate]) -> dict[tuple[str, date], Rate]:
        unique: dict[tuple[str, date], Rate] = {}
        for rate in told:
            before = unique.setdefault((rate.currency, rate.day), rate)
            if before.rate != rate.rate:
                self._refuse(rate, f"line {before.line} says {before.rate:f} for that day")
        return unique

    def _some(self, rates: dict[tuple[str, date], Rate]) -> None:
        params = {
            "tenant": self.tenant_id,
            "quote": self.quote,
            "import": self.journal.id,
            "currencies": [rate.currency for rate in rates.values()],
            "days": [rate.day for rate in rates.values()],
        }
        stored = {(currency, at): told for currency, at, *told in self.conn.execute(_STORED, params)}
        kept = [rate for key, rate in rates.items() if self._is_news(rate, stored.get(key))]
        if self.keep and kept:
            told = [(rate.currency, rate.day, rate.rate) for rate in kept]
            names = ("currencies", "days", "rates")
            columns = dict(zip(names, map(list, zip(*told, strict=True)), strict=True))
            self.conn.execute(_STORE, params | columns)

    def _is_news(self, rate: Rate, stored: Sequence[Any] | None) -> bool:
        if stored is None:
            first, last, days = self.fresh.get(rate.currency, (rate.day, rate.day, 0))
            self.fresh[rate.currency] = min(first, rate.day), max(last, rate.day), days + 1
            return True
        if stored[0] == rate.rate:
            self.unchanged += 1
            return False
        if stored[1] == self.journal.id:
            self._refuse(rate, f"an earlier line says {stored[0]:f} for that day")
            return False
        shown = format(stored[0], "f"), format(rate.rate, "f")
        self.journal.write([Line("changed", rate.line, rate.currency, rate.day.isoformat(), *shown)])
        return True

    def _refuse(self, rate: Rate, reason: str) -> None:
        self.journal.write([Line("refused", rate.line, rate.currency, rate.day.isoformat(), reason=reason)])
