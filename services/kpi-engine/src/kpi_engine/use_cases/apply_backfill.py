"""Closing a backfill counts what was staged for it; reverting it takes exactly that out again, and what it displaced comes back.

Each is one transaction per partition, however large the backfill: its figures change at once or not at all. Events are read in pieces,
so memory is bounded; the partition's live events wait meanwhile.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from common.catalogue.models import Catalogue
from common.contracts.record import PackedEvents
from common.errors import Rejected
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.decode import Columns, Decoded, Decoder
from kpi_engine.domain.fates import kept, rejected_as_shown
from kpi_engine.domain.identity import entry_of, identity_bytes
from kpi_engine.domain.ownership import Owned
from kpi_engine.domain.revisions import Cause
from kpi_engine.ports.backfills import Backfills, Displaced, StagedRecord
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.control import Control, Corrected, Entry, Outcome, Retractable
from kpi_engine.ports.figures import Revisions
from kpi_engine.ports.stores import Advance, Events, Feed, Names, Progress
from kpi_engine.use_cases.apply_tenant import TenantResult, TenantWriter
from kpi_engine.use_cases.kept import check_kept

PIECE_EVENTS = 20_000


class Backfiller:
    """Runs inside the transaction of its entry. After a rollback the identities of the partition must be read again."""

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
        backfills: Backfills,
    ) -> None:
        self._progress, self._names, self._events, self._feed = progress, names, events, feed
        self._tenants, self._figures, self._control = tenants, figures, control
        self._revisions, self._backfills = revisions, backfills

    def arrivals(self, connection: Connection, entry: Entry, part: Owned) -> list[int]:
        """Ingest stamps of all days on which events arrived that the entry may write."""
        return self._backfills.arrivals(connection, entry.backfill_id, part.partition)

    def close(self, connection: Connection, entry: Entry, part: Owned, _partitions: int) -> Outcome:
        """Count what was staged, duplicates removed: of one identity the first event stands, here or there."""
        outcome = Outcome()
        for piece in self._backfills.records(connection, entry.backfill_id, part.partition, PIECE_EVENTS):
            decoded = _decoded(entry, part, piece)
            outcome.concerned = True
            self._reject(connection, entry, part, decoded, outcome)
            columns = decoded.tenants.get(entry.tenant)
            if columns is not None and len(columns):
                result = self._write(connection, entry, part, columns, Cause("backfill", entry.seq), outcome)
                brought = [identity_bytes(its) for new in result.pending for its in new.entries]
                self._backfills.bring(connection, entry.tenant_id, entry.backfill_id, part.partition, brought)
        return outcome

    def revert(self, connection: Connection, entry: Entry, part: Owned, _partitions: int) -> Outcome:
        """Take out what the backfill brought, as it stands now, and count what it displaced.

        Raises Rejected where some of that is no longer kept. What was deleted stays deleted, and of what came again live an amendment stands.
        """
        outcome = Outcome()
        catalogue = self._names.catalogue(connection, entry.tenant_id)
        if catalogue is None:
            raise Rejected("tenant-without-catalogue", "the tenant has no catalogue: nothing is counted yet")
        corrected = self._corrected(connection, entry, part)
        left = self._backfills.all_brought(connection, entry.backfill_id, part.partition)
        for piece in self._backfills.records(connection, entry.backfill_id, part.partition, PIECE_EVENTS):
            columns = _decoded(entry, part, piece).tenants.get(entry.tenant)
            if columns is None or not len(columns):
                continue
            identities = [identity_bytes(its) for its in columns.entries]
            brought = self._backfills.brought(connection, entry.backfill_id, part.partition, identities)
            left -= len(brought)
            settled = _settled(columns, identities, brought, corrected)
            self._backfills.keep(connection, part.partition, list(settled))
            going = {identity: its for identity, its in brought.items() if identity not in settled}
            if going:
                self._take_out(connection, entry, part, catalogue, columns, identities, going, outcome)
                self._backfills.give_free(connection, part.partition, list(going))
                self._bring_back(connection, entry, part, going, outcome)
        if left:
            # The records that named them were dropped.
            raise _dropped(left, self._control.raw_from(connection, entry.tenant_id))
        return outcome

    def _corrected(self, connection: Connection, entry: Entry, part: Owned) -> Corrected:
        """What was decided of single events since the close, by the names that accounts have now."""
        return {
            (
                self._tenants.erased_account(connection, entry.tenant_id, account, part.partition),
                source,
                event_id,
            ): kind
            for (account, source, event_id), kind in self._control.corrected_since(
                connection, entry, part.partition
            ).items()
        }

    def _take_out(
        self,
        connection: Connection,
        entry: Entry,
        part: Owned,
        catalogue: Catalogue,
        columns: Columns,
        identities: Sequence[bytes],
        brought: Mapping[bytes, Displaced | None],
        outcome: Outcome,
    ) -> None:
        mine = [i for i, identity in enumerate(identities) if identity in brought]
        account_ids = self._names.accounts(
            connection, entry.tenant_id, [columns.accounts[i] for i in mine], columns.partitions[mine]
        )
        named: dict[int, set[tuple[str, str]]] = defaultdict(set)
        for account_id, i in zip(account_ids.tolist(), mine, strict=True):
            named[account_id].add((columns.sources[i], columns.ids[i]))
        taken = self._control.take_out(
            connection, entry.tenant_id, {account: frozenset(its) for account, its in named.items()}
        )
        kept_from = self._control.raw_from(connection, entry.tenant_id)
        missing = sum(map(len, named.values())) - len(taken)
        if missing:
            raise _dropped(missing, kept_from)
        if kept_from is not None:
            check_kept(LocalTime(catalogue.settings.timezone), kept_from, int(taken.event_at_us.min()))
        internal = self._names.internal_people(connection, entry.tenant_id)
        batch = taken.batch(entry.tenant_id, catalogue, part.partition, internal)
        lost = self._figures.retract(connection, batch)
        outcome.took(lost)
        outcome.count("taken_out", len(taken))
        told = self._revisions.note(
            connection,
            entry.tenant_id,
            part.partition,
            Cause("revert", entry.seq),
            lost.moved,
            entry.created_at_us,
        )
        outcome.count("revisions", told)

    def _bring_back(
        self,
        connection: Connection,
        entry: Entry,
        part: Owned,
        going: Mapping[bytes, Displaced | None],
        outcome: Outcome,
    ) -> None:
        displaced = [(identity, its) for identity, its in going.items() if its]
        if not displaced:
            return
        records = [
            StagedRecord(number, its.ingested_at_us, [its.body], entry_of(identity, its.body))
            for number, (identity, its) in enumerate(displaced)
        ]
        columns = _decoded(entry, part, records).tenants[entry.tenant]
        self._write(connection, entry, part, columns, Cause("revert", entry.seq), outcome)
        outcome.count("came_back", len(columns))

    def _write(
        self,
        connection: Connection,
        entry: Entry,
        part: Owned,
        columns: Columns,
        cause: Cause,
        outcome: Outcome,
    ) -> TenantResult:
        """Write a piece like a batch of its own: its identities are logged under a batch number, and known to the next piece."""
        step = Advance(part.topic, part.partition, part.epoch, part.next_offset, part.next_offset, None)
        self._progress.advance(connection, [step])
        outcome.batches += 1
        batch_no = part.batch_no + outcome.batches
        result = self._tenants.write(connection, columns, lambda _: batch_no, cause)
        self._events.reject(connection, [("engine", entry.tenant_id, bad) for bad in result.rejected])
        self._tenants.committed(result.pending)
        fates = [*result.fates.get(part.partition, ()), *map(rejected_as_shown, result.rejected)]
        self._feed.fates(connection, entry.tenant_id, part.partition, batch_no, kept(fates))
        for change in result.changes.values():
            outcome.accounts |= change.account_ids
            outcome.measures |= change.measures
        for name, count in (
            ("new", result.new),
            ("duplicates", result.duplicates),
            ("conflicts", len(result.conflicts)),
            ("rejected", len(result.rejected)),
        ):
            outcome.count(name, count)
        return result

    def _reject(
        self, connection: Connection, entry: Entry, part: Owned, decoded: Decoded, outcome: Outcome
    ) -> None:
        if decoded.poisoned:
            self._events.reject(connection, [("engine", entry.tenant_id, bad) for bad in decoded.poisoned])
            outcome.count("rejected", len(decoded.poisoned))


def _settled(
    columns: Columns,
    identities: Sequence[bytes],
    brought: Mapping[bytes, Displaced | None],
    corrected: Corrected,
) -> set[bytes]:
    """What stays as people decided: what was deleted, and amended events that would come back as they were before."""
    found = set()
    named = zip(identities, columns.accounts, columns.sources, columns.ids, strict=True)
    for identity, *name in named if corrected else ():
        kind = corrected.get((name[0], name[1], name[2]))
        if identity in brought and (kind == "deletion" or (kind and brought[identity])):
            found.add(identity)
    return found


def _dropped(events: int, kept_from: datetime | None) -> Rejected:
    since = "" if kept_from is None else f" (those that arrived before {kept_from.isoformat()} were dropped)"
    return Rejected(
        "raw-events-dropped",
        f"{events} or more events that the backfill brought are no longer kept{since}, so it can't be taken out exactly; "
        "what it brought stays counted",
    )


def _decoded(entry: Entry, part: Owned, records: Sequence[StagedRecord]) -> Decoded:
    decoder = Decoder()
    for record in records:
        bodies = [msgspec.Raw(body) for body in record.bodies]
        packed = PackedEvents(entry.tenant, record.ingested_at_us, bodies)
        decoder.add(part.topic, part.partition, record.offset, packed)
    decoded = decoder.finish()
    columns = decoded.tenants.get(entry.tenant)
    if columns is not None:
        for record in records:
            if record.entries is not None:
                its = (columns.offsets == record.offset) & (columns.ingested_at_us == record.ingested_at_us)
                columns.entries[its] = record.entries[columns.indexes[its]]
    return decoded
