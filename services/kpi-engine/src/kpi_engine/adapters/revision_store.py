"""Revisions: figures that are other ones than they were when their bucket was complete."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from kpi_engine.adapters.answer_revisions import AnswerRevisions
from kpi_engine.adapters.arrays import Dates, Int8s
from kpi_engine.adapters.first_step_revisions import FirstStepRevisions
from kpi_engine.adapters.last_revisions import LastRevisions
from kpi_engine.adapters.revenue_revisions import RevenueRevisions
from kpi_engine.adapters.revising import Revised
from kpi_engine.adapters.step_revisions import StepRevisions
from kpi_engine.domain.answers import ANSWERS, DETRACTORS, PROMOTERS
from kpi_engine.domain.buckets import day_of_number, instant
from kpi_engine.domain.moved import Moved, together
from kpi_engine.domain.revisions import (
    Cause,
    Stretch,
    accounts_of,
    complete_before,
    stretches,
)
from kpi_engine.ports.connection import Connection

# The tenant's figure after the change, on the first day of each stretch. A rolling figure is minus the sum of the deltas after it,
# which reach as far as its window: the price doesn't depend on how long the history is.
_AFTER = """
select case
  when w.rolling then (select -coalesce(sum(t.value), 0) from engine.total_day t
                       where t.measure_id = w.measure and t.partition = any(p.all) and t.day > w.day)
  else (select coalesce(sum(t.value), 0) from engine.total_day t
        where t.measure_id = w.measure and t.partition = any(p.all) and t.day = w.day)
  end
from (select array_agg(distinct partition) as all from engine.progress) as p,
  unnest(%(measures)s, %(days)s, %(rolling)s::bool[]) with ordinality as w(measure, day, rolling, n)
order by w.n
"""
_INSERT = """
insert into engine.revision (tenant_id, partition, why, seq, account_ids, first_day, last_day, measures, days, untils, befores, afters,
                             completes, parts)
values (%(tenant_id)s, %(partition)s, %(why)s, %(seq)s, %(accounts)s::bigint[], %(first)s, %(last)s, %(measures)s, %(days)s, %(untils)s,
        %(befores)s::numeric[], %(afters)s::numeric[], %(completes)s::bool[], %(parts)s::text[])
"""
# By the stamps of events: a load may have ended long before what it sent is applied.
_LOADING = """
select exists (select from control.load where tenant_id = %(tenant_id)s and started_at <= %(at)s
               and coalesce(ended_at, heartbeat_at + interval '5 minutes') >= %(at)s)
"""
_AT_ONCE = timedelta(0)


class RevisionStore:
    def note(
        self,
        conn: Connection,
        tenant_id: int,
        partition: int,
        cause: Cause,
        moved: Sequence[Moved],
        as_of_us: int,
        earliest_us: int | None = None,
    ) -> int:
        """Write what was revised, in the transaction that changed it and after it did; returns how many stretches.

        `moved`: by writes of one plan; what they moved in sum is told.
        `as_of_us` is the stamp up to which the partition had been applied before: what was complete then and is another figure now
        is a revision, unless history is being loaded. `earliest_us`: nothing before this instant's day was touched. What people decided is told for other buckets too, marked so.
        """
        if not moved:
            return 0
        one = together(moved)
        found: list[Revised] = []
        # The cheap question first: nearly all batches hold nothing that late.
        first_open = complete_before(one.plan.local, as_of_us, one.plan.settling.least)
        if earliest_us is None or complete_before(one.plan.local, earliest_us, _AT_ONCE) < first_open:
            changed = stretches(one)
            if not cause.tells_all:
                changed = [stretch for stretch in changed if stretch.day < first_open]
                if changed and self._loading(conn, tenant_id, as_of_us):
                    return 0
            if changed:
                found += self._revised(conn, one, changed, as_of_us)
        found += self._facts(conn, tenant_id, cause, one, as_of_us)
        if not cause.tells_all:
            found = [its for its in found if its.complete]
        # A row for each set of accounts: of most transactions a few.
        by_accounts: dict[frozenset[int], list[Revised]] = defaultdict(list)
        for its in found:
            by_accounts[its.accounts].append(its)
        for accounts, of_them in by_accounts.items():
            self._insert(conn, tenant_id, partition, cause, sorted(accounts), of_them)
        return len(found)

    def _facts(
        self, conn: Connection, tenant_id: int, cause: Cause, moved: Moved, as_of_us: int
    ) -> list[Revised]:
        """What was revised that is kept in no cells."""
        facts = moved.facts
        local = moved.plan.local
        since = None if facts is None else facts.first_day(moved.plan)
        if facts is None or since is None:
            return []
        if not cause.tells_all and (
            since >= complete_before(local, as_of_us, moved.plan.settling.least)
            or self._loading(conn, tenant_id, as_of_us)
        ):
            return []
        of = (conn, tenant_id, moved, as_of_us, cause.tells_all)
        return [
            *RevenueRevisions(*of).found(facts),
            *StepRevisions(*of).found(facts.steps),
            *FirstStepRevisions(*of).found(facts.firsts),
            *AnswerRevisions(*of).found(facts.answers),
            *LastRevisions(*of).found(facts.lasts),
        ]

    def _revised(
        self, conn: Connection, moved: Moved, changed: Sequence[Stretch], as_of_us: int
    ) -> list[Revised]:
        name_of = {measure_id: name for name, measure_id in moved.ids.items()}
        open_from: Mapping[str, int] = {
            name: complete_before(moved.plan.local, as_of_us, wait)
            for name, wait in moved.plan.settling.seconds.items()
        }
        accounts = accounts_of(moved, changed)
        found: list[Revised] = []
        whole = {
            moved.ids[f"{name}_{part}"]: moved.ids[f"{name}_{ANSWERS}"]
            for name in moved.plan.nps for part in (PROMOTERS, DETRACTORS) if f"{name}_{part}" in moved.ids
        }  # fmt: skip
        of_whole = [
            replace(one, measure_id=whole[one.measure_id]) for one in changed if one.measure_id in whole
        ]
        answers = iter(self._afters(conn, of_whole))
        for stretch, after in zip(changed, self._afters(conn, changed), strict=True):
            before = stood = after - stretch.change
            if stretch.measure_id in whole:  # there may be no detractor among answers
                stood = next(answers) - _change_of(whole[stretch.measure_id], stretch.day, changed)
            complete = stretch.day < open_from.get(name_of[stretch.measure_id], stretch.day) and stood != 0
            found.append(
                Revised(
                    stretch.measure_id,
                    None,
                    stretch.day,
                    stretch.until,
                    before,
                    after,
                    complete,
                    accounts[stretch.measure_id],
                )
            )
        return found

    def _afters(self, conn: Connection, stretches: Sequence[Stretch]) -> list[Decimal]:
        """The tenant's figures on the first days of stretches."""
        if not stretches:
            return []
        parameters = {
            "measures": Int8s(np.array([stretch.measure_id for stretch in stretches], np.int64)),
            "days": Dates(np.array([stretch.day for stretch in stretches], np.int64)),
            "rolling": [stretch.rolling for stretch in stretches],
        }
        return [after for (after,) in conn.execute(_AFTER, parameters)]

    def _loading(self, conn: Connection, tenant_id: int, at_us: int) -> bool:
        row = conn.execute(_LOADING, {"tenant_id": tenant_id, "at": instant(at_us)}).fetchone()
        return bool(row and row[0])

    def _insert(
        self,
        conn: Connection,
        tenant_id: int,
        partition: int,
        cause: Cause,
        accounts: Sequence[int],
        found: Sequence[Revised],
    ) -> None:
        days = np.array([its.day for its in found], np.int64)
        untils = np.array([its.until for its in found], np.int64)
        parameters = {
            "tenant_id": tenant_id,
            "partition": partition,
            "why": cause.why,
            "seq": cause.seq,
            "accounts": list(accounts),
            "first": day_of_number(int(days.min())),
            "last": day_of_number(int(untils.max()) - 1),
            "measures": [its.measure_id for its in found],
            "days": Dates(days),
            "untils": Dates(untils),
            "befores": [its.before for its in found],
            "afters": [its.after for its in found],
            "completes": [its.complete for its in found],
            "parts": [its.part for its in found],
        }
        conn.execute(_INSERT, parameters)


def _change_of(measure_id: int, day: int, changed: Sequence[Stretch]) -> int:
    return sum(one.change for one in changed if one.measure_id == measure_id and one.day <= day < one.until)
