"""Takes events out of all figures: the exact inverse of writing them.

What adds up is taken away; what doesn't (a day on which somebody was seen, the last value of a day, a first step) is kept or
removed by what the other raw events of the same account and local days say. So its price is that of those days.
Call it once the events are out of their chunks, in the same transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from kpi_engine.adapters import answer_store, measure_store, trait_store
from kpi_engine.adapters.flip_store import Correction
from kpi_engine.adapters.measure_store import PartitionOf
from kpi_engine.adapters.presence_store import PresenceStore
from kpi_engine.adapters.step_store import FirstSteps, remove_steps
from kpi_engine.adapters.trait_store import Flip
from kpi_engine.domain.activity import add_new_days, window_name
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import day_of_number, instant
from kpi_engine.domain.coverage import NewDays
from kpi_engine.domain.facts_moved import FactsMoved
from kpi_engine.domain.measures import Changes, add_counted, grouping_of
from kpi_engine.domain.plan import Plan
from kpi_engine.domain.reading import Reading, read
from kpi_engine.domain.steps_moved import OwnStaff
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Seen = set[tuple[int, int, int]]
"""(account, person or digest of a value, day)."""


@dataclass(frozen=True, slots=True)
class Retraction:
    """One batch of stored events to be taken out. `changes` collects what measures lose, `facts` what else moves."""

    conn: Connection
    batch: TenantBatch
    plan: Plan
    reading: Reading
    ids: Mapping[str, int]
    presence: PresenceStore
    firsts: FirstSteps
    facts: FactsMoved
    changes: Changes = field(default_factory=Changes)

    def run(self) -> list[Flip]:
        """Take the events out under the marks of the batch, then correct the past of people whose mark was among them."""
        self._count(self.reading)
        seen_people, seen_values = self._unsupported(self.reading)
        for name, seen in {**seen_people, **seen_values}.items():
            self._forget_days(name, seen)
        self._answers()
        self.facts.answers.taken_out(self.batch, self.reading.answers, self.plan.local)
        answer_store.remove_answers(self.conn, self.batch, self.reading.answers)
        self._steps(self.reading)
        flips = trait_store.remove_traits(self.conn, self.batch, self.reading.traits)
        correction = self._correction()
        if flips:
            correction.apply(flips)
        self._active_accounts(correction, self.reading)
        self._last_values(correction, self.reading)
        return flips

    def write(self) -> set[str]:
        """Add what was lost to the stored cells. Returns the names of the measures that changed."""
        accounts, first = np.unique(self.batch.account_ids, return_index=True)
        homes = PartitionOf(accounts, self.batch.partitions[first].astype(np.int64))
        touched = measure_store.add_changes(self.conn, self.batch.tenant_id, self.changes, homes)
        return {name for name, measure_id in self.ids.items() if measure_id in touched}

    def _correction(self) -> Correction:
        return Correction(
            self.conn, self.batch, self.plan, self.ids, self.presence, self.changes, facts=self.facts
        )

    def _count(self, reading: Reading) -> None:
        grouping = grouping_of(self.batch, self.plan)
        nobody = np.zeros(len(self.batch.types), np.bool_)
        for measure in self.plan.counted:
            left_out = self.batch.internal if measure.selection.exclude_internal else nobody
            add_counted(self.changes, reading, grouping, measure, self.ids[measure.name], left_out, -1)

    def _unsupported(self, reading: Reading) -> tuple[dict[str, Seen], dict[str, Seen]]:
        """What was seen through these events, and through no other one of the same day."""
        people, values = self._seen(self.batch, reading)
        for past, past_reading in self._around():
            kept_people, kept_values = self._seen(past, past_reading)
            for gone, kept in ((people, kept_people), (values, kept_values)):
                for name, seen in kept.items():
                    gone[name] -= seen
        return people, values

    def _seen(self, batch: TenantBatch, reading: Reading) -> tuple[dict[str, Seen], dict[str, Seen]]:
        days = self.plan.local.days(batch.event_at_us)
        people: dict[str, Seen] = {}
        values: dict[str, Seen] = {}
        named = {distinct.name for distinct in self.plan.distinct}
        nameless = {accounts.people for accounts in self.plan.active_accounts}
        for distinct in self.plan.distinct:
            if distinct.path is None:
                indices = reading.selected[distinct.name]
                wanted = batch.person_ids[indices] > 0
                if distinct.name in nameless:
                    wanted |= batch.account_ids[indices] > 0
                people[distinct.name] = _triples(batch, indices[wanted], batch.person_ids, days)
            else:
                found = reading.values[distinct.name]
                indices = np.fromiter(found, np.int64, len(found))
                if distinct.selection.exclude_internal:
                    indices = indices[~batch.internal[indices]]
                digests = np.zeros(len(batch.types), np.int64)
                digests[indices] = [found[index] for index in indices.tolist()]
                values[distinct.name] = _triples(batch, indices, digests, days)
        for accounts in self.plan.active_accounts:
            if accounts.people not in named:
                indices = reading.selected[accounts.name]
                indices = indices[batch.account_ids[indices] > 0]
                people[accounts.name] = _triples(batch, indices, batch.person_ids, days)
        return people, values

    def _around(self) -> Iterator[tuple[TenantBatch, Reading]]:
        """The other raw events of the batch's accounts, from its first local day to its last."""
        local, at = self.plan.local, self.batch.event_at_us
        if not len(at):
            return
        days = local.days(at)
        first = local.start_of(day_of_number(int(days.min())))
        last = local.start_of(day_of_number(int(days.max()))) + timedelta(hours=49)
        correction = Correction(self.conn, self.batch, self.plan, self.ids, self.presence, self.changes)
        for past in correction.past(np.unique(self.batch.account_ids).tolist(), None, first, last):
            yield past, read(past, self.plan)

    def _forget_days(self, name: str, seen: Seen) -> None:
        if not seen:
            return
        rows = np.array(sorted(seen), np.int64)
        accounts, entities, days = rows[:, 0], rows[:, 1], rows[:, 2]
        distinct = next((d for d in self.plan.distinct if d.name == name), None)
        windows = distinct.windows if distinct else ()
        gone = self.presence.remove(
            self.conn, self.ids[name], accounts, entities, days, max(windows, default=0)
        )
        if distinct is None:
            return
        counted = gone.persons > 0
        if distinct.path is None and distinct.selection.exclude_internal:
            counted &= ~np.isin(gone.persons, self.batch.person_ids[self.batch.internal])
        gone = gone.where(counted)
        changed = (gone.accounts[1:] != gone.accounts[:-1]) | (gone.persons[1:] != gone.persons[:-1])
        owners = np.concatenate([[0], np.cumsum(changed)]) if len(gone) else gone.days
        rolling = {days: self.ids[window_name(name, days)] for days in windows}
        new = NewDays(owners, gone.days, gone.before, gone.after)
        add_new_days(self.changes.days, gone.accounts, new, self.ids[name], rolling, -1)

    def _answers(self) -> None:
        local = self.plan.local
        deltas = answer_store.deltas_of_removed(self.conn, self.batch, self.reading.answers, local)
        internal = set(self.batch.person_ids[self.batch.internal].tolist())
        for (account, person), changed in deltas.items():
            if person in internal:
                continue
            for (part, day), change in changed.items():
                for name in self.plan.nps:
                    self.changes.days.add_one(self.ids[f"{name}_{part}"], account, day, change)

    def _active_accounts(self, correction: Correction, reading: Reading) -> None:
        days = self.plan.local.days(self.batch.event_at_us)
        for measure in self.plan.active_accounts:
            touched = reading.selected[measure.name]
            for account in np.unique(self.batch.account_ids[touched]).tolist():
                if account:
                    of_account = touched[self.batch.account_ids[touched] == account]
                    correction.active_days(measure, account, np.unique(days[of_account]).tolist())

    def _last_values(self, correction: Correction, reading: Reading) -> None:
        days = self.plan.local.days(self.batch.event_at_us)
        for measure in self.plan.last:
            touched: dict[int, set[int]] = defaultdict(set)
            for index in reading.decimals[measure.name]:
                touched[int(self.batch.account_ids[index])].add(int(days[index]))
            for account, its in touched.items():
                correction.last_of_days(measure, account, its)

    def _steps(self, reading: Reading) -> None:
        remove_steps(self.conn, self.batch, reading.steps, self.ids)
        self.facts.steps.taken_out(self.plan, self.batch, reading.steps)
        own = OwnStaff(self.plan.catalogue)
        internal = set(self.batch.person_ids[self.batch.internal].tolist())
        for (measure, step), indices in reading.firsts.items():
            if not len(indices):
                continue
            measure_id = self.ids[f"{measure}_steps"]
            lost: dict[int, set[int]] = defaultdict(set)
            for account, person, at_us in self.firsts.remove(
                self.conn, self.batch, measure_id, step, indices
            ):
                lost[account].add(person)
                counts = person not in internal or not own.leaves_out((measure, step))
                self.facts.firsts.touched(
                    (measure, step), (account, person), at_us, counts=counts, at_us=at_us
                )
            for account, people in lost.items():
                self._first_again(account, people, (measure, step), measure_id)

    def _first_again(
        self, account: int, people: Iterable[int], key: tuple[str, str], measure_id: int
    ) -> None:
        correction = Correction(self.conn, self.batch, self.plan, self.ids, self.presence, self.changes)
        wanted = list(people)
        earliest = int(self.batch.event_at_us[self.batch.account_ids == account].min())
        for past in correction.past([account], None, instant(earliest)):
            found = read(past, self.plan).firsts.get(key)
            if found is not None:
                found = found[np.isin(past.person_ids[found], wanted)]
                self.firsts.add(self.conn, past, measure_id, key[1], found)


def _triples(batch: TenantBatch, indices: Int64s, entities: Int64s, days: Int64s) -> Seen:
    return set(
        zip(
            batch.account_ids[indices].tolist(),
            entities[indices].tolist(),
            days[indices].tolist(),
            strict=True,
        )
    )
