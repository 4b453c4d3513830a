"""One batch, one transaction: everything that a poll brought is counted, or nothing of it is.

The order inside: progress by compare-and-set first, so that a fenced engine stops before it writes; then duplicates, raw events,
figures, account state, and what others see. Memory follows the database only after the commit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from common.clock import Clock
from common.contracts.record import stamp_of, unpack_events, unpack_rejected
from common.errors import Rejected
from common.streams.port import InRecord
from kpi_engine.domain.decode import Decoded, Decoder, Place, Poisoned, Staged, printable
from kpi_engine.domain.fates import kept, rejected_as_shown
from kpi_engine.domain.ownership import Choice, Owned, Turns
from kpi_engine.ports.backfills import Staging
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.errors import EngineStopped
from kpi_engine.ports.stores import Advance, Change, Events, Feed, Names, PendingIds, Progress
from kpi_engine.use_cases.apply_tenant import Ahead, TenantResult, TenantWriter
from kpi_engine.use_cases.compute_states import StateComputer

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[str, int]
Fates = dict[tuple[int, int], list[dict[str, Any]]]  # by (tenant, feed partition)


class DryRun(Exception):
    """Undoes a trial transaction."""


@dataclass(slots=True)
class Applied:
    """What one transaction did."""

    events: int = 0
    new: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    left_out: int = 0
    cell_changes: int = 0  # before those of one cell were put together
    computed: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """What records say by themselves, without the database."""

    decoded: Decoded
    refused: list[Poisoned]  # by ingest, from the rejected topic
    readings: Mapping[str, Ahead]  # by tenant, where its definitions were known


@dataclass(slots=True)
class _Work:
    """One transaction under way. `pending`: new identities; those of all pieces but the last are `remembered` already."""

    pending: list[PendingIds] = field(default_factory=list)
    remembered: list[PendingIds] = field(default_factory=list)
    fates: Fates = field(default_factory=lambda: defaultdict(list))
    changed: dict[tuple[int, int], Change] = field(default_factory=dict)
    results: dict[str, TenantResult] = field(default_factory=dict)
    rejected: list[tuple[str, int | None, Poisoned]] = field(default_factory=list)
    newest_ingest_us: dict[int, int] = field(default_factory=dict)


class BatchWriter:
    """Applies records to the database, exactly once in effect."""

    def __init__(
        self,
        connection: Connection,
        progress: Progress,
        names: Names,
        events: Events,
        feed: Feed,
        tenants: TenantWriter,
        states: StateComputer,
        backfills: Staging,
        clock: Clock,
        events_topic: str,
    ) -> None:
        self._connection = connection
        self._progress, self._names, self._events, self._feed = progress, names, events, feed
        self._tenants, self._states, self._clock = tenants, states, clock
        self._backfills = backfills
        self._events_topic = events_topic
        self.owned: dict[Key, Owned] = {}
        self.turns = Turns()

    def apply(
        self,
        records: Sequence[InRecord],
        compute_limit: int,
        known_poison: Mapping[Place, tuple[str, str]] | None = None,
        dry_run: bool = False,
        pieces: Iterable[Prepared] | None = None,
    ) -> Applied:
        """Apply records (none: only account state) in one transaction. With `dry_run` it is rolled back and DryRun raised.

        `pieces` is what `prepare` makes of the same records, some after the other, where that is done beside.

        Raises Fenced and EngineStopped; any other error has left database and memory as they were.
        """
        now = self._clock.now()
        work = _Work()
        steps = self._steps(records)
        choices: list[Choice] = []
        self._events.prepare(self._connection, self._stamps(records))
        waiting = {key: dict(owned.dirty) for key, owned in self.owned.items()} if records else None
        try:
            # What has no answer is sent, and the work goes on while the database does it; an answer waits for all before it.
            with self._connection.pipeline() as pipeline, self._connection.transaction():
                self._progress.advance(self._connection, steps.values())
                applied = self._write_events(work, pieces or [self.prepare(records, known_poison)])
                self._mark_dirty(work)
                choices = self.turns.choose([self.owned[key] for key in steps], now, compute_limit)
                applied.computed = self._states.compute(self._connection, choices, now)
                self._keep_dirty(steps, choices)
                self._publish(work, choices, steps, now)
                if dry_run:
                    pipeline.sync()  # an error that has not come back yet is what a trial is made for
                    raise DryRun  # noqa: TRY301 - it undoes the transaction around it
        except BaseException:
            self._names.clear()
            self._tenants.rolled_back()
            if work.remembered and not self._connection.broken:
                self._tenants.forget(self._connection, work.remembered)
            for key, dirty in (waiting or {}).items():
                self.owned[key].dirty = dirty
            raise
        self._committed(work, steps, choices, now)
        return applied

    def has_turn(self, now: datetime) -> bool:
        """Say whether an account's state can be computed now."""
        return self.turns.has_any(self.owned.values(), now)

    def prepare(
        self, records: Sequence[InRecord], known_poison: Mapping[Place, tuple[str, str]] | None = None
    ) -> Prepared:
        """Decode records and read their events as far as that needs no database; safe beside a transaction of another thread."""
        decoder = Decoder(known_poison)
        refused: list[Poisoned] = []
        for record in records:
            place = Place(record.topic, record.partition, record.offset, 0)
            try:
                if record.topic == self._events_topic:
                    packed = unpack_events(record.value, record.headers)
                    decoder.add(record.topic, record.partition, record.offset, packed)
                else:
                    item = unpack_rejected(record.value, record.headers)
                    refused.append(
                        Poisoned(place, item.tenant, item.ingested_at_us, item.code, item.message, item.body)
                    )
            except Rejected as error:
                received_us = record.timestamp_ms * 1000
                decoder.set_aside(place, None, max(received_us, 0), error, record.value or b"")
        decoded = decoder.finish()
        return Prepared(decoded, refused, self._tenants.read_ahead(decoded.tenants.values()))

    def _steps(self, records: Sequence[InRecord]) -> dict[Key, Advance]:
        newest: dict[Key, InRecord] = {}
        for record in records:
            key = (record.topic, record.partition)
            expected = newest[key].offset + 1 if key in newest else self.owned[key].next_offset
            if record.offset != expected:
                raise EngineStopped(
                    "offset-gone",
                    f"{record.topic}/{record.partition}: offset {expected} is wanted, the log gave {record.offset}: "
                    "records are missing. See docs/runbooks/engine-stopped.md",
                )
            newest[key] = record
        waiting = {key for key, owned in self.owned.items() if owned.dirty}
        return {
            key: self._advance(self.owned[key], newest.get(key)) for key in sorted(waiting | newest.keys())
        }

    def _advance(self, owned: Owned, newest: InRecord | None) -> Advance:
        next_offset = newest.offset + 1 if newest else owned.next_offset
        stamp = stamp_of(newest.headers) if newest else None
        leader_epoch = newest.leader_epoch if newest else None
        return Advance(
            owned.topic, owned.partition, owned.epoch, owned.next_offset, next_offset, stamp, leader_epoch
        )

    def _write_events(self, work: _Work, pieces: Iterable[Prepared]) -> Applied:
        applied = Applied()
        for piece in pieces:
            # What the piece before brought is known to this one as if it were committed.
            if work.pending:
                self._tenants.committed(work.pending)
                work.remembered += work.pending
                work.pending = []
            applied.events += piece.decoded.events
            self._write_piece(work, piece)
        for result in work.results.values():
            self._tenants.finish(self._connection, result)
            work.rejected += [("engine", result.tenant_id, bad) for bad in result.rejected]
            if result.tenant_id is not None:
                for partition, fates in result.fates.items():
                    work.fates[(result.tenant_id, partition)] += fates
            applied.new += result.new
            applied.cell_changes += result.cell_changes
            applied.duplicates += result.duplicates
            applied.conflicts += len(result.conflicts)
            applied.left_out += result.left_out
        self._reject(work)
        applied.rejected = len(work.rejected)
        return applied

    def _write_piece(self, work: _Work, piece: Prepared) -> None:
        decoded = piece.decoded
        work.newest_ingest_us |= decoded.newest_ingest_us
        for columns in decoded.tenants.values():
            result = work.results.get(columns.tenant)
            if result is None:
                result = work.results[columns.tenant] = self._tenants.result(self._connection, columns.tenant)
            ahead = piece.readings.get(columns.tenant)
            self._tenants.add(self._connection, result, columns, self._batch_no_of, ahead=ahead)
            work.pending += result.pending
            result.pending.clear()
        closed = [bad for staged in decoded.staged for bad in self._stage(staged)]
        for stage, items in (("engine", decoded.poisoned + closed), ("ingest", piece.refused)):
            for bad in items:
                tenant_id = self._names.tenant(self._connection, bad.tenant) if bad.tenant else None
                work.rejected.append((stage, tenant_id, bad))
        replays = [
            (tenant_id, rejected_id)
            for slug, rejected_id in decoded.replayed
            if (tenant_id := work.results[slug].tenant_id) is not None
        ]
        self._events.replayed(self._connection, replays)

    def _stamps(self, records: Sequence[InRecord]) -> set[int]:
        """The stamps of all records: who catches up reads several days at once."""
        found = (stamp_of(record.headers) for record in records if record.topic == self._events_topic)
        return {stamp for stamp in found if stamp is not None}

    def _stage(self, staged: Staged) -> list[Poisoned]:
        """Keep a record for its backfill; returns its events, set aside, when that takes no more."""
        tenant_id = self._names.tenant(self._connection, staged.tenant)
        if tenant_id is not None:
            kept = self._tenants.staged(self._connection, tenant_id, staged)
            if self._backfills.stage(self._connection, tenant_id, kept):
                return []
        message = (
            f"backfill {staged.backfill_id} takes no more events; replay the event to count it on its own"
        )
        bodies = zip(staged.places, staged.bodies, strict=True)
        return [
            Poisoned(
                place,
                staged.tenant,
                staged.ingested_at_us,
                "backfill-closed",
                printable(message),
                body[:65_536],
            )
            for place, body in bodies
        ]

    def _reject(self, work: _Work) -> None:
        self._events.reject(self._connection, [self._without_erased(*row) for row in work.rejected])
        for _, tenant_id, bad in work.rejected:
            if tenant_id is not None:
                work.fates[(tenant_id, self._feed_partition(bad.place.topic, bad.place.partition))].append(
                    rejected_as_shown(bad)
                )

    def _without_erased(
        self, stage: str, tenant_id: int | None, bad: Poisoned
    ) -> tuple[str, int | None, Poisoned]:
        if tenant_id is None:
            return stage, tenant_id, bad
        return (
            stage,
            tenant_id,
            replace(bad, body=self._tenants.erased(self._connection, tenant_id, bad.body)),
        )

    def _mark_dirty(self, work: _Work) -> None:
        for result in work.results.values():
            for partition, change in result.changes.items():
                work.changed[(partition, change.tenant_id)] = change
                dirty = self.owned[(self._events_topic, partition)].dirty
                for account_id in change.account_ids:
                    dirty.setdefault(account_id, change.tenant_id)

    def _keep_dirty(self, steps: Mapping[Key, Advance], choices: Sequence[Choice]) -> None:
        done = {choice.account_id for choice in choices}
        for key, owned in self.owned.items():
            left = [account_id for account_id in owned.dirty if account_id not in done]
            if key in steps and left != owned.stored:
                self._progress.keep_dirty(self._connection, owned.topic, owned.partition, left)

    def _publish(
        self, work: _Work, choices: Sequence[Choice], steps: Mapping[Key, Advance], now: datetime
    ) -> None:
        changes = work.changed
        for choice in choices:
            key = (choice.partition, choice.tenant_id)
            if key not in changes:
                changes[key] = Change(choice.partition, self._batch_no_of(choice.partition), choice.tenant_id)
            changes[key].account_ids.add(choice.account_id)
            changes[key].computed.add(choice.account_id)
        self._feed.write(self._connection, list(changes.values()), self._as_of(work, now))
        for (tenant_id, partition), fates in work.fates.items():
            owned = self._owner_of(partition)
            self._feed.fates(self._connection, tenant_id, partition, owned.batch_no + 1, kept(fates))
        self._feed.notify(
            self._connection,
            {(partition, self._owner_of(partition).batch_no + 1) for partition, _ in changes}
            | {(partition, self._owner_of(partition).batch_no + 1) for _, partition in work.fates},
        )

    def _committed(
        self, work: _Work, steps: Mapping[Key, Advance], choices: Sequence[Choice], now: datetime
    ) -> None:
        self._tenants.committed(work.pending)
        for key, step in steps.items():
            owned = self.owned[key]
            owned.next_offset = step.next_offset
            owned.batch_no += 1
        for choice in choices:
            self.owned[(self._events_topic, choice.partition)].dirty.pop(choice.account_id, None)
        for key in steps:
            self.owned[key].stored = list(self.owned[key].dirty)
        self.turns.done(choices, now)

    def _as_of(self, work: _Work, now: datetime) -> datetime:
        stamps = work.newest_ingest_us.values()
        return EPOCH + timedelta(microseconds=min(stamps)) if stamps else now

    def _batch_no_of(self, partition: int) -> int:
        return self.owned[(self._events_topic, partition)].batch_no + 1

    def _feed_partition(self, topic: str, partition: int) -> int:
        return partition if topic == self._events_topic else -1 - partition

    def _owner_of(self, feed_partition: int) -> Owned:
        if feed_partition >= 0:
            return self.owned[(self._events_topic, feed_partition)]
        return next(
            o
            for (topic, p), o in self.owned.items()
            if topic != self._events_topic and p == -1 - feed_partition
        )
