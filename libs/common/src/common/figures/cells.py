"""Sums of stored measures, by group and position: the statements, and nothing of what a metric makes of them.

Tenant figures read the totals. Figures of slices read the accounts' rows once: accounts that stay in one group for all of
the question (nearly all do) are joined by id alone, the others by the days they spent in each.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Literal, TypeVar, cast

import psycopg
from psycopg.types.numeric import Int8BinaryLoader

from common.catalogue.models import Catalogue
from common.figures.calendar import DAY, Calendar
from common.figures.members import Scope
from common.figures.slices import GroupKey, Slices, Span
from common.figures.without import Without, narrowed

WHOLE: GroupKey = ()
Grain = Literal["hour", "day"]
Bounds = Literal["date", "int", "timestamptz"]
_TICK = dt.timedelta(microseconds=1)
T = TypeVar("T")


@dataclass(slots=True)
class Cell:
    """`accounts`: how many accounts have anything in it; None where that isn't known.

    What was taken out again leaves rows that are 0: they are nothing.
    """

    value: int = 0
    accounts: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """A day's sum of accounts that are in the group at the sample positions [lo, hi) only."""

    group: GroupKey
    day: dt.date
    lo: int
    hi: int
    value: int


@dataclass(frozen=True, slots=True)
class DailySums:
    """`settled`: of accounts that are in one group at all samples."""

    settled: Mapping[GroupKey, Mapping[dt.date, int]]
    moved: Sequence[Moved] = ()


Cells = Mapping[GroupKey, Mapping[int, Cell]]


@dataclass(frozen=True)
class Store:
    """One tenant's measures as the engine keeps them. `ids`: a measure that was never seen has none, and is 0.

    `slices` is None for figures of the whole tenant. What several metrics of a question need is read once.
    `without`: events that are taken for never come; then reading may raise InseparableError.
    """

    conn: psycopg.Connection[Any]
    scope: Scope
    calendar: Calendar
    ids: Mapping[str, int]
    slices: Slices | None
    catalogue: Catalogue
    without: Without | None = None
    _read: dict[object, object] = field(default_factory=dict)

    @property
    def currency(self) -> str:
        return self.catalogue.settings.currency

    def once(self, key: object, read: Callable[[], T]) -> T:
        """What `read` gives, read only the first time."""
        if key not in self._read:
            self._read[key] = read()
        return cast("T", self._read[key])

    def groups(self, first: dt.date, last: dt.date) -> set[GroupKey]:
        """The groups that some account is in on a day of [first, last]."""
        return {WHOLE} if self.slices is None else self.slices.groups(first, last)

    def sums(self, row: str, grain: Grain, starts: Sequence[Any]) -> Cells:
        """Position i: the sum over [starts[i], starts[i + 1]). `starts` are instants or local days, in order."""
        measure = self.ids.get(row)
        if measure is None or len(starts) < 2:
            return {}
        return self.once(("sums", row, *starts), lambda: self._sums(measure, grain, starts))

    def daily(self, row: str, samples: Sequence[dt.date], since: dt.date | None) -> DailySums:
        """Every day's sum of `row` from `since` on (None: from the beginning), as far as the samples need it."""
        measure = self.ids.get(row)
        if measure is None or not samples:
            return DailySums({})
        return self.once(
            ("daily", row, since, *samples),
            lambda: self._daily(measure, samples, since or dt.date.min),
        )

    def read(self, statement: str, params: Mapping[str, Any]) -> psycopg.Cursor[Any]:
        """Runs a statement, planned for these parameters: a plan made for any array is made for a short one."""
        return self.conn.execute(*narrowed(self.without, statement, params), prepare=False)

    def read_instants(self, statement: str, params: Mapping[str, Any]) -> psycopg.Cursor[Any]:
        """The same for very many rows: instants come as microseconds since `instants.EPOCH`."""
        cursor = self.conn.cursor(binary=True)
        cursor.adapters.register_loader("timestamptz", Int8BinaryLoader)
        return cursor.execute(*narrowed(self.without, statement, params), prepare=False)

    def params(self, **more: Any) -> dict[str, Any]:
        return {"tenant": self.scope.tenant_id, **more}

    def _sums(self, measure: int, grain: Grain, starts: Sequence[Any]) -> Cells:
        params = self.params(measure=measure, starts=list(starts), first=starts[0], last=starts[-1])
        if self.slices is None:
            found = self.read(_whole_statement(grain, starts, "total"), params)
            return {WHOLE: {int(k): Cell(int(value)) for k, value in found}}
        settled, moved = self._by_time(self.slices, starts)
        cells: dict[GroupKey, dict[int, Cell]] = defaultdict(lambda: defaultdict(Cell))
        for spans, within in ((settled, ""), (moved, _within(grain))):
            if spans:
                statement = _sliced_statement(grain, starts, within)
                for g, k, value, accounts in self.read(statement, params | arrays(spans)):
                    cell = cells[self.slices.keys[g]][int(k)]
                    cell.value += int(value)
                    cell.accounts = None if accounts is None else (cell.accounts or 0) + int(accounts)
        if self.slices.nobodys is not None:
            key = self.slices.keys[self.slices.nobodys]
            for k, value in self.read(_whole_statement(grain, starts, "measure", _NOBODYS), params):
                cells[key].setdefault(int(k), Cell(0, 0)).value += int(value)
        return cells

    def accounts(self, row: str, grain: Grain, starts: Sequence[Any]) -> Mapping[tuple[GroupKey, int], int]:
        """How many accounts have anything in [starts[i], starts[i + 1]), by group and position. Reads accounts' rows."""
        measure = self.ids.get(row)
        if measure is None or len(starts) < 2:
            return {}
        return self.once(("accounts", row, *starts), lambda: self._accounts(measure, grain, starts))

    def _accounts(
        self, measure: int, grain: Grain, starts: Sequence[Any]
    ) -> Mapping[tuple[GroupKey, int], int]:
        params = self.params(measure=measure, starts=list(starts), first=starts[0], last=starts[-1])
        found: Counter[tuple[GroupKey, int]] = Counter()
        if self.slices is None:
            for _, k, accounts in self.read(_accounts_statement(grain, starts, "0", ""), params):
                found[WHOLE, int(k)] = int(accounts)
            return found
        settled, moved = self._by_time(self.slices, starts)
        for spans, within in ((settled, ""), (moved, _within(grain))):
            if spans:
                joined = f"{_joined(_BOUNDS[grain])} {within}"
                statement = _accounts_statement(grain, starts, "slice.g", joined)
                for g, k, accounts in self.read(statement, params | arrays(spans)):
                    found[self.slices.keys[g], int(k)] += int(accounts)
        return found

    def _by_time(
        self, slices: Slices, starts: Sequence[Any]
    ) -> tuple[Sequence[Span[Any]], Sequence[Span[Any]]]:
        """Who is in one group over all of [starts[0], starts[-1]), and who in which for a part of it.

        Where `starts` are instants, so are the ends of these parts: the database may begin a day at another instant, where
        midnight comes twice or its rules of a zone are of another year.
        """
        first, last = starts[0], starts[-1]
        if not isinstance(first, dt.datetime):
            return _parted(slices.by_day, first, last)
        first, last = self.calendar.day_of(first), self.calendar.day_of(last - _TICK) + DAY
        settled, moved = _parted(slices.by_day, first, last)
        begins = cache(self.calendar.day_start)
        return settled, [
            Span(span.account_id, begins(max(span.lo, first)), begins(min(span.hi, last)), span.group)
            for span in moved
        ]

    def _daily(self, measure: int, samples: Sequence[dt.date], since: dt.date) -> DailySums:
        params = self.params(measure=measure, since=since, last=samples[-1])
        if self.slices is None:
            rows = self.read(_TOTAL_DAILY, params)
            return DailySums({WHOLE: {day: int(value) for day, value in rows}})
        settled, moved = _parted(self.slices.by_sample(samples), 0, len(samples))
        sums: dict[GroupKey, Counter[dt.date]] = defaultdict(Counter)
        if settled:
            for g, day, value in self.read(_SETTLED, params | arrays(settled)):
                sums[self.slices.keys[g]][day] = int(value)
        if self.slices.nobodys is not None:
            key = self.slices.keys[self.slices.nobodys]
            for day, value in self.read(_NOBODYS_DAILY, params):
                sums[key][day] += int(value)
        if not moved:
            return DailySums(sums)
        found = self.read(_MOVED, params | arrays(moved))
        keys = self.slices.keys
        return DailySums(sums, [Moved(keys[g], day, lo, hi, int(value)) for g, day, lo, hi, value in found])


def _parted(spans: Iterable[Span[Any]], first: Any, last: Any) -> tuple[list[Span[Any]], list[Span[Any]]]:
    """Those that cover all of [first, last), and those that cover a part of it."""
    settled, moved = [], []
    for span in spans:
        if span.lo <= first and span.hi >= last:
            settled.append(span)
        elif span.hi > first and span.lo < last:
            moved.append(span)
    return settled, moved


def arrays(spans: Sequence[Span[Any]]) -> dict[str, str]:
    """As the database writes arrays: joined at once they cost a tenth of being converted one by one."""
    return {
        "slice_accounts": _array(span.account_id for span in spans),
        "slice_groups": _array(span.group for span in spans),
        "slice_los": _array(span.lo for span in spans),
        "slice_his": _array(span.hi for span in spans),
    }


def _array(items: Iterable[int | dt.date | dt.datetime]) -> str:
    return "{" + ",".join(map(str, items)) + "}"


# Arrays rather than a common table expression: the planner knows their length, and may read in parallel. It doesn't know
# that the accounts in them differ, and learns it from the join with the table of accounts: without that it hashes the
# millions of rows instead of the thousands of accounts.
def slice_table(bounds: Bounds) -> str:
    return (
        f"unnest(%(slice_accounts)s::bigint[], %(slice_groups)s::int[], %(slice_los)s::{bounds}[], "
        f"%(slice_his)s::{bounds}[]) as slice(account_id, g, lo, hi)"
    )


def _joined(bounds: Bounds) -> str:
    return (
        "join published.account a on a.account_id = m.account_id "
        f"join {slice_table(bounds)} on slice.account_id = a.account_id"
    )


_BOUNDS: Mapping[Grain, Bounds] = {"day": "date", "hour": "timestamptz"}


def _within(grain: Grain) -> str:
    """Rows while their account is in the group."""
    return f"and {_column(grain)} >= slice.lo and {_column(grain)} < slice.hi"


def _position(grain: Grain, starts: Sequence[Any], column: str) -> str:
    """The position of a row. Subtraction where the days follow one another; it is several times cheaper."""
    if grain == "day":
        if _consecutive(starts):
            return f"({column} - %(first)s::date)"
        return f"width_bucket({column}, %(starts)s::date[]) - 1"
    return f"width_bucket({column}, %(starts)s::timestamptz[]) - 1"


def _consecutive(days: Sequence[dt.date]) -> bool:
    return all(following - day == DAY for day, following in pairwise(days))


def _column(grain: Grain) -> str:
    return "m.bucket" if grain == "hour" else "m.day"


_NOBODYS = "and m.account_id = 0"  # what belongs to no account


def _whole_statement(
    grain: Grain, starts: Sequence[Any], kept: Literal["total", "measure"], only: str = ""
) -> str:
    column = _column(grain)
    return f"""
select {_position(grain, starts, column)} as k, sum(m.value) from published.{kept}_{grain} m
where m.tenant_id = %(tenant)s and m.measure_id = %(measure)s and {column} >= %(first)s and {column} < %(last)s {only}
group by k"""


def _sliced_statement(grain: Grain, starts: Sequence[Any], within: str) -> str:
    """Rows in the slice of their own local day: group, position, sum, and the number of accounts where it is to be had.

    Counting accounts costs nothing where an account has one row a position, and is worth its cost for a single position;
    else it would double the price of the figure. Positions are found once per distinct time, not once per row.
    """
    column = _column(grain)
    source = f"""published.measure_{grain} m {_joined(_BOUNDS[grain])} {within}
where m.tenant_id = %(tenant)s and m.measure_id = %(measure)s and {column} >= %(first)s and {column} < %(last)s"""
    if len(starts) == 2:
        by_account = f"select slice.g, sum(m.value) as value from {source} group by slice.g, m.account_id"
        return f"select g, 0, sum(value), count(*) filter (where value <> 0) from ({by_account}) by_account group by g"
    counted = "count(*) filter (where m.value <> 0)"
    by_time = f"select slice.g, {column} as at, sum(m.value) as value, {counted} as rows from {source} group by slice.g, at"
    if grain == "day" and _consecutive(starts):
        return f"select g, {_position(grain, starts, 'at')}, value, rows from ({by_time}) by_time"
    return f"select g, {_position(grain, starts, 'at')} as k, sum(value), null from ({by_time}) by_time group by g, k"


def _accounts_statement(grain: Grain, starts: Sequence[Any], group: str, joined: str) -> str:
    column = _column(grain)
    return f"""
select {group} as g, {_position(grain, starts, column)} as k, count(distinct m.account_id)
from published.measure_{grain} m {joined}
where m.tenant_id = %(tenant)s and m.measure_id = %(measure)s and {column} >= %(first)s and {column} < %(last)s
  and m.account_id > 0 and m.value <> 0
group by 1, 2"""


_DAYS = "m.tenant_id = %(tenant)s and m.measure_id = %(measure)s and m.day >= %(since)s and m.day <= %(last)s"
_TOTAL_DAILY = f"select m.day, sum(m.value) from published.total_day m where {_DAYS} group by m.day"
_NOBODYS_DAILY = f"select m.day, m.value from published.measure_day m where {_DAYS} {_NOBODYS}"
# Accounts that stay in one slice over all samples: every day once, so that windows are a matter of adding days.
_SETTLED = f"""select slice.g, m.day, sum(m.value)
from published.measure_day m {_joined("int")}
where {_DAYS} group by slice.g, m.day"""
# Accounts that are in a slice for a part of the samples: their days with that part.
_MOVED = f"""select slice.g, m.day, slice.lo, slice.hi, sum(m.value)
from published.measure_day m {_joined("int")}
where {_DAYS} group by slice.g, m.day, slice.lo, slice.hi"""
