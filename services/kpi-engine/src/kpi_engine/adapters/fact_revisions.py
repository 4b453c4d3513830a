"""What a transaction revised of recurring revenue and of steps of cases: figures before and after, read from what is stored.

A day's figure is told where something of its kind was known before: what a tenant begins with revises nothing.
Called only where something moved on a day before the transaction's. The price follows what came late, but for one pass over the
tenant's MRR of a currency.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np

from common.catalogue.staff import left_out
from common.figures.formulas import MRR
from kpi_engine.adapters.arrays import Instants, Int8s, Words
from kpi_engine.adapters.revising import Revised, Revising
from kpi_engine.domain.buckets import day_number, day_of_number
from kpi_engine.domain.facts_moved import FactsMoved, StepMoved, Worth
from kpi_engine.domain.revisions import complete_before

# How much of the currency acts before each of some ascending instants: one pass, however many there are.
_WORTHS = """
select width_bucket(at, %(ends)s::timestamptz[]), sum(delta) from engine.mrr_change
where tenant_id = %(tenant_id)s and currency = %(currency)s group by 1
"""
_COUNTS = """(%(with_internal)s or not exists (select from engine.person p where p.id = {row}.person_id and p.is_internal))"""
# The first step of its kind of each case that was touched: before, and after. Where cases begin anew, every event is told by itself.
_FIRSTS = f"""
with said as (
  select * from unnest(%(accounts)s, %(entities)s, %(at)s, %(sources)s, %(ids)s, %(persons)s, %(added)s::boolean[])
    as s(account_id, entity, at, source, event_id, person_id, added)
), counted as (
  select * from said s where {_COUNTS.format(row="s")}
), cases as (
  select account_id, entity, min(at) filter (where added) as told, min(at) filter (where not added) as gone
  from counted group by account_id, entity, case when %(anew)s then at end, case when %(anew)s then source end, case when %(anew)s then event_id end
)
select least(c.gone, o.at), least(c.told, o.at) from cases c
left join lateral (
  select min(k.at) as at from engine.step k
  left join said s on s.added and s.account_id = k.account_id and s.entity = k.entity and s.at = k.at and s.source = k.source
    and s.event_id = k.event_id
  where k.measure_id = %(measure)s and k.account_id = c.account_id and k.entity = c.entity and k.step = %(step)s
    and s.at is null and not %(anew)s and {_COUNTS.format(row="k")}
) o on true
"""
_EARNED_ELSE = """
select exists (select from engine.mrr_change where tenant_id = %(tenant_id)s and account_id <> all(%(payers)s))
"""
# How many cases took a step first between two instants, and whether more events tell of that step than those of the transaction.
_ON_DAYS = f"""
select (
    select count(distinct (s.account_id, s.entity, case when %(anew)s then (s.at, s.source, s.event_id) end)) from engine.step s
    where s.measure_id = %(measure)s and s.step = %(step)s and s.at >= w.first and s.at < w.last and {_COUNTS.format(row="s")}
      and (%(anew)s or not exists (
        select from engine.step e where e.measure_id = s.measure_id and e.account_id = s.account_id and e.entity = s.entity
          and e.step = s.step and e.at < w.first and {_COUNTS.format(row="e")}))
  ), (
    select count(*) > %(added)s from (
      select from engine.step e where e.measure_id = %(measure)s and e.step = %(step)s limit %(added)s + 1) as known
  )
from unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) with ordinality as w(first, last, n) order by w.n
"""


@dataclass(frozen=True, slots=True)
class FactRevisions(Revising):
    def found(self, facts: FactsMoved) -> list[Revised]:
        return [*self._revenue(facts), *self._steps(facts.steps)]

    def _payers(self, facts: FactsMoved) -> frozenset[int]:
        """Whose revenue moved on days that may be told."""
        open_from = self.open_from(MRR)
        days = self.local.days(np.fromiter(facts.payers.values(), np.int64, len(facts.payers))).tolist()
        by_day = zip(facts.payers, days, strict=True)
        return frozenset(account for account, day in by_day if self.everything or day < open_from)

    def _revenue(self, facts: FactsMoved) -> Iterator[Revised]:
        open_from = self.open_from(MRR)
        today = complete_before(self.local, self.as_of_us, timedelta(0))
        by_currency: dict[str, list[Worth]] = defaultdict(list)
        for its in facts.worths(self.local, today):
            if self.everything or its.day < open_from:
                by_currency[its.currency].append(its)
        payers = self._payers(facts) if by_currency else frozenset()
        known = bool(by_currency) and (facts.earned or self._earned_else(facts))
        for currency, worths in by_currency.items():
            for its, after in zip(worths, self._worths(currency, worths), strict=True):
                before = after - its.change
                complete = its.day < open_from and known
                yield Revised(0, currency, its.day, its.until, before, after, complete, payers)

    def _earned_else(self, facts: FactsMoved) -> bool:
        parameters = {"tenant_id": self.tenant_id, "payers": list(facts.payers)}
        row = self.conn.execute(_EARNED_ELSE, parameters).fetchone()
        return bool(row and row[0])

    def _worths(self, currency: str, worths: Sequence[Worth]) -> Iterator[Decimal]:
        """MRR just before the end of the first day of each stretch; these are in order."""
        ends = [self.local.start_of(day_of_number(its.day + 1)) for its in worths]
        parameters = {"tenant_id": self.tenant_id, "currency": currency, "ends": ends}
        by_end: dict[int, Decimal] = dict(self.conn.execute(_WORTHS, parameters).fetchall())
        total = Decimal(0)
        for end in range(len(ends)):
            total += by_end.get(end, Decimal(0))
            yield total

    def _steps(self, steps: Sequence[StepMoved]) -> Iterator[Revised]:
        grouped: dict[tuple[str, str], list[StepMoved]] = defaultdict(list)
        measures = self.moved.plan.catalogue.measures
        for step in steps:
            grouped[step.measure, step.step].append(step)
        for (name, step_name), its in sorted(grouped.items()):
            elsewhen = {s.name for s in measures[name].steps if s.instant}
            if step_name not in elsewhen:  # those say when they happen, and may take it back
                yield from self._of_step(name, step_name, its)

    def _of_step(self, measure: str, step: str, moved: Sequence[StepMoved]) -> Iterator[Revised]:
        row = f"{measure}_steps"
        open_from, measure_id = self.open_from(row), self.moved.ids[row]
        catalogue = self.moved.plan.catalogue
        parameters = {
            "measure": measure_id,
            "step": step,
            "anew": any(one.new_case for one in catalogue.measures[measure].steps),
            "with_internal": step not in left_out(catalogue.measures[measure], catalogue),
        }
        changes = {
            day: change
            for day, change in self._changes(moved, parameters).items()
            if change and (self.everything or day < open_from)
        }
        days = sorted(changes)
        if not days:
            return
        parameters |= {
            "firsts": [self.local.start_of(day_of_number(day)) for day in days],
            "lasts": [self.local.start_of(day_of_number(day + 1)) for day in days],
            "added": sum(its.added for its in moved),
        }
        accounts = frozenset(its.account_id for its in moved)
        for day, (after, begun) in zip(days, self.conn.execute(_ON_DAYS, parameters), strict=True):
            before = after - changes[day]
            complete = day < open_from and (begun or not all(its.added for its in moved))
            yield Revised(measure_id, step, day, day + 1, Decimal(before), Decimal(after), complete, accounts)

    def _changes(self, moved: Sequence[StepMoved], parameters: dict[str, object]) -> dict[int, int]:
        """By local day, how many more cases took the step first on it."""
        said = parameters | {
            "accounts": Int8s(np.array([its.account_id for its in moved], np.int64)),
            "entities": Words([its.entity for its in moved]),
            "at": Instants(np.array([its.at_us for its in moved], np.int64)),
            "sources": Words([its.source for its in moved]),
            "ids": Words([its.event_id for its in moved]),
            "persons": Int8s(np.array([its.person_id for its in moved], np.int64)),
            "added": [its.added for its in moved],
        }
        found: dict[int, int] = defaultdict(int)
        for before, after in self.conn.execute(_FIRSTS, said):
            for at, sign in ((before, -1), (after, 1)):
                if at is not None:
                    found[day_number(self.local.day_at(at))] += sign
        return found
