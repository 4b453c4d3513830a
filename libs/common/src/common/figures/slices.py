"""Which slice each account is in, and from when to when: traits with history as half-open intervals, in SQL.

A common table expression `slice(account_id, lo, hi, g, v0, v1, ...)`: in [lo, hi) the account is in group number g with
the values v. The unit of lo and hi is the `Space`: local days (a trait counts from the first day that starts after it was
set), positions of sample days, or positions of instants (a trait counts at instants strictly after it was set).
Numbers of groups hold within one statement only; values are what joins statements.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from common.figures.model import GroupValue

Space = Literal["day", "sample", "instant"]
GroupKey = tuple[GroupValue, ...]
ACCOUNT = "account"  # the dimension that is no trait: each account is its own group

_LOCAL_DAY = "(t.at at time zone %(zone)s)::date"
_STARTS: Mapping[Space, str] = {
    "day": f"{_LOCAL_DAY} + 1",
    "sample": f"width_bucket({_LOCAL_DAY}, %(samples)s::date[])",
    "instant": "width_bucket(t.at, %(instants)s::timestamptz[])",
}
_ENDS: Mapping[Space, tuple[str, str]] = {
    "day": ("'-infinity'::date", "'infinity'::date"),
    "sample": ("0", "cardinality(%(samples)s::date[])"),
    "instant": ("0", "cardinality(%(instants)s::timestamptz[])"),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures, and which accounts of theirs count where."""

    tenant_id: int
    zone: str
    group_by: tuple[str, ...] = ()
    filter: Mapping[str, tuple[GroupValue, ...]] | None = None
    accounts: tuple[str, ...] | None = None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Those grouped by, then those only filtered by."""
        return (*self.group_by, *(name for name in self.filter or {} if name not in self.group_by))

    @property
    def reads_accounts(self) -> bool:
        return bool(self.dimensions) or self.accounts is not None

    @property
    def values(self) -> str:
        """The columns of a group's values."""
        return "".join(f", v{index}" for index in range(len(self.group_by)))

    def params(self, **more: Any) -> dict[str, Any]:
        shared = {"tenant": self.tenant_id, "zone": self.zone, "accounts": list(self.accounts or ())}
        names = {f"dim_{index}": name for index, name in enumerate(self.dimensions)}
        return {**shared, **names, **self._filter_params(), **more}

    def slices(self, space: Space) -> str:
        """`account` and `slice` as the beginning of a WITH list."""
        return f"""account as materialized (
  select account_id, account from published.account where tenant_id = %(tenant)s{self._accounts()}
){self._dimension_tables(space)}, slice as materialized (
  {self._cut(space)}
)"""

    def groups(self) -> str:
        """A statement: the values of every group that some account, once heard of, is in on a local day of [first, last]."""
        if not self.group_by:
            return ""
        return f"""with {self.slices("day")}, known as (
  select account_id, coalesce((first_event_at at time zone %(zone)s)::date, %(first)s::date) as since
  from published.account p join account using (account_id) where p.tenant_id = %(tenant)s
)
select distinct {self.values[2:]} from slice join known using (account_id)
where slice.hi > greatest(%(first)s::date, known.since) and slice.lo <= %(last)s::date and known.since <= %(last)s::date"""

    def key(self, values: Sequence[Any]) -> GroupKey:
        """A group's values as they came from the database."""
        return tuple(_plain(value) for value in values)

    def _accounts(self) -> str:
        return "" if self.accounts is None else " and account = any(%(accounts)s)"

    def _dimension_tables(self, space: Space) -> str:
        return "".join(f", {_dimension(index, name, space)}" for index, name in enumerate(self.dimensions))

    def _cut(self, space: Space) -> str:
        if not self.dimensions:
            low, high = _ENDS[space]
            return f"select account_id, {low} as lo, {high} as hi, 1 as g from account"
        tables = [f"dim_{index}" for index in range(len(self.dimensions))]
        lo, hi = (_extreme(tables, "lo", "greatest"), _extreme(tables, "hi", "least"))
        columns = "".join(f", dim_{index}.value as v{index}" for index in range(len(self.group_by)))
        ranked = ", ".join(f"dim_{index}.value" for index in range(len(self.group_by)))
        group = f"(dense_rank() over (order by {ranked}))::int" if ranked else "1"
        joins = "".join(f" join {table} using (account_id)" for table in tables[1:])
        conditions = [f"{lo} < {hi}", *self._filter_conditions()]
        return (
            f"select account_id, {lo} as lo, {hi} as hi, {group} as g{columns} "
            f"from {tables[0]}{joins} where {' and '.join(conditions)}"
        )

    def _filter_conditions(self) -> list[str]:
        return [
            f"coalesce(dim_{index}.value #>> '{{}}' = any(%(texts_{index})s), %(unset_{index})s)"
            for index, name in enumerate(self.dimensions)
            if name in (self.filter or {})
        ]

    def _filter_params(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for index, name in enumerate(self.dimensions):
            if self.filter and name in self.filter:
                wanted = self.filter[name]
                found[f"texts_{index}"] = [
                    text for value in wanted if value is not None for text in _texts(value)
                ]
                found[f"unset_{index}"] = None in wanted
        return found


def _extreme(tables: Sequence[str], column: str, function: str) -> str:
    columns = ", ".join(f"{table}.{column}" for table in tables)
    return f"{function}({columns})"


def _dimension(index: int, name: str, space: Space) -> str:
    """`dim_N(account_id, lo, hi, value)`: one trait's history. Before it was first set, and once cleared, its value is null."""
    low, high = _ENDS[space]
    if name == ACCOUNT:
        return f"dim_{index} as (select account_id, {low} as lo, {high} as hi, to_jsonb(account) as value from account)"
    return f"""dim_{index} as (
  select account_id, lo, hi, value from (
    select account_id, value, lo, lead(lo, 1, {high}) over (
      partition by account_id order by lo, at, source collate "C", event_id collate "C") as hi
    from (
      select account_id, {low} as lo, '-infinity'::timestamptz as at, '' as source, '' as event_id, null::jsonb as value
      from account
      union all
      select account_id, {_STARTS[space]}, t.at, t.source, t.event_id, nullif(t.value, 'null'::jsonb)
      from published.trait t join account using (account_id)
      where t.tenant_id = %(tenant)s and t.person_id = 0 and t.name = %(dim_{index})s
    ) history
  ) spans where lo < hi
)"""


def _texts(value: GroupValue) -> list[str]:
    """How a wanted value may be written as JSON text."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, float) and value.is_integer():
        return [json.dumps(value), json.dumps(int(value))]
    return [json.dumps(value)]


def _plain(value: Any) -> GroupValue:
    """A trait's value; lists and objects as their JSON text, so that they can name a group."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value
