"""Sums of stored measures, by group and position: the statements, and nothing of what a metric makes of them.

Tenant figures read the totals; figures of slices read the accounts' rows, each row once.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import psycopg

from common.figures.slices import GroupKey, Scope

WHOLE: GroupKey = ()
Grain = Literal["hour", "day"]
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """`accounts`: how many accounts have a row in it; None where that isn't known."""

    value: int
    accounts: int | None = None


Cells = Mapping[GroupKey, Mapping[int, Cell]]


@dataclass(frozen=True, slots=True)
class Store:
    """One tenant's measures as the engine keeps them. `ids`: a measure that was never seen has none, and is 0."""

    conn: Connection
    scope: Scope
    ids: Mapping[str, int]

    def sums(self, row: str, grain: Grain, starts: Sequence[Any]) -> Cells:
        """Position i: the sum over [starts[i], starts[i + 1]). `starts` are instants or local days, in order."""
        measure = self.ids.get(row)
        if measure is None or len(starts) < 2:
            return {}
        if self.scope.reads_accounts:
            return self._sliced_sums(measure, grain, starts)
        return self._total_sums(measure, grain, starts)

    def groups(self, first: dt.date, last: dt.date) -> list[GroupKey]:
        """The groups that some account is in on a day of [first, last]."""
        if not self.scope.group_by:
            return [WHOLE]
        found = self.conn.execute(self.scope.groups(), self.scope.params(first=first, last=last))
        return [self.scope.key(values) for values in found]

    def daily(self, row: str, grain: Grain, samples: Sequence[dt.date], since: dt.date | None) -> DailySums:
        """Every day's sum of `row` from `since` on (None: from the beginning), as far as the samples need it."""
        measure = self.ids.get(row)
        if measure is None or not samples:
            return DailySums({}, [])
        params = self.scope.params(
            measure=measure, since=since or dt.date.min, last=samples[-1], samples=list(samples)
        )
        if not self.scope.reads_accounts:
            rows = self.conn.execute(_total_daily_statement(grain), params).fetchall()
            return DailySums({WHOLE: {day: int(value) for day, value in rows}}, [])
        return self._sliced_daily(grain, params)

    def _total_sums(self, measure: int, grain: Grain, starts: Sequence[Any]) -> Cells:
        params = self.scope.params(measure=measure, starts=list(starts), first=starts[0], last=starts[-1])
        found = self.conn.execute(_total_statement(grain, starts), params)
        return {WHOLE: {int(k): Cell(int(value)) for k, value in found}}

    def _sliced_sums(self, measure: int, grain: Grain, starts: Sequence[Any]) -> Cells:
        params = self.scope.params(measure=measure, starts=list(starts), first=starts[0], last=starts[-1])
        cells: dict[GroupKey, dict[int, Cell]] = defaultdict(dict)
        for k, value, accounts, *values in self.conn.execute(
            _sliced_statement(self.scope, grain, starts), params
        ):
            cells[self.scope.key(values)][int(k)] = Cell(int(value), int(accounts))
        return cells

    def _sliced_daily(self, grain: Grain, params: dict[str, Any]) -> DailySums:
        settled: dict[GroupKey, dict[dt.date, int]] = defaultdict(dict)
        for day, value, *values in self.conn.execute(_settled_statement(self.scope, grain), params):
            settled[self.scope.key(values)][day] = int(value)
        moved = [
            Moved(self.scope.key(values), day, lo, hi, int(value))
            for day, lo, hi, value, *values in self.conn.execute(_moved_statement(self.scope, grain), params)
        ]
        return DailySums(settled, moved)


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
    moved: Sequence[Moved]


def _total_daily_statement(grain: Grain) -> str:
    return f"""
select {_LOCAL_DAY[grain]} as local_day, sum(value) from published.total_{grain} m
where tenant_id = %(tenant)s and measure_id = %(measure)s and {_SINCE[grain]} group by local_day"""


_LOCAL_DAY: Mapping[Grain, str] = {"day": "m.day", "hour": "(m.bucket at time zone %(zone)s)::date"}
_SINCE: Mapping[Grain, str] = {
    "day": "m.day >= %(since)s and m.day <= %(last)s",
    "hour": """m.bucket >= %(since)s::date::timestamp at time zone %(zone)s
    and m.bucket < (%(last)s::date + 1)::timestamp at time zone %(zone)s""",
}


def _position(grain: Grain, starts: Sequence[Any], column: str) -> str:
    """The position of a row. Subtraction where the days follow one another; it is several times cheaper."""
    if grain == "day":
        if _consecutive(starts):
            return f"({column} - %(first)s::date)"
        return f"width_bucket({column}, %(starts)s::date[]) - 1"
    return f"width_bucket({column}, %(starts)s::timestamptz[]) - 1"


def _consecutive(days: Sequence[dt.date]) -> bool:
    return all((following - day).days == 1 for day, following in pairwise(days))


def _column(grain: Grain) -> str:
    return "bucket" if grain == "hour" else "day"


def _total_statement(grain: Grain, starts: Sequence[Any]) -> str:
    column = _column(grain)
    return f"""
select {_position(grain, starts, column)} as k, sum(value) from published.total_{grain}
where tenant_id = %(tenant)s and measure_id = %(measure)s and {column} >= %(first)s and {column} < %(last)s
group by k"""


def _sliced_statement(scope: Scope, grain: Grain, starts: Sequence[Any]) -> str:
    """Rows in the slice of their own local day. Accounts are counted by hashing (account, position) once."""
    column = _column(grain)
    inside = {
        "day": "m.day >= slice.lo and m.day < slice.hi",
        "hour": "m.bucket >= slice.lo::timestamp at time zone %(zone)s and m.bucket < slice.hi::timestamp at time zone %(zone)s",
    }[grain]
    if not scope.dimensions:
        inside = "true"
    row = f"""select slice.g, {_position(grain, starts, f"m.{column}")} as k, m.account_id, m.value
  from published.measure_{grain} m join slice on slice.account_id = m.account_id and {inside}
  where m.tenant_id = %(tenant)s and m.measure_id = %(measure)s and m.{column} >= %(first)s and m.{column} < %(last)s"""
    by_account = "select g, k, sum(value) as value, count(*) as accounts from row group by g, k"
    if not (grain == "day" and _consecutive(starts)):  # otherwise an account has one row a position
        by_account = (
            "select g, k, sum(value) as value, count(*) as accounts from "
            "(select g, k, account_id, sum(value) as value from row group by g, k, account_id) a group by g, k"
        )
    return f"""with {scope.slices("day")}, row as ({row}), cell as ({by_account})
select k, value, accounts{scope.values} from cell {_names(scope)}"""


def _settled_statement(scope: Scope, grain: Grain) -> str:
    """Accounts that stay in one slice over all samples: every day once, so that windows are a matter of adding days."""
    return f"""with {scope.slices("sample")}, cell as (
  select slice.g, {_LOCAL_DAY[grain]} as local_day, sum(m.value) as value
  from published.measure_{grain} m join slice on slice.account_id = m.account_id
  where m.tenant_id = %(tenant)s and m.measure_id = %(measure)s and {_SINCE[grain]}
    and slice.lo = 0 and slice.hi = cardinality(%(samples)s::date[])
  group by slice.g, local_day
)
select local_day, value{scope.values} from cell {_names(scope)}"""


def _moved_statement(scope: Scope, grain: Grain) -> str:
    """Accounts that are in a slice for a part of the samples: their days with that part."""
    return f"""with {scope.slices("sample")}, cell as (
  select slice.g, {_LOCAL_DAY[grain]} as local_day, slice.lo, slice.hi, sum(m.value) as value
  from published.measure_{grain} m join slice on slice.account_id = m.account_id
  where m.tenant_id = %(tenant)s and m.measure_id = %(measure)s and {_SINCE[grain]}
    and (slice.lo > 0 or slice.hi < cardinality(%(samples)s::date[]))
  group by slice.g, local_day, slice.lo, slice.hi
)
select local_day, cell.lo, cell.hi, value{scope.values} from cell {_names(scope)}"""


def _names(scope: Scope) -> str:
    return f"join (select distinct g{scope.values} from slice) named using (g)" if scope.group_by else ""
