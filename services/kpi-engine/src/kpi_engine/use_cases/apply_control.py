"""Applies what people decided about events that are counted, entry by entry of the control log, between two batches.

One entry in one partition is one transaction, fenced like a batch: it counts in the partition's batch numbers, so readers of the
change feed see it as they see a batch. Entries of a tenant are applied in order; each after everything that arrived before it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import msgspec

from common.catalogue.models import Catalogue
from common.clock import Clock
from common.contracts.record import PackedEvents, partition_of
from common.errors import Rejected
from common.logs import get_logger
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.decode import Columns, Decoder
from kpi_engine.domain.ownership import Owned
from kpi_engine.domain.revisions import Cause
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.control import (
    Control,
    Entry,
    Erased,
    Erasures,
    Kind,
    Outcome,
    Retention,
    Retractable,
    Taken,
)
from kpi_engine.ports.errors import caused_by_data, without_values
from kpi_engine.ports.figures import Moving, Revisions
from kpi_engine.ports.stores import Advance, Change, Events, Feed, Ids, Names, Progress
from kpi_engine.use_cases.apply_backfill import Backfiller
from kpi_engine.use_cases.apply_tenant import TenantWriter
from kpi_engine.use_cases.kept import check_kept
from kpi_engine.use_cases.rebuild import Rebuilder

log = get_logger("engine")

# Events wait meanwhile, so it is short; it comes again every minute.
SWEEP_SECONDS = 1.0
_TAKES_OUT = frozenset({"amendment", "deletion", "backfill_reverted"})
_NAMES_AN_EVENT = frozenset({"amendment", "deletion"})
_CORRECTS = _TAKES_OUT | {"rebuild"}

Applies = Callable[[Connection, Entry, Owned, int], Outcome]


class ControlWriter:
    """Applies the control log for the partitions that this engine owns."""

    def __init__(
        self,
        progress: Progress,
        names: Names,
        events: Events,
        feed: Feed,
        tenants: TenantWriter,
        figures: Retractable,
        control: Control,
        revisions: Revisions,
        ids: Ids,
        backfiller: Backfiller,
        erasures: Erasures,
        erased: Erased,
        rebuilder: Rebuilder,
        retention: Retention,
        clock: Clock,
    ) -> None:
        self._progress, self._names, self._events, self._feed = progress, names, events, feed
        self._tenants, self._figures, self._control = tenants, figures, control
        self._revisions, self._ids, self._backfiller, self._clock = revisions, ids, backfiller, clock
        self._erasures, self._erased, self._retention = erasures, erased, retention
        self._applies: Mapping[Kind, Applies] = {
            "amendment": self._correct,
            "deletion": self._correct,
            "erasure": self._erase,
            "backfill_closed": backfiller.close,
            "backfill_reverted": backfiller.revert,
            "rebuild": rebuilder.rebuild,
        }

    def step(self, connection: Connection, owned: Sequence[Owned], partitions: int) -> bool:
        """Apply the next entry of each tenant and partition; False when there was none. `partitions`: of the whole topic.

        Raises Fenced when a partition is another engine's by now.
        """
        if not owned:
            return False
        parts = {part.partition: part for part in owned}
        found = self._control.next_entries(connection, owned[0].topic, sorted(parts))
        # Corrections never meet kept events that a pending version of the definitions has half counted.
        waiting = self._names.pending()
        entries = [entry for entry in found if entry.tenant_id not in waiting]
        for entry in entries:
            self._apply(connection, entry, parts[entry.partition], partitions)
        return bool(entries)

    def sweep(self, connection: Connection, now: datetime) -> None:
        """Drop what is older than tenants keep it, for a moment at a time."""
        ends_at = time.monotonic() + SWEEP_SECONDS
        while self._retention.step(connection, now) and time.monotonic() < ends_at:
            continue

    def taken(self) -> None:
        """Partitions are ours that were another engine's: it may have taken away what is remembered as stored."""
        self._figures.forget()
        self._names.clear()
        self._erased.clear()

    def _apply(self, connection: Connection, entry: Entry, part: Owned, partitions: int) -> None:
        arrivals = self._backfiller.arrivals(connection, entry, part) if entry.backfill_id else []
        self._events.prepare(connection, [entry.created_at_us, *arrivals])
        try:
            self._transact(connection, entry, part, self._applies[entry.kind], partitions)
        except Rejected as refused:
            outcome = Outcome(code=refused.code, message=refused.message)
            self._transact(connection, entry, part, lambda *_: outcome, partitions)
        except Exception as error:
            if not caused_by_data(error):
                raise
            # Asking again would not help, and nothing else may wait for it.
            log.warning(
                "control_entry_failed", tenant=entry.tenant, seq=entry.seq, error=without_values(error)
            )
            outcome = Outcome(
                code="entry-failed", message=f"it can't be applied: {type(error).__name__}: {error}"
            )
            self._transact(connection, entry, part, lambda *_: outcome, partitions)

    def _transact(
        self, connection: Connection, entry: Entry, part: Owned, apply: Applies, partitions: int
    ) -> None:
        with self._remembered(connection, entry, part), connection.transaction():
            self._advance(connection, part)
            outcome = apply(connection, entry, part, partitions)
            if entry.kind in _TAKES_OUT:
                outcome.gone = self._control.drop_empty(connection, entry.tenant_id, outcome.accounts)
                outcome.accounts -= outcome.gone
            if entry.kind in _NAMES_AN_EVENT and outcome.concerned:
                self._erase_named(connection, entry)
            if entry.kind in _CORRECTS:
                self._control.forget_told(connection, outcome.accounts)
            self._control.done(connection, entry, outcome)
            dirty = {**part.dirty, **dict.fromkeys(outcome.accounts - {0}, entry.tenant_id)}
            self._progress.keep_dirty(connection, part.topic, part.partition, list(dirty))
            self._tell(connection, entry, part, outcome)
        part.batch_no += outcome.batches
        part.dirty, part.stored = dirty, list(dirty)
        if outcome.concerned:
            log.info(
                "control_entry_applied",
                tenant=entry.tenant,
                seq=entry.seq,
                kind=entry.kind,
                partition=part.partition,
                code=outcome.code,
            )

    def _advance(self, connection: Connection, part: Owned) -> None:
        step = Advance(part.topic, part.partition, part.epoch, part.next_offset, part.next_offset, None)
        self._progress.advance(connection, [step])

    @contextmanager
    def _remembered(self, connection: Connection, entry: Entry, part: Owned) -> Iterator[None]:
        """What is remembered of names, identities and figures follows the transaction inside."""
        try:
            yield
        except BaseException:
            self._names.clear()
            self._figures.rolled_back()
            # Pieces of large entries are remembered one after the other, as if they were committed.
            self._figures.forget()
            if entry.backfill_id and not connection.broken:
                with connection.transaction():
                    self._ids.take(connection, part.partition)
            raise
        self._figures.committed()
        # Accounts may be gone, or have another name.
        self._names.clear()
        if entry.kind == "erasure":
            self._erased.clear()

    def _tell(self, connection: Connection, entry: Entry, part: Owned, outcome: Outcome) -> None:
        batch_no = part.batch_no + outcome.batches
        self._feed.moved(connection, entry.tenant_id, part.partition, batch_no)
        named = (outcome.accounts | outcome.gone) - {0}
        if named or outcome.measures:
            change = Change(part.partition, batch_no, entry.tenant_id, named, outcome.measures)
            self._feed.write(connection, [change], self._clock.now())
            self._feed.notify(connection, [(part.partition, batch_no)])

    def _correct(self, connection: Connection, entry: Entry, part: Owned, partitions: int) -> Outcome:
        """Take an event out, and put the corrected one in its place where there is one."""
        name = self._tenants.erased_account(connection, entry.tenant_id, entry.account, part.partition)
        account_id, home = self._control.account(connection, entry, name, partitions)
        if home != part.partition:
            return Outcome(concerned=False)
        entry = replace(entry, account=name)
        catalogue = self._catalogue(connection, entry)
        if account_id is None:
            raise _unknown(entry)
        taken = self._control.take_out(
            connection, entry.tenant_id, {account_id: frozenset({(entry.source, entry.event_id)})}
        )
        if not len(taken):
            raise _unknown(entry)
        self._check_kept(connection, entry, catalogue, taken)
        corrected = self._corrected(connection, entry, part) if entry.kind == "amendment" else None
        outcome = Outcome(counts={"events": 1})
        old = self._take_back(connection, entry, part, catalogue, taken)
        moving = [old]
        if corrected is not None:
            moving.append(self._write(connection, entry, catalogue, corrected))
        for its in moving:
            outcome.took(its)
        cause = Cause("deletion" if entry.kind == "deletion" else "amendment", entry.seq)
        moved = [one for its in moving for one in its.moved]
        told = self._revisions.note(
            connection, entry.tenant_id, part.partition, cause, moved, entry.created_at_us
        )
        outcome.count("revisions", told)
        return outcome

    def _erase_named(self, connection: Connection, entry: Entry) -> None:
        """Whoever was erased before stands in no entry either, applied or refused."""
        where = (connection, entry.tenant_id)
        account = self._tenants.erased_account(*where, entry.account, entry.partition)
        body = self._tenants.erased(*where, entry.body, entry.partition)
        if (account, body) != (entry.account, entry.body):
            self._control.rewrite(connection, entry, account, body)

    def _erase(self, connection: Connection, entry: Entry, part: Owned, partitions: int) -> Outcome:
        own = partition_of(entry.tenant, "", partitions) == part.partition
        accounts, counts = self._erasures.erase(connection, entry, part.topic, own=own)
        return Outcome(accounts=accounts, counts=counts)

    def _take_back(
        self, connection: Connection, entry: Entry, part: Owned, catalogue: Catalogue, taken: Taken
    ) -> Moving:
        internal = self._names.internal_people(connection, entry.tenant_id)
        batch = taken.batch(entry.tenant_id, catalogue, part.partition, internal)
        self._control.supersede(connection, entry.tenant_id, entry.seq, batch)
        return self._figures.retract(connection, batch)

    def _corrected(self, connection: Connection, entry: Entry, part: Owned) -> Columns:
        """The corrected event, read like any other. Raises Rejected where it can't be counted, or is another event."""
        decoder = Decoder()
        body = self._tenants.erased(connection, entry.tenant_id, entry.body, part.partition)
        packed = PackedEvents(entry.tenant, entry.created_at_us, [msgspec.Raw(body)])
        decoder.add(part.topic, part.partition, 0, packed)
        decoded = decoder.finish()
        for bad in decoded.poisoned:
            raise Rejected(bad.code, bad.message)
        columns = decoded.tenants[entry.tenant]
        said = (columns.accounts[0], columns.sources[0], columns.ids[0])
        if said != (entry.account, entry.source, entry.event_id):
            raise Rejected(
                "event-identity-differs",
                "the corrected event must keep the account (subject), source and id of the one it corrects",
            )
        return columns

    def _write(self, connection: Connection, entry: Entry, catalogue: Catalogue, columns: Columns) -> Moving:
        batch = self._tenants.resolved(connection, entry.tenant_id, catalogue, columns)
        reading = self._figures.read(batch)
        for bad in reading.rejected:
            raise Rejected(bad.code, bad.message)
        self._events.write(connection, batch)
        return self._figures.write(connection, batch, reading)

    def _check_kept(self, connection: Connection, entry: Entry, catalogue: Catalogue, taken: Taken) -> None:
        """Raise Rejected where other raw events of the same day may have been dropped: what stays could not be told exactly."""
        kept_from = self._control.raw_from(connection, entry.tenant_id)
        if kept_from is not None and len(taken):
            check_kept(LocalTime(catalogue.settings.timezone), kept_from, int(taken.event_at_us.min()))

    def _catalogue(self, connection: Connection, entry: Entry) -> Catalogue:
        catalogue = self._names.catalogue(connection, entry.tenant_id)
        if catalogue is None:
            raise Rejected("tenant-without-catalogue", "the tenant has no catalogue: nothing is counted yet")
        return catalogue


def _unknown(entry: Entry) -> Rejected:
    where = f"account {entry.account!r}" if entry.account else "the tenant itself"
    return Rejected(
        "event-unknown",
        f"{where} has no stored event {entry.event_id!r} of source {entry.source!r}: it never arrived, was deleted before, "
        "or is no longer kept",
    )
