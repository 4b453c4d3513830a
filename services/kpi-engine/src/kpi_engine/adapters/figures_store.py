"""From a batch of new events to all figures that follow from them, in the caller's transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from common.clock import Clock
from kpi_engine.adapters import answer_store, last_store, measure_store, revenue_store, seen_store
from kpi_engine.adapters.flip_store import Correction, last_values
from kpi_engine.adapters.measure_store import MeasureIds, PartitionOf
from kpi_engine.adapters.presence_store import ACCOUNT_ITSELF, FreshDays, PresenceStore
from kpi_engine.adapters.step_store import FirstSteps, add_steps
from kpi_engine.adapters.trait_store import Flip, add_traits
from kpi_engine.domain.activity import add_new_days, window_name
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.coverage import NewDays
from kpi_engine.domain.measures import Changes, Grouping, add_counted, grouping_of
from kpi_engine.domain.plan import ActiveAccounts, Distinct, Plan, Plans
from kpi_engine.domain.reading import Reading, Rejection, read
from kpi_engine.domain.seen import SeenKeys
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """`measures` that changed by name; `accounts` whose state is out of date, and why.

    `rejected` counted nowhere; `internal` is the new mark of people whose mark changed.
    """

    measures: set[str]
    accounts: dict[int, set[str]]
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    internal: dict[int, bool] = field(default_factory=dict)


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
        self, connection: Connection, batch: TenantBatch, reading: Reading | None = None
    ) -> WriteResult:
        """Writes everything that the events change; `reading` is what `read` found in them, where that is known.

        Events that it refuses count nowhere.
        """
        plan = self._plans.of(batch.tenant_id, batch.catalogue)
        ids = self._ids.of(connection, batch.tenant_id, _row_names(plan))
        known = reading or read(batch, plan)
        return _Write(connection, batch, plan, known, ids, self._presence, self._firsts, self._clock).run()

    def committed(self) -> None:
        self._ids.committed()
        self._presence.committed()
        self._firsts.committed()

    def rolled_back(self) -> None:
        self._ids.rolled_back()
        self._presence.rolled_back()
        self._firsts.rolled_back()


def _row_names(plan: Plan) -> list[str]:
    return [row for measure in plan.catalogue.measures.values() for row in measure.rows]


def _as_tuples(rejections: Iterable[Rejection]) -> list[tuple[int, str, str]]:
    return [(rejection.index, rejection.code, rejection.message) for rejection in rejections]


class _Write:
    """One batch of one tenant."""

    def __init__(
        self,
        conn: Connection,
        batch: TenantBatch,
        plan: Plan,
        reading: Reading,
        ids: Mapping[str, int],
        presence: PresenceStore,
        firsts: FirstSteps,
        clock: Clock,
    ) -> None:
        self._conn, self._batch, self._plan, self._ids = conn, batch, plan, ids
        self._presence, self._firsts, self._clock = presence, firsts, clock
        self._reading = reading
        self._grouping: Grouping = grouping_of(batch, plan)
        self._changes = Changes()
        self._internal: Booleans = batch.internal
        self._internal_people: Int64s = np.zeros(0, np.int64)

    def run(self) -> WriteResult:
        batch, reading = self._batch, self._reading
        flips = add_traits(self._conn, batch, reading.traits)
        self._mark(flips)
        if flips:
            Correction(self._conn, batch, self._plan, self._ids, self._presence, self._changes).apply(flips)
            accounts = {flip.account_id for flip in flips}
            seen_store.recount_activity(self._conn, batch.tenant_id, accounts, self._plan)
        self._count()
        self._see_people()
        self._answers()
        measures = self._last() | self._steps() | self._write_cells()
        if revenue := self._revenue():
            measures.add("mrr")
        active = reading.activity & ~self._internal
        seen_store.heard_of(self._conn, batch, self._grouping, reading.kept, active)
        return WriteResult(
            measures=measures,
            accounts=self._accounts(flips, revenue),
            rejected=_as_tuples(reading.rejected),
            internal={flip.person_id: flip.internal for flip in flips},
        )

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
        fresh = self._add_presence(distinct.name, indices[wanted], persons[wanted], distinct.windows)
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
        self, name: str, indices: Int64s, entities: Int64s, windows: tuple[int, ...]
    ) -> FreshDays:
        days = self._grouping.days[self._grouping.day_of[indices]]
        accounts = self._batch.account_ids[indices]
        reach = max(windows, default=0)
        return self._presence.add(
            self._conn, self._batch.tenant_id, self._ids[name], accounts, entities, days, reach
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
        changed = answer_store.add_answers(self._conn, self._batch, self._reading.answers, self._plan.local)
        internal = set(self._internal_people.tolist())
        account_of = {
            int(self._batch.person_ids[answer.index]): int(self._batch.account_ids[answer.index])
            for answer in self._reading.answers
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
            values = last_values(self._batch, self._reading, self._plan, measure.name)
            if measure.selection.exclude_internal:
                indices = self._reading.decimals[measure.name]
                values = [
                    value for index, value in zip(indices, values, strict=True) if not self._internal[index]
                ]
            last_store.offer(self._conn, self._batch.tenant_id, self._ids[measure.name], values)
            touched.update([measure.name] if values else [])
        return touched

    def _steps(self) -> set[str]:
        add_steps(self._conn, self._batch, self._reading.steps, self._ids)
        touched = {step.measure for step in self._reading.steps}
        for (measure, step), indices in self._reading.firsts.items():
            if len(indices):
                touched.add(measure)
                self._firsts.add(self._conn, self._batch, self._ids[f"{measure}_steps"], step, indices)
        return touched

    def _revenue(self) -> set[int]:
        touched = revenue_store.add_changes(self._conn, self._batch, self._reading.changes)
        if touched:
            revenue_store.rebuild(self._conn, self._batch.tenant_id, touched, self._clock.now())
        return touched

    def _write_cells(self) -> set[str]:
        first = np.unique(self._batch.account_ids, return_index=True)[1]
        partitions = PartitionOf(self._grouping.accounts, self._batch.partitions[first].astype(np.int64))
        touched = measure_store.add_changes(self._conn, self._batch.tenant_id, self._changes, partitions)
        name_of = {measure_id: name for name, measure_id in self._ids.items()}
        return {name_of[measure_id] for measure_id in touched}

    def _accounts(self, flips: Iterable[Flip], revenue: Iterable[int]) -> dict[int, set[str]]:
        kept = np.unique(self._batch.account_ids[self._reading.kept])
        accounts = {account: {"events"} for account in kept[kept != 0].tolist()}
        for reason, touched in (
            ("traits", self._batch.account_ids[[fact.index for fact in self._reading.traits]].tolist()),
            ("answers", self._batch.account_ids[[fact.index for fact in self._reading.answers]].tolist()),
            ("subscriptions", revenue),
            ("internal", [flip.account_id for flip in flips]),
        ):
            for account in set(touched):
                accounts[account] = accounts.get(account, set()) | {reason}
        return accounts
