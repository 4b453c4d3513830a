"""What a transaction revised of steps of cases: how many cases took a step on a local day, before and after.

A case takes a step at the first of its events, or when the last one told says that it happens. A day's figure is told where an event
of that step was known before: what a tenant begins with revises nothing. The price follows what moved.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.catalogue.staff import left_out
from kpi_engine.adapters.arrays import Instants, Int8s, Words
from kpi_engine.adapters.revising import Revised, Revising
from kpi_engine.domain.buckets import day_number
from kpi_engine.domain.steps import Kind
from kpi_engine.domain.steps_moved import StepMoved, StepsMoved

COUNTS = """(%(with_internal)s or not exists (select from engine.person p where p.id = {row}.person_id and p.is_internal))"""
_SAID = """said as (
  select * from unnest(%(accounts)s, %(entities)s, %(at)s, %(sources)s, %(ids)s, %(acts_at)s::timestamptz[], %(added)s::boolean[])
    as s(account_id, entity, at, source, event_id, acts_at, added)
)"""
# What is stored of a case and counted before too.
_STOOD = f"""
  from engine.step k
  left join said s on s.added and s.account_id = k.account_id and s.entity = k.entity and s.at = k.at and s.source = k.source
    and s.event_id = k.event_id
  where k.measure_id = %(measure)s and k.account_id = c.account_id and k.entity = c.entity and k.step = %(step)s
    and s.at is null and {COUNTS.format(row="k")}
"""
# The first step of its kind of each case that was touched: before, and after. Where cases begin anew, every event is told by itself.
_FIRSTS = f"""
with {_SAID}, cases as (
  select account_id, entity, min(at) filter (where added) as told, min(at) filter (where not added) as gone
  from said group by account_id, entity, case when %(anew)s then at end, case when %(anew)s then source end, case when %(anew)s then event_id end
)
select least(c.gone, o.at), least(c.told, o.at) from cases c
left join lateral (select min(k.at) as at {_STOOD} and not %(anew)s) o on true
"""
# When each case that was touched takes the step, as the last event said: before, and after.
_LAST_SAID = f"""
with {_SAID}, cases as (
  select distinct account_id, entity from said
)
select was.acts_at, stands.acts_at from cases c
left join lateral (
  select e.acts_at from (
    select k.at, k.source, k.event_id, k.acts_at {_STOOD}
    union all
    select g.at, g.source, g.event_id, g.acts_at from said g where not g.added and g.account_id = c.account_id and g.entity = c.entity
  ) as e order by e.at desc, e.source collate "C" desc, e.event_id collate "C" desc limit 1
) was on true
left join lateral (
  select k.acts_at from engine.step k
  where k.measure_id = %(measure)s and k.account_id = c.account_id and k.entity = c.entity and k.step = %(step)s
    and {COUNTS.format(row="k")}
  order by k.at desc, k.source collate "C" desc, k.event_id collate "C" desc limit 1
) stands on true
"""
# How many cases took a step first between two instants.
_FIRST_BETWEEN = f"""
select (
  select count(distinct (s.account_id, s.entity, case when %(anew)s then (s.at, s.source, s.event_id) end)) from engine.step s
  where s.measure_id = %(measure)s and s.step = %(step)s and s.at >= w.first and s.at < w.last and {COUNTS.format(row="s")}
    and (%(anew)s or not exists (
      select from engine.step e where e.measure_id = s.measure_id and e.account_id = s.account_id and e.entity = s.entity
        and e.step = s.step and e.at < w.first and {COUNTS.format(row="e")})))
from unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) with ordinality as w(first, last, n) order by w.n
"""
# How many cases take it between them, as their last event says.
_SAID_BETWEEN = f"""
select (
  select count(*) from engine.step s
  where s.measure_id = %(measure)s and s.step = %(step)s and s.acts_at >= w.first and s.acts_at < w.last and {COUNTS.format(row="s")}
    and not exists (
      select from engine.step e where e.measure_id = s.measure_id and e.account_id = s.account_id and e.entity = s.entity
        and e.step = s.step and (e.at, e.source collate "C", e.event_id collate "C") > (s.at, s.source collate "C", s.event_id collate "C")
        and {COUNTS.format(row="e")}))
from unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) with ordinality as w(first, last, n) order by w.n
"""
_MORE_THAN = """
select count(*) > %(added)s from (
  select from engine.step e where e.measure_id = %(measure)s and e.step = %(step)s limit %(added)s + 1) as stored
"""


@dataclass(frozen=True, slots=True)
class StepRevisions(Revising):
    def found(self, steps: StepsMoved) -> Iterator[Revised]:
        saying = self.moved.plan.saying
        for kind, moved in sorted(steps.moved().items(), key=lambda item: item[0]):
            begun = kind in steps.known
            yield from self._of_step(kind, moved, kind in saying, begun, steps.added[kind])

    def _of_step(
        self, kind: Kind, moved: Sequence[tuple[StepMoved, bool]], saying: bool, begun: bool, added: int
    ) -> Iterator[Revised]:
        """`saying`: the events say when. `begun`: others were stored before; else there are more than `added` if so."""
        row = f"{kind[0]}_steps"
        catalogue = self.moved.plan.catalogue
        measure = catalogue.measures[kind[0]]
        parameters = {
            "measure": self.moved.ids[row],
            "step": kind[1],
            "anew": any(one.new_case for one in measure.steps),
            "with_internal": kind[1] not in left_out(measure, catalogue),
            "added": added,
        }
        accounts = frozenset(its.account_id for its, _ in moved)
        changes = self._changes(moved, saying, parameters)
        statements = _SAID_BETWEEN if saying else _FIRST_BETWEEN, _MORE_THAN
        yield from self.days_of_step(kind, changes, accounts, statements, parameters, begun=begun)

    def _changes(
        self, moved: Sequence[tuple[StepMoved, bool]], saying: bool, parameters: Mapping[str, object]
    ) -> dict[int, int]:
        """By local day, how many more cases took the step on it."""
        steps = [its for its, _ in moved]
        said = {
            **parameters,
            "accounts": Int8s(np.array([its.account_id for its in steps], np.int64)),
            "entities": Words([its.entity for its in steps]),
            "at": Instants(np.array([its.at_us for its in steps], np.int64)),
            "sources": Words([its.source for its in steps]),
            "ids": Words([its.event_id for its in steps]),
            "acts_at": [its.acts_at for its in steps],
            "added": [added for _, added in moved],
        }
        found: dict[int, int] = defaultdict(int)
        for before, after in self.conn.execute(_LAST_SAID if saying else _FIRSTS, said):
            for at, sign in ((before, -1), (after, 1)):
                if at is not None:
                    found[day_number(self.local.day_at(at))] += sign
        return found
