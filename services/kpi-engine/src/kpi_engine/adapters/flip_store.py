"""Corrects the past when a person turns out to be internal, or not to be.

Runs before the batch itself is counted: what is stored is then exactly what was counted under the old mark. Presence
and answers of internal people are kept, only not counted, so they can be turned both ways for ever; counts, sums and
last values are read again from raw events, and so reach as far back as those are kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from kpi_engine.adapters import answer_store, last_store
from kpi_engine.adapters.last_store import LastValue
from kpi_engine.adapters.past_events import PastEvents, past_events
from kpi_engine.adapters.past_store import Uncounted
from kpi_engine.adapters.presence_store import ACCOUNT_ITSELF, PresenceStore
from kpi_engine.adapters.step_store import firsts_of_people, steps_of_people
from kpi_engine.adapters.trait_store import Flip
from kpi_engine.domain.activity import add_new_days, window_name
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import EARLIEST, LATEST, day_number, day_of_number, instant
from kpi_engine.domain.coverage import NEVER_AFTER, NEVER_BEFORE, NewDays, deltas_of_set, difference
from kpi_engine.domain.facts_moved import FactsMoved
from kpi_engine.domain.measures import Changes, add_counted, grouping_of
from kpi_engine.domain.plan import ActiveAccounts, Last, Plan
from kpi_engine.domain.reading import Reading, read, without
from kpi_engine.domain.steps_moved import OwnStaff
from kpi_engine.ports.connection import Connection

_INTERNAL = "select id from engine.person where account_id = any(%(accounts)s) and is_internal"
_PERSON_DAYS = """
select day - date '1970-01-01' from engine.presence
where measure_id = %(measure)s and account_id = %(account)s and person_id = %(person)s order by day
"""
_ACCOUNT_DAYS = """
select distinct p.day - date '1970-01-01' from engine.presence p left join engine.person who on who.id = p.person_id
where p.measure_id = %(measure)s and p.account_id = %(account)s and p.person_id >= 0
  and not coalesce(who.is_internal, false)
"""
_SOME_DAYS = " and {days} = any (select date '1970-01-01' + d from unnest(%(days)s::int4[]) as d)"
_VALUE_DAYS = """
select person_id, day - date '1970-01-01' from engine.presence
where measure_id = %(measure)s and account_id = %(account)s
"""
_RAW_FROM = "select raw_from from engine.retained where tenant_id = %(tenant)s"
_ADD_DAYS = """
insert into engine.presence (tenant_id, measure_id, account_id, person_id, day)
select %(tenant)s, %(measure)s, %(account)s, %(person)s, date '1970-01-01' + d from unnest(%(days)s::int4[]) as d
on conflict do nothing
"""
_REMOVE_DAYS = """
delete from engine.presence where measure_id = %(measure)s and account_id = %(account)s and person_id = %(person)s
  and day = any (select date '1970-01-01' + d from unnest(%(days)s::int4[]) as d)
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """One batch's corrections. `changes` collects what measures gain or lose."""

    conn: Connection
    batch: TenantBatch
    plan: Plan
    ids: Mapping[str, int]
    presence: PresenceStore
    changes: Changes
    uncovered: Uncounted = field(default_factory=dict)
    """By partition, chunks whose events these measures have not counted yet."""
    facts: FactsMoved | None = None
    """Where what moved of facts is told."""

    def apply(self, flips: Sequence[Flip]) -> None:
        accounts = sorted({flip.account_id for flip in flips})
        for flip in flips:
            self._people(flip)
            self._counts(flip)
        for account_id in accounts:
            self._active_accounts(account_id)
            self._values(account_id)
        self._answers(flips)
        self._last_values(flips)
        if self.facts is not None:
            self._told(self.facts, flips)

    def _people(self, flip: Flip) -> None:
        for distinct in self.plan.distinct:
            if distinct.path is None and distinct.selection.exclude_internal:
                key = {
                    "measure": self.ids[distinct.name],
                    "account": flip.account_id,
                    "person": flip.person_id,
                }
                rows = self.conn.execute(_PERSON_DAYS, key).fetchall()
                days = np.array([day for (day,) in rows], np.int64)
                new = NewDays(
                    np.zeros(len(days), np.int64),
                    days,
                    np.full(len(days), NEVER_BEFORE, np.int64),
                    np.full(len(days), NEVER_AFTER, np.int64),
                )
                owners = np.full(len(days), flip.account_id, np.int64)
                sign = -1 if flip.internal else 1
                windows = self._windows(distinct.name, distinct.windows)
                add_new_days(self.changes.days, owners, new, self.ids[distinct.name], windows, sign)

    def _counts(self, flip: Flip) -> None:
        measures = [m for m in self.plan.counted if m.selection.exclude_internal]
        for past in self.past([flip.account_id], flip.person_id) if measures else ():
            reading = read(past, self.plan)
            grouping = grouping_of(past, self.plan)
            nobody = np.zeros(len(past.types), np.bool_)
            for measure in measures:
                sign = -1 if flip.internal else 1
                add_counted(self.changes, reading, grouping, measure, self.ids[measure.name], nobody, sign)

    def _active_accounts(self, account_id: int) -> None:
        for measure in self.plan.active_accounts:
            key = {"measure": self.ids[measure.people], "account": account_id}
            after = {day for (day,) in self.conn.execute(_ACCOUNT_DAYS, key)}
            itself = self._itself(measure, account_id)
            before = {day for (day,) in self.conn.execute(_PERSON_DAYS, itself)}
            self._replace_days(itself, measure.name, measure.windows, before, after)
            self._forget_itself(measure, account_id, before - after)

    def active_days(self, measure: ActiveAccounts, account_id: int, days: Sequence[int]) -> None:
        """Take away those of these days on which nobody who counts is known to have been at the account any more."""
        key = {"measure": self.ids[measure.people], "account": account_id, "days": list(days)}
        statement = _ACCOUNT_DAYS + _SOME_DAYS.format(days="p.day")
        seen = {day for (day,) in self.conn.execute(statement, key)}
        itself = self._itself(measure, account_id)
        before = {day for (day,) in self.conn.execute(_PERSON_DAYS, itself)}
        gone = (before & set(days)) - seen
        self._replace_days(itself, measure.name, measure.windows, before, before - gone)
        self._forget_itself(measure, account_id, gone)

    def _itself(self, measure: ActiveAccounts, account_id: int) -> dict[str, int]:
        return {
            "tenant": self.batch.tenant_id,
            "measure": self.ids[measure.name],
            "account": account_id,
            "person": ACCOUNT_ITSELF,
        }

    def _forget_itself(self, measure: ActiveAccounts, account_id: int, days: set[int]) -> None:
        gone = np.array(sorted(days), np.int64)
        accounts = np.full(len(gone), account_id, np.int64)
        self.presence.forget(
            self.ids[measure.name], accounts, np.full(len(gone), ACCOUNT_ITSELF, np.int64), gone
        )

    def _values(self, account_id: int) -> None:
        """Values of a field are stored without who sent them, so they are read again from the account's raw events.

        Days of which some were dropped stay as they were told.
        """
        whole = self._first_whole_day()
        for distinct in self.plan.distinct:
            if distinct.path is None or not distinct.selection.exclude_internal:
                continue
            after: dict[int, set[int]] = defaultdict(set)
            for past in self.past([account_id], None):
                reading = read(past, self.plan)
                without(reading.values, _internal(past))
                for index, value in reading.values[distinct.name].items():
                    after[value].add(self._day(past, index))
            key = {"tenant": self.batch.tenant_id, "measure": self.ids[distinct.name], "account": account_id}
            before: dict[int, set[int]] = defaultdict(set)
            for value, day in self.conn.execute(_VALUE_DAYS, key):
                before[value].add(day)
                if day < whole:
                    after[value].add(day)
            for value in sorted(before.keys() | after.keys()):
                of_value = {**key, "person": value}
                self._replace_days(of_value, distinct.name, distinct.windows, before[value], after[value])

    def _replace_days(
        self, key: Mapping[str, int], name: str, windows: Sequence[int], before: set[int], after: set[int]
    ) -> None:
        if before == after:
            return
        self.conn.execute(_REMOVE_DAYS, {**key, "days": sorted(before - after)})
        self.conn.execute(_ADD_DAYS, {**key, "days": sorted(after - before)})
        cells, account = self.changes.days, key["account"]
        for day in before ^ after:
            cells.add_one(self.ids[name], account, day, 1 if day in after else -1)
        for window_days, measure_id in self._windows(name, windows).items():
            deltas = difference(deltas_of_set(after, window_days), deltas_of_set(before, window_days))
            for day, change in deltas.items():
                cells.add_one(measure_id, account, day, change)

    def _first_whole_day(self) -> int:
        """From this local day on all raw events are kept."""
        row = self.conn.execute(_RAW_FROM, {"tenant": self.batch.tenant_id}).fetchone()
        return day_number(EARLIEST.date()) if row is None else day_number(self.plan.local.day_at(row[0])) + 1

    def _answers(self, flips: Sequence[Flip]) -> None:
        deltas = answer_store.deltas_of_people(self.conn, flips, self.plan.local)
        for flip in flips:
            for (part, day), change in deltas.get(flip.person_id, {}).items():
                signed = -change if flip.internal else change
                for name in self.plan.nps:
                    self.changes.days.add_one(self.ids[f"{name}_{part}"], flip.account_id, day, signed)

    def _told(self, facts: FactsMoved, flips: Sequence[Flip]) -> None:
        """Which answers and steps that are stored count from now on, or no more."""
        sign_of = {flip.person_id: -1 if flip.internal else 1 for flip in flips}
        for scored, account, person in answer_store.answers_of_people(self.conn, flips, self.plan.local):
            facts.answers.flipped(scored, account, sign_of[person])
        people = {flip.person_id: flip.account_id for flip in flips}
        for person, steps in steps_of_people(self.conn, people, self.ids).items():
            facts.steps.flipped(self.plan, steps, sign_of[person])
        own = OwnStaff(self.plan.catalogue)
        for measure, step, account, person, at_us in firsts_of_people(
            self.conn, people, self.ids, self.plan.firsts
        ):
            if own.leaves_out((measure, step)):
                counts = sign_of[person] < 0
                facts.firsts.touched((measure, step), (account, person), at_us, counts=counts, at_us=at_us)

    def _last_values(self, flips: Sequence[Flip]) -> None:
        whole = self._first_whole_day()
        for measure in self.plan.last:
            if not measure.selection.exclude_internal:
                continue
            touched: dict[int, set[int]] = defaultdict(set)
            for flip in flips:
                for past in self.past([flip.account_id], flip.person_id):
                    decimals = read(past, self.plan).decimals[measure.name]
                    said = {self._day(past, index) for index in decimals}
                    touched[flip.account_id] |= {day for day in said if day >= whole}
            for account_id, days in touched.items():
                self.last_of_days(measure, account_id, days)

    def last_of_days(self, measure: Last, account_id: int, days: set[int]) -> None:
        local, measure_id = self.plan.local, self.ids[measure.name]
        if self.facts is not None:
            touched = [(account_id, day_of_number(day)) for day in days]
            self.facts.lasts.touched(measure.name, last_store.known(self.conn, measure_id, touched))
        last_store.withdraw(self.conn, measure_id, account_id, map(day_of_number, sorted(days)))
        for day in sorted(days):
            start = local.start_of(day_of_number(day))
            # Wide enough for any length of a local day; what isn't of this day is left out below.
            for past in self.past([account_id], None, start, start + timedelta(hours=49)):
                reading = read(past, self.plan)
                if measure.selection.exclude_internal:
                    without(reading.decimals, _internal(past))
                values = [
                    value
                    for value in last_values(past, reading, self.plan, measure.name)
                    if day_number(value.day) == day
                ]
                last_store.offer(self.conn, self.batch.tenant_id, measure_id, values)

    def past(
        self,
        accounts: Sequence[int],
        person_id: int | None,
        start: datetime = EARLIEST,
        end: datetime = LATEST,
    ) -> Iterator[TenantBatch]:
        """Raw events of accounts in one partition from before this batch, whether or not the batch's own are stored by now."""
        batch = self.batch
        mine = set(zip(batch.account_ids.tolist(), batch.sources, batch.ids, strict=True))
        rows = self.conn.execute(_INTERNAL, {"accounts": list(accounts)})
        internal = [person for (person,) in rows]
        skipped = self._skipped(accounts)
        for past in past_events(self.conn, batch.tenant_id, accounts, person_id, start, end, skipped):
            who = zip(past.account_ids.tolist(), past.identities, strict=True)
            kept = [i for i, (account, its) in enumerate(who) if (account, its.source, its.id) not in mine]
            yield _batch_of(batch, past, kept, internal)

    def _skipped(self, accounts: Sequence[int]) -> tuple[int, int] | None:
        """Where some chunks are uncovered, accounts are corrected one by one, and each is in the batch."""
        if not self.uncovered:
            return None
        (account,) = accounts
        return self.uncovered.get(int(self.batch.partitions[self.batch.account_ids == account][0]))

    def _windows(self, name: str, windows: Iterable[int]) -> dict[int, int]:
        return {days: self.ids[window_name(name, days)] for days in windows}

    def _day(self, past: TenantBatch, index: int) -> int:
        return int(self.plan.local.days(past.event_at_us[index : index + 1])[0])


def _internal(past: TenantBatch) -> set[int]:
    """Positions of events of people who are internal."""
    return set(np.flatnonzero(past.internal).tolist())


def last_values(batch: TenantBatch, reading: Reading, plan: Plan, name: str) -> list[LastValue]:
    """What the events of a batch offer to a measure of kind last."""
    decimals = reading.decimals[name]
    indices = np.fromiter(decimals, np.int64, len(decimals))
    days = plan.local.days(batch.event_at_us[indices]).tolist()
    return [
        LastValue(
            account_id=int(batch.account_ids[index]),
            day=day_of_number(day),
            at=instant(int(batch.event_at_us[index])),
            source=batch.sources[index],
            id=batch.ids[index],
            value=value,
        )
        for (index, value), day in zip(decimals.items(), days, strict=True)
    ]


def _batch_of(
    like: TenantBatch, past: PastEvents, kept: Sequence[int], internal: Sequence[int]
) -> TenantBatch:
    people = past.person_ids[kept]
    return TenantBatch(
        tenant_id=like.tenant_id,
        catalogue=like.catalogue,
        partitions=np.full(len(kept), like.partitions[0], np.int16),
        account_ids=past.account_ids[kept],
        person_ids=people,
        internal=np.isin(people, internal),
        types=[past.types[i] for i in kept],
        event_at_us=past.event_at_us[kept],
        sources=[past.identities[i].source for i in kept],
        ids=[past.identities[i].id for i in kept],
        bodies=[past.bodies[i] for i in kept],
    )
