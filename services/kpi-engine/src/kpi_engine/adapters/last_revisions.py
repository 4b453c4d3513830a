"""What a transaction revised of last values: the sum over all accounts, and the tenant itself, on stretches of days.

A day is told from the first one on that anything was known of before: what was unknown wasn't another figure. Reads the days that
were touched and their neighbours, and one value of each account that has any.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate

import numpy as np

from kpi_engine.adapters.arrays import Dates, Int8s
from kpi_engine.adapters.revising import Revised, Revising
from kpi_engine.domain.buckets import day_number, day_of_number
from kpi_engine.domain.lasts_moved import Around, Key, LastsMoved, Level, levels
from kpi_engine.domain.revisions import complete_before

_AROUND = """
select t.account_id, t.day, own.value, earlier.day, earlier.value, later.day
from unnest(%(accounts)s, %(days)s) as t(account_id, day)
left join engine.last_value own on own.measure_id = %(measure)s and own.account_id = t.account_id and own.day = t.day
left join lateral (
  select day, value from engine.last_value v where v.measure_id = %(measure)s and v.account_id = t.account_id and v.day < t.day
  order by day desc limit 1
) as earlier on true
left join lateral (
  select day from engine.last_value v where v.measure_id = %(measure)s and v.account_id = t.account_id and v.day > t.day
  order by day limit 1
) as later on true
"""
# From one account that has a value to the next.
_ACCOUNTS = """
with recursive account as (
  (select account_id from engine.last_value where measure_id = %(measure)s order by account_id limit 1)
  union all
  select (select v.account_id from engine.last_value v where v.measure_id = %(measure)s and v.account_id > a.account_id
          order by v.account_id limit 1)
  from account a where a.account_id is not null
)
"""
_FIRST_UNTOUCHED = f"""
{_ACCOUNTS}
select min(first.day) from account a cross join lateral (
  select day from engine.last_value v where v.measure_id = %(measure)s and v.account_id = a.account_id
    and (v.account_id, v.day) not in (select t.account_id, t.day from unnest(%(accounts)s, %(days)s) as t(account_id, day))
  order by day limit 1
) as first
"""
# How much the sum grows from one of some ascending days to the next; to the first one, from nothing.
_SUMS = f"""
{_ACCOUNTS}, stood as (
  select a.account_id, v.day, v.value from account a cross join lateral (
    (select day, value from engine.last_value v where v.measure_id = %(measure)s and v.account_id = a.account_id
       and v.day <= %(first)s order by day desc limit 1)
    union all
    select day, value from engine.last_value v where v.measure_id = %(measure)s and v.account_id = a.account_id
      and v.day > %(first)s and v.day <= %(last)s
  ) as v
)
select width_bucket(day - 1, %(edges)s::date[]), sum(delta) from (
  select day, value - coalesce(lag(value) over (partition by account_id order by day), 0) as delta from stood) as changed
group by 1
"""


@dataclass(frozen=True, slots=True)
class LastRevisions(Revising):
    def found(self, lasts: LastsMoved) -> Iterator[Revised]:
        for measure, before in sorted(lasts.before.items()):
            yield from self._of_measure(measure, before)

    def _of_measure(self, measure: str, before: Mapping[Key, Decimal | None]) -> Iterator[Revised]:
        measure_id, open_from = self.moved.ids[measure], self.open_from(measure)
        if not self.everything and min(day for _, day in before) >= open_from:
            return
        touched = np.array(sorted(before), np.int64)
        parameters = {
            "measure": measure_id,
            "accounts": Int8s(touched[:, 0]),
            "days": Dates(touched[:, 1]),
        }
        known = self._first_known(before, parameters)
        today = complete_before(self.local, self.as_of_us, timedelta(0))
        found = levels(before, self._around(parameters), today + 1 if known is None else known, today)
        told = [one for one in found if self.everything or one.day < open_from]
        accounts = frozenset(account for account, _ in before)
        for one, after in zip(told, self._sums(measure_id, told), strict=True):
            complete = one.day < open_from and known is not None and one.day >= known
            yield Revised(measure_id, None, one.day, one.until, after - one.change, after, complete, accounts)

    def _first_known(
        self, before: Mapping[Key, Decimal | None], parameters: Mapping[str, object]
    ) -> int | None:
        """The first day of which any account had a value before."""
        row = self.conn.execute(_FIRST_UNTOUCHED, parameters).fetchone()
        untouched = [day_number(row[0])] if row and row[0] is not None else []
        return min(
            [*untouched, *(day for (_, day), value in before.items() if value is not None)], default=None
        )

    def _around(self, parameters: Mapping[str, object]) -> dict[Key, Around]:
        return {
            (account, day_number(day)): Around(
                value,
                None if earlier_day is None else day_number(earlier_day),
                earlier,
                None if later_day is None else day_number(later_day),
            )
            for account, day, value, earlier_day, earlier, later_day in self.conn.execute(_AROUND, parameters)
        }

    def _sums(self, measure_id: int, told: Sequence[Level]) -> list[Decimal]:
        """The tenant's figure on the first day of each stretch; these are in order."""
        if not told:
            return []
        days = [one.day for one in told]
        parameters = {
            "measure": measure_id,
            "first": day_of_number(days[0]),
            "last": day_of_number(days[-1]),
            "edges": Dates(np.array(days, np.int64)),
        }
        grown: dict[int, Decimal] = dict(self.conn.execute(_SUMS, parameters).fetchall())
        return list(accumulate(grown.get(number, Decimal(0)) for number in range(len(days))))
