"""What a transaction revised of steps of which only the first by each person is kept: how many accounts took one first on a day.

Reads the people of the accounts that were touched, and those who took the step first on a day that is told.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from common.catalogue.staff import left_out
from common.contracts.instants import microseconds
from kpi_engine.adapters.arrays import Int8s
from kpi_engine.adapters.revising import Revised, Revising
from kpi_engine.adapters.step_revisions import COUNTS
from kpi_engine.domain.firsts_moved import FirstsMoved, Key
from kpi_engine.domain.steps import Kind

# What is asked by account is found by the key, whatever the planner knows of a table that has just begun to fill: `step || ''` keeps it
# from the index by instant, in which it would read every account's.
# Of each account that was touched: when others of it took the step first, which is as it was.
_OTHERS = f"""
select t.account_id, (
  select min(k.at) from engine.first_step k
  where k.measure_id = %(measure)s and k.account_id = t.account_id and k.step || '' = %(step)s and {COUNTS.format(row="k")}
    and (k.account_id, k.person_id) not in (
      select g.account_id, g.person_id from unnest(%(accounts)s, %(persons)s) as g(account_id, person_id)))
from (select distinct account_id from unnest(%(accounts)s) as a(account_id)) as t
"""
_NOW = f"""
select t.account_id, min(k.at) from unnest(%(accounts)s, %(persons)s) as t(account_id, person_id)
cross join lateral (
  select s.at from engine.first_step s
  where s.measure_id = %(measure)s and s.account_id = t.account_id and s.person_id = t.person_id and s.step || '' = %(step)s
    and {COUNTS.format(row="s")} offset 0
) as k
group by 1
"""
_FIRST_BETWEEN = f"""
select (
  select count(*) from (
    select distinct s.account_id from engine.first_step s
    where s.measure_id = %(measure)s and s.step = %(step)s and s.at >= w.first and s.at < w.last and {COUNTS.format(row="s")}
    offset 0
  ) as its
  where not (select exists (
    select from engine.first_step e where e.measure_id = %(measure)s and e.account_id = its.account_id and e.step || '' = %(step)s
      and e.at < w.first and {COUNTS.format(row="e")})))
from unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) with ordinality as w(first, last, n) order by w.n
"""
_MORE_THAN = """
select count(*) > %(added)s from (
  select from engine.first_step e where e.measure_id = %(measure)s and e.step = %(step)s limit %(added)s + 1) as stored
"""


@dataclass(frozen=True, slots=True)
class FirstStepRevisions(Revising):
    def found(self, firsts: FirstsMoved) -> Iterator[Revised]:
        for kind, before in sorted(firsts.before.items()):
            yield from self._of_step(kind, before, kind in firsts.known, firsts.added[kind])

    def _of_step(
        self, kind: Kind, before: Mapping[Key, int | None], begun: bool, added: int
    ) -> Iterator[Revised]:
        """`begun`: others were stored before; else there are more than `added` if so."""
        row = f"{kind[0]}_steps"
        catalogue = self.moved.plan.catalogue
        touched = np.array(sorted(before), np.int64)
        parameters = {
            "measure": self.moved.ids[row],
            "step": kind[1],
            "with_internal": kind[1] not in left_out(catalogue.measures[kind[0]], catalogue),
            "accounts": Int8s(touched[:, 0]),
            "persons": Int8s(touched[:, 1]),
            "added": added,
        }
        accounts = frozenset(account for account, _ in before)
        changes = self._changes(before, parameters)
        statements = _FIRST_BETWEEN, _MORE_THAN
        yield from self.days_of_step(kind, changes, accounts, statements, parameters, begun=begun)

    def _changes(self, before: Mapping[Key, int | None], parameters: Mapping[str, object]) -> dict[int, int]:
        """By local day, how many more accounts took the step first on it."""
        was: dict[int, list[int]] = defaultdict(list)
        now: dict[int, list[int]] = defaultdict(list)
        for account, at in self.conn.execute(_OTHERS, parameters):
            if at is not None:
                was[account].append(microseconds(at))
                now[account].append(microseconds(at))
        for (account, _), at_us in before.items():
            if at_us is not None:
                was[account].append(at_us)
        for account, at in self.conn.execute(_NOW, parameters):
            now[account].append(microseconds(at))
        found: dict[int, int] = defaultdict(int)
        for instants, sign in ((was, -1), (now, 1)):
            for day in self.local.days(np.array([min(at) for at in instants.values()], np.int64)).tolist():
                found[day] += sign
        return found
