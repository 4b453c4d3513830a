"""From a batch of new events to all figures that follow from them, in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from common.clock import Clock
from kpi_engine.adapters import answer_store, last_store, measure_store, revenue_store, seen_store
from kpi_engine.adapters.flip_store import Correction, last_values
from kpi_engine.adapters.last_store import LastValue
from kpi_engine.adapters.measure_store import MeasureIds, PartitionOf
from kpi_engine.adapters.past_store import Uncounted, uncounted
from kpi_engine.adapters.presence_store import ACCOUNT_ITSELF, FreshDays, PresenceStore
from kpi_engine.adapters.retraction import Retraction
from kpi_engine.adapters.step_store import FirstSteps, Rows, add_steps, firsts_known
from kpi_engine.adapters.trait_store import Flip, add_traits
from kpi_engine.domain.activity import add_new_days, window_name
from kpi_engine.domain.batch import Pending, TenantBatch
from kpi_engine.domain.buckets import day_number
from kpi_engine.domain.coverage import NewDays
from kpi_engine.domain.facts_moved import FactsMoved
from kpi_engine.domain.heard import Heard
from kpi_engine.domain.measures import Changes, Grouping, add_counted, grouping_of
from kpi_engine.domain.moved import Heap, Moved, Pile
from kpi_engine.domain.plan import ActiveAccounts, Distinct, Plan, Plans
from kpi_engine.domain.reading import Reading, Rejection, read
from kpi_engine.domain.revisions import complete_before
from kpi_engine.domain.seen import SeenKeys
from kpi_engine.domain.steps_moved import OwnStaff
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """`measures` that changed by name; `accounts` whose state is out of date.

    `rejected` counted nowhere; `internal` is the new mark of people whose mark changed.
    """

    measures: set[str]
    accounts: set[int]
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    internal: dict[int, bool] = field(default_factory=dict)
    moved: list[Moved] = field(default_factory=list)


class FigureWriter:
    """Order-free: the same events in any order and any batches leave the same figures.

    Call `committed` or `rolled_back` after each transaction: what it remembers must be what the database holds.
    """

    def __init__(self, clock: Clock, seen: SeenKeys | None = None) -> None:
        self._clock = clock
        self._plans = Plans()
        self._ids = MeasureIds()
        self._presence = PresenceStore(seen or SeenKeys())
        self._firsts = FirstSteps()

    def read(self, batch: TenantBatch) -> Reading:
        """What the events say, and which of them can't be counted exactly. Looks at what came with them only, not at their ids."""
        return read(batch, self._plans.of(batch.tenant_id, batch.catalogue))

    def write(
        self,
        connection: Connection,
        batch: TenantBatch,
        reading: Reading | None = None,
        unwritten: Uncounted | None = None,
    ) -> WriteResult:
        """Writes everything that the events change; `reading` is what `read` found in them, where that is known.

        Events that it refuses count nowhere. `unwritten`: by partition, chunks that are stored and not written yet.
        """
        pile = Pile(facts=FactsMoved(everything=True))
        result = self.add(connection, batch, reading, pile, unwritten)
        measures = result.measures | self.put(connection, batch.tenant_id, pile)
        return replace(result, measures=measures, moved=[pile.in_force.moved] if pile.in_force else [])

    def add(
        self,
        connection: Connection,
        batch: TenantBatch,
        reading: Reading | None,
        pile: Pile,
        unwritten: Uncounted | None = None,
    ) -> WriteResult:
        """As `write`, but for cells of measures and when accounts were heard of: they go on the pile; `put` it before the transaction ends."""
        plan = self._plans.of(batch.tenant_id, batch.catalogue)
        known = reading or read(batch, plan)
        flips = add_traits(connection, batch, known.traits)
        if batch.pending is not None:
            new = self._plans.of_new(batch.tenant_id, batch.pending)
            uncovered = uncounted(connection, batch.tenant_id, batch.pending.version) if flips else {}
            of_new = replace(read(batch, new), answers=known.answers)
            pile.pending = pile.pending or self._heap(connection, batch.tenant_id, new)
            self._writing(connection, batch, pile.pending, of_new).measures(flips, uncovered)
        pile.in_force = pile.in_force or self._heap(connection, batch.tenant_id, plan, pile.facts)
        return self._writing(connection, batch, pile.in_force, known).everything(
            flips, pile.heard, unwritten or {}
        )

    def put(self, connection: Connection, tenant_id: int, pile: Pile) -> set[str]:
        """Stores what is on the pile; returns the names of measures in force that changed."""
        seen_store.put(connection, tenant_id, pile.heard)
        if pile.pending is not None:
            _put(connection, tenant_id, pile.pending)
        return _put(connection, tenant_id, pile.in_force) if pile.in_force is not None else set()

    def retract(self, connection: Connection, batch: TenantBatch) -> WriteResult:
        """Takes stored events, out of their chunks by now, out of all figures: the exact inverse of `write`.

        Only while no version is pending: then what it has counted is not known event by event.
        """
        plan = self._plans.of(batch.tenant_id, batch.catalogue)
        ids = self._ids.of(connection, batch.tenant_id, plan.rows)
        reading = read(batch, plan)
        facts = FactsMoved()
        retraction = Retraction(connection, batch, plan, reading, ids, self._presence, self._firsts, facts)
        flips = retraction.run()
        revenue = revenue_store.remove_changes(connection, batch, reading.changes, self._clock.now(), facts)
        flipped = {flip.account_id for flip in flips}
        seen_store.recount(connection, batch, reading.activity, flipped, plan, ids)
        measures = retraction.write() | ({"mrr"} if revenue else set())
        return WriteResult(
            measures=measures,
            accounts=set(batch.account_ids.tolist()) - {0},
            internal={flip.person_id: flip.internal for flip in flips},
            moved=[Moved(plan, ids, retraction.changes, facts)],
        )

    def measure_ids(self, connection: Connection, tenant_id: int, catalogue: Catalogue) -> list[int]:
        """The ids of everything that the definitions in force keep."""
        rows = self._plans.of(tenant_id, catalogue).rows
        return sorted(self._ids.of(connection, tenant_id, rows).values())

    def forget(self) -> None:
        """Somebody else may have taken away what is remembered as stored."""
        self._presence.forget_all()
        self._firsts.forget_all()

    def count_past(self, connection: Connection, batch: TenantBatch, pending: Pending) -> None:
        """Counts kept events by what a version brings; answers aside, which `count_answers` reads from where they are kept."""
        plan = self._plans.of_new(batch.tenant_id, pending)
        heap = self._heap(connection, batch.tenant_id, plan)
        self._writing(connection, batch, heap, read(batch, plan)).measures((), {})
        _put(connection, batch.tenant_id, heap)

    def count_answers(
        self, connection: Connection, tenant_id: int, pending: Pending, partitions: Sequence[int]
    ) -> None:
        """Counts all answers of these partitions by what a version brings."""
        plan = self._plans.of_new(tenant_id, pending)
        if not plan.nps or not partitions:
            return
        ids = self._ids.of(connection, tenant_id, plan.rows)
        changes, home_of = Changes(), dict[int, int]()
        for account, partition, deltas in answer_store.deltas_of_partitions(
            connection, tenant_id, partitions, plan.local
        ):
            home_of[account] = partition
            for (part, day), change in deltas.items():
                for name in plan.nps:
                    changes.days.add_one(ids[f"{name}_{part}"], account, day, change)
        accounts = np.array(sorted(home_of), np.int64)
        homes = np.array([home_of[account] for account in accounts.tolist()], np.int64)
        measure_store.add_changes(connection, tenant_id, changes, PartitionOf(accounts, homes))

    def sees(self, tenant_id: int, pending: Pending, event_type: str) -> bool:
        """Whether anything that a version brings may see events of a type."""
        return self._plans.of_new(tenant_id, pending).sees_any(event_type)

    def _heap(
        self, connection: Connection, tenant_id: int, plan: Plan, facts: FactsMoved | None = None
    ) -> Heap:
        return Heap(Moved(plan, self._ids.of(connection, tenant_id, plan.rows), Changes(), facts))

    def _writing(self, connection: Connection, batch: TenantBatch, heap: Heap, reading: Reading) -> "_Write":
        return _Write(connection, batch, heap, reading, self._presence, self._firsts, self._clock)

    def committed(self) -> None:
        self._ids.committed()
        self._presence.committed()
        self._firsts.committed()

    def rolled_back(self) -> None:
        self._ids.rolled_back()
        self._presence.rolled_back()
        self._firsts.rolled_back()


def _as_tuples(rejections: Iterable[Rejection]) -> list[tuple[int, str, str]]:
    return [(rejection.index, rejection.code, rejection.message) for rejection in rejections]


def _put(conn: Connection, tenant_id: int, heap: Heap) -> set[str]:
    moved = heap.moved
    touched = measure_store.add_changes(conn, tenant_id, moved.changes, PartitionOf(*heap.homes()))
    name_of = {measure_id: name for name, measure_id in moved.ids.items()}
    return {name_of[measure_id] for measure_id in touched}


class _Write:
    """One batch of one tenant; its cells go on the heap."""

    def __init__(
        self,
        conn: Connection,
        batch: TenantBatch,
        heap: Heap,
        reading: Reading,
        presence: PresenceStore,
        firsts: FirstSteps,
        clock: Clock,
    ) -> None:
        self._conn, self._batch, self._heap = conn, batch, heap
        self._plan, self._ids, self._changes = heap.moved.plan, heap.moved.ids, heap.moved.changes
        self._facts = heap.moved.facts
        self._presence, self._firsts, self._clock = presence, firsts, clock
        self._reading = reading
        self._grouping: Grouping = grouping_of(batch, self._plan)
        self._internal: Booleans = batch.internal
        self._internal_people: Int64s = np.zeros(0, np.int64)

    def everything(self, flips: Sequence[Flip], heard: Heard, unwritten: Uncounted) -> WriteResult:
        """Measures and facts. `flips` are people whose mark the batch's traits, stored already, have changed. `heard` is added to."""
        batch, reading = self._batch, self._reading
        measures = self.measures(flips, unwritten)
        if flips:
            accounts = {flip.account_id for flip in flips}
            # What earlier pieces brought was noted under the marks before: stored first, it is recounted with the rest.
            seen_store.put(self._conn, batch.tenant_id, heard)
            seen_store.recount_activity(self._conn, batch.tenant_id, accounts, self._plan, self._ids)
        if revenue := self._revenue():
            measures.add("mrr")
        active = reading.activity & ~self._internal
        heard.note(batch, self._grouping, reading.kept, active)
        return WriteResult(
            measures=measures,
            accounts=self._accounts(flips, revenue),
            rejected=_as_tuples(reading.rejected),
            internal={flip.person_id: flip.internal for flip in flips},
        )

    def measures(self, flips: Sequence[Flip], uncovered: Uncounted) -> set[str]:
        """Counts the batch; returns the names of what changed beside cells. `uncovered`: kept events that these measures don't know yet."""
        self._mark(flips)
        if flips:
            correction = Correction(
                self._conn,
                self._batch,
                self._plan,
                self._ids,
                self._presence,
                self._changes,
                uncovered,
                self._facts,
            )
            correction.apply(flips)
        self._count()
        self._see_people()
        self._answers()
        first = np.unique(self._batch.account_ids, return_index=True)[1]
        self._heap.of(self._grouping.accounts, self._batch.partitions[first].astype(np.int64))
        return self._last() | self._steps()

    def _mark(self, flips: Iterable[Flip]) -> None:
        """The batch counts under the marks that hold after it."""
        self._internal = self._batch.internal.copy()
        for flip in flips:
            self._internal[self._batch.person_ids == flip.person_id] = flip.internal
        self._internal_people = np.unique(self._batch.person_ids[self._internal])

    def _count(self) -> None:
        nobody = np.zeros(len(self._internal), np.bool_)
        for measure in self._plan.counted:
            left_out = self._internal if measure.selection.exclude_internal else nobody
            add_counted(
                self._changes, self._reading, self._grouping, measure, self._ids[measure.name], left_out
            )

    def _see_people(self) -> None:
        fresh: dict[str, FreshDays] = {}
        nameless = {accounts.people for accounts in self._plan.active_accounts}
        for distinct in self._plan.distinct:
            if distinct.path is None:
                fresh[distinct.name] = self._see_persons(distinct, with_nameless=distinct.name in nameless)
            else:
                self._see_values(distinct)
        for accounts in self._plan.active_accounts:
            self._see_accounts(accounts, fresh)

    def _see_persons(self, distinct: Distinct, *, with_nameless: bool) -> FreshDays:
        indices = self._reading.selected[distinct.name]
        persons = self._batch.person_ids[indices]
        wanted = persons > 0
        if with_nameless:
            wanted |= self._batch.account_ids[indices] > 0
        new_from = self._batch.new_people_from
        fresh = self._add_presence(
            distinct.name, indices[wanted], persons[wanted], distinct.windows, new_from
        )
        counted = fresh.persons > 0
        if distinct.selection.exclude_internal:
            counted &= ~np.isin(fresh.persons, self._internal_people)
        self._add_days(distinct.name, distinct.windows, fresh.where(counted))
        return fresh

    def _see_values(self, distinct: Distinct) -> None:
        """Only what counts is stored: a value has no person by whom it could be taken back later."""
        values = self._reading.values[distinct.name]
        indices = np.fromiter(values, np.int64, len(values))
        digests = np.fromiter(values.values(), np.int64, len(values))
        if distinct.selection.exclude_internal:
            counted = ~self._internal[indices]
            indices, digests = indices[counted], digests[counted]
        fresh = self._add_presence(distinct.name, indices, digests, distinct.windows)
        self._add_days(distinct.name, distinct.windows, fresh)

    def _see_accounts(self, measure: ActiveAccounts, fresh: Mapping[str, FreshDays]) -> None:
        people = fresh.get(measure.people)
        if people is None:
            indices = self._reading.selected[measure.name]
            indices = indices[self._batch.account_ids[indices] > 0]
            people = self._add_presence(measure.name, indices, self._batch.person_ids[indices], ())
        counted = people.where(~np.isin(people.persons, self._internal_people) & (people.accounts > 0))
        itself = np.full(len(counted), ACCOUNT_ITSELF, np.int64)
        reach = max(measure.windows, default=0)
        days = self._presence.add(
            self._conn,
            self._batch.tenant_id,
            self._ids[measure.name],
            counted.accounts,
            itself,
            counted.days,
            reach,
        )
        self._add_days(measure.name, measure.windows, days, by_account=True)

    def _add_presence(
        self,
        name: str,
        indices: Int64s,
        entities: Int64s,
        windows: tuple[int, ...],
        new_from: int | None = None,
    ) -> FreshDays:
        days = self._grouping.days[self._grouping.day_of[indices]]
        accounts = self._batch.account_ids[indices]
        reach = max(windows, default=0)
        return self._presence.add(
            self._conn, self._batch.tenant_id, self._ids[name], accounts, entities, days, reach, new_from
        )

    def _add_days(
        self, name: str, windows: tuple[int, ...], fresh: FreshDays, *, by_account: bool = False
    ) -> None:
        """A person's id is of one account; a value may be seen at several, so it is told apart by both."""
        changed = fresh.accounts[1:] != fresh.accounts[:-1]
        if not by_account:
            changed |= fresh.persons[1:] != fresh.persons[:-1]
        entities = np.concatenate([[0], np.cumsum(changed)]) if len(fresh) else fresh.days
        new = NewDays(entities, fresh.days, fresh.before, fresh.after)
        rolling = {days: self._ids[window_name(name, days)] for days in windows}
        add_new_days(self._changes.days, fresh.accounts, new, self._ids[name], rolling)

    def _answers(self) -> None:
        answers = self._reading.answers
        find = answer_store.add_answers if self._plan.facts else answer_store.deltas_of_new
        changed = find(self._conn, self._batch, answers, self._plan.local)
        if self._facts is not None:
            everything = self._facts.everything
            self._facts.answers.told(
                self._batch, answers, self._internal, self._plan.local, everything=everything
            )
        internal = set(self._internal_people.tolist())
        account_of = {
            int(self._batch.person_ids[answer.index]): int(self._batch.account_ids[answer.index])
            for answer in answers
        }
        for person, deltas in changed.items():
            if person not in internal:
                for (part, day), change in deltas.items():
                    for name in self._plan.nps:
                        self._changes.days.add_one(
                            self._ids[f"{name}_{part}"], account_of[person], day, change
                        )

    def _last(self) -> set[str]:
        touched: set[str] = set()
        for measure in self._plan.last:
            indices = self._reading.decimals[measure.name]
            values = last_values(self._batch, self._reading, self._plan, measure.name)
            offered = dict(zip(indices, values, strict=True))
            if measure.selection.exclude_internal:
                offered = {index: value for index, value in offered.items() if not self._internal[index]}
            self._about_to_offer(measure.name, offered)
            last_store.offer(self._conn, self._batch.tenant_id, self._ids[measure.name], offered.values())
            touched.update([measure.name] if offered else [])
        return touched

    def _about_to_offer(self, name: str, offered: Mapping[int, LastValue]) -> None:
        """Keep what there is of the days that values came late for, before it is overwritten."""
        facts = self._facts
        if facts is None or not offered:
            return
        days = np.array([day_number(value.day) for value in offered.values()], np.int64)
        late = [
            (value.account_id, value.day)
            for value, its in zip(offered.values(), self._may_be_complete(name, days), strict=True)
            if its
        ]
        if not late:
            return
        facts.lasts.touched(name, last_store.known(self._conn, self._ids[name], late))

    def _may_be_complete(self, row: str, days: Int64s) -> list[bool]:
        """Of local days: a row of others is not settled yet, and what changes it is no revision, so need not be looked for."""
        if self._facts is not None and self._facts.everything:
            return [True] * len(days)
        wait = self._plan.settling.seconds.get(row)
        if wait is None:
            return [False] * len(days)
        newest = int(self._batch.ingested_at_us.max())
        complete: list[bool] = (days < complete_before(self._plan.local, newest, wait)).tolist()
        return complete

    def _steps(self) -> set[str]:
        add_steps(self._conn, self._batch, self._reading.steps, self._ids)
        if self._facts is not None:
            everything = self._facts.everything
            self._facts.steps.told(
                self._plan, self._batch, self._reading.steps, self._internal, everything=everything
            )
        touched = {step.measure for step in self._reading.steps}
        for (measure, step), indices in self._reading.firsts.items():
            if len(indices):
                touched.add(measure)
                measure_id, about_to = self._ids[f"{measure}_steps"], partial(self._earlier, measure, step)
                self._firsts.add(self._conn, self._batch, measure_id, step, indices, about_to)
        return touched

    def _earlier(self, measure: str, step: str, rows: Rows) -> None:
        """Keep when people took a step first, before an event that came late says that it was earlier."""
        facts = self._facts
        if facts is None:
            return
        row, kind = f"{measure}_steps", (measure, step)
        days = self._plan.local.days(np.array([at_us for _, _, at_us in rows], np.int64))
        # Those of days that aren't complete too: whether anything was known before is told by how many came late in all.
        late = days < self._plan.local.days(self._batch.ingested_at_us.max(keepdims=True))
        kept = [one for one, its in zip(rows, late.tolist(), strict=True) if its or facts.everything]
        if not kept:
            return
        people = [(account, person) for account, person, _ in kept]
        stored = firsts_known(self._conn, self._ids[row], step, people)
        staff = OwnStaff(self._plan.catalogue).leaves_out(kind)
        internal = set(self._internal_people.tolist()) if staff else set[int]()
        for account, person, at_us in kept:
            key = (account, person)
            facts.firsts.touched(kind, key, stored.get(key), counts=person not in internal, at_us=at_us)

    def _revenue(self) -> set[int]:
        touched = revenue_store.add_changes(self._conn, self._batch, self._reading.changes)
        if touched:
            revenue_store.rebuild(self._conn, self._batch.tenant_id, touched, self._clock.now(), self._facts)
        return touched

    def _accounts(self, flips: Iterable[Flip], revenue: Iterable[int]) -> set[int]:
        counted = np.unique(self._batch.account_ids[self._reading.kept]).tolist()
        return {*counted, *revenue, *(flip.account_id for flip in flips)} - {0}
