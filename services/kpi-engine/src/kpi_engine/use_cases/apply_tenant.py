"""One tenant's part of a batch: which events are new, and what they change."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.decode import Columns, Poisoned, Staged, identified
from kpi_engine.domain.erasing import TokenOf, erased_account, erased_event
from kpi_engine.domain.fates import ACCEPTED_KEPT, Fate, as_shown, fate_of_new
from kpi_engine.domain.identity import identity_bytes, same_body
from kpi_engine.domain.ids import first_of_each
from kpi_engine.domain.moved import Pile
from kpi_engine.domain.reading import Reading
from kpi_engine.domain.revisions import LATE, Cause
from kpi_engine.ports.backfills import Brought, Displaced
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.control import Erased
from kpi_engine.ports.figures import Figures, Revisions
from kpi_engine.ports.stores import Change, ConflictRow, Events, Ids, Names, PendingIds, Sought
from kpi_engine.ports.tracking import Arriving

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

# A retry of an event whose time the server set may bear another time; its first body is looked for this far around.
RETRY_WINDOW_US = 24 * 3600 * 1_000_000


@dataclass(slots=True)
class _Span:
    """What is told of figures that moved: by whose events, and when those happened and arrived."""

    partition: int
    ingested_at_us: int
    event_at_us: int
    marks: bool = False

    def widen(self, batch: TenantBatch, *, marks: bool) -> None:
        self.partition = min(self.partition, int(batch.partitions.min()))
        self.ingested_at_us = min(self.ingested_at_us, int(batch.ingested_at_us.min()))
        self.event_at_us = min(self.event_at_us, int(batch.event_at_us.min()))
        self.marks |= marks


_NO_SPAN = (1 << 31, 1 << 62, 1 << 62)


@dataclass(slots=True)
class TenantResult:
    """What a tenant's events in one transaction did; partitions are those of the events topic."""

    tenant_id: int | None
    new: int = 0
    left_out: int = 0
    cell_changes: int = 0
    duplicates: int = 0
    rejected: list[Poisoned] = field(default_factory=list)
    conflicts: list[ConflictRow] = field(default_factory=list)
    fates: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    changes: dict[int, Change] = field(default_factory=dict)
    pending: list[PendingIds] = field(default_factory=list)
    freed: dict[int, list[bytes]] = field(default_factory=dict)
    pile: Pile = field(default_factory=Pile)
    span: _Span = field(default_factory=lambda: _Span(*_NO_SPAN))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a tenant's events say by a catalogue."""

    catalogue: Catalogue
    reading: Reading


class TenantWriter:
    """Removes duplicates, stores new events and hands them to the figures."""

    def __init__(
        self,
        names: Names,
        ids: Ids,
        events: Events,
        figures: Figures,
        revisions: Revisions,
        brought: Brought,
        erased: Erased,
        arriving: Arriving,
    ) -> None:
        self._names, self._ids, self._events, self._figures = names, ids, events, figures
        self._revisions, self._brought, self._erased = revisions, brought, erased
        self._arriving = arriving

    def write(
        self,
        connection: Connection,
        columns: Columns,
        batch_no_of: Callable[[int], int],
        cause: Cause = LATE,
    ) -> TenantResult:
        """Write one tenant's events inside the caller's transaction. `cause`: why complete figures change, where they do."""
        result = TenantResult(self._names.tenant(connection, columns.tenant))
        self.add(connection, result, columns, batch_no_of, cause)
        self.finish(connection, result, cause)
        return result

    def result(self, connection: Connection, tenant: str) -> TenantResult:
        """What a tenant's events do in the transaction that begins: to be filled by `add`, piece by piece, and finished."""
        return TenantResult(self._names.tenant(connection, tenant))

    def add(
        self,
        connection: Connection,
        result: TenantResult,
        columns: Columns,
        batch_no_of: Callable[[int], int],
        cause: Cause = LATE,
        ahead: Ahead | None = None,
    ) -> None:
        """Write a piece of the tenant's events, all but the cells of their measures.

        The identities of an earlier piece must be remembered by now, as by `committed`.
        `ahead`: what `read_ahead` found in them; it counts if it read by the definitions that are in force now.
        """
        tenant_id = result.tenant_id
        everything = np.arange(len(columns))
        if tenant_id is None:
            _reject(result, columns, everything, "tenant-unknown", f"there is no tenant {columns.tenant!r}")
            return
        catalogue = self._names.catalogue(connection, tenant_id)
        if catalogue is None:
            message = "the tenant has no catalogue yet: run `bellwether apply`, then replay the event"
            _reject(result, columns, everything, "tenant-without-catalogue", message)
            return
        changed = self._erase(connection, tenant_id, columns)
        known = ahead is not None and ahead.catalogue is catalogue and not changed
        reading = ahead.reading if ahead and known else self._read(tenant_id, catalogue, columns)
        for bad in reading.rejected:
            _reject(result, columns, np.array([bad.index]), bad.code, bad.message)
        new = self._new_ones(connection, result, columns, everything[reading.kept], cause)
        for partition, identities in result.freed.items():
            self._brought.counted(connection, partition, identities)
        result.freed.clear()
        self._count(connection, result, tenant_id, catalogue, columns, reading, new, batch_no_of, cause)

    def finish(self, connection: Connection, result: TenantResult, cause: Cause = LATE) -> None:
        """Store what all pieces moved, once."""
        if result.tenant_id is None:
            return
        result.cell_changes = result.pile.cell_changes
        measures = self._figures.put(connection, result.tenant_id, result.pile)
        for change in result.changes.values():
            change.measures.update(measures)
        if result.new:
            self._revise(connection, result.tenant_id, result, cause)
        self._events.conflicts(connection, result.tenant_id, result.conflicts)

    def read_ahead(self, tenants: Iterable[Columns]) -> dict[str, Ahead]:
        """Read events of tenants whose definitions are remembered; needs no database, and may run beside a transaction."""
        readings = {}
        for columns in tenants:
            remembered = self._names.remembered(columns.tenant)
            if remembered is not None:
                tenant_id, catalogue = remembered
                readings[columns.tenant] = Ahead(catalogue, self._read(tenant_id, catalogue, columns))
        return readings

    def _read(self, tenant_id: int, catalogue: Catalogue, columns: Columns) -> Reading:
        return self._figures.read(_unresolved(tenant_id, catalogue, columns))

    def erased(
        self, connection: Connection, tenant_id: int, body: bytes, partition: int | None = None
    ) -> bytes:
        """An event as it may be kept, of a partition's accounts or set aside: without people who were erased."""
        return self._erased.event(connection, tenant_id, body, partition)

    def staged(self, connection: Connection, tenant_id: int, record: Staged) -> Staged:
        """A record of a backfill as it may be kept: without people who were erased, and with who its events are."""
        partition = record.place.partition
        bodies = [self.erased(connection, tenant_id, body, partition) for body in record.bodies]
        if all(kept is body for kept, body in zip(bodies, record.bodies, strict=True)):
            return record
        entries = identified(record.tenant, record.ingested_at_us, record.bodies)
        return replace(record, bodies=bodies, entries=entries)

    def erased_account(self, connection: Connection, tenant_id: int, account: str, partition: int) -> str:
        """An account by the name that it has in the partition, now that people were erased."""
        token_of = self._erased.token_of(connection, tenant_id, partition)
        return account if token_of is None else erased_account(account, token_of)

    def _erase(self, connection: Connection, tenant_id: int, columns: Columns) -> bool:
        """Put the token of erased people in the place of their names; says whether there were any.

        Identities stay those of the events as they came.
        """
        found = False
        for partition in np.unique(columns.partitions).tolist():
            token_of = self._erased.token_of(connection, tenant_id, partition)
            if token_of is not None:
                found |= _rename(columns, np.flatnonzero(columns.partitions == partition), token_of)
        return found

    def committed(self, pending: Iterable[PendingIds]) -> None:
        """The transaction is durable: memory may follow."""
        self._ids.committed(pending)
        self._figures.committed()

    def rolled_back(self) -> None:
        """The transaction left no trace: neither may memory."""
        self._figures.rolled_back()

    def forget(self, connection: Connection, pending: Iterable[PendingIds]) -> None:
        """The transaction left no trace, though these were remembered before it ended."""
        self._figures.forget()
        with connection.transaction():
            for partition in {new.partition for new in pending}:
                self._ids.take(connection, partition)

    def _new_ones(
        self,
        connection: Connection,
        result: TenantResult,
        columns: Columns,
        candidates: Int64s,
        cause: Cause,
    ) -> Int64s:
        """Return the positions of events that were never seen, in order; the others are duplicates or conflicts."""
        if not len(candidates):
            return candidates
        entries, partitions = columns.entries[candidates], columns.partitions[candidates]
        first = first_of_each(entries)
        known = np.zeros(len(candidates), dtype=np.bool_)
        known_fp = np.zeros(len(candidates), dtype=np.uint64)
        for partition in np.unique(partitions):
            mask = partitions == partition
            found = self._ids.find(connection, int(partition), entries[mask])
            known[mask], known_fp[mask] = found.known, found.fp
        if known.any() and self._brought.any_closed(connection, result.tenant_id or 0):
            for partition in np.unique(partitions[known]).tolist():
                live = cause is LATE
                self._heed_backfills(connection, result, columns, candidates, partition, known, live)
        again = (first != np.arange(len(candidates))) & ~known
        repeated = np.flatnonzero(known | again)
        said_first = np.where(known, known_fp, entries["fp"][first])
        differ = repeated[said_first[repeated] != entries["fp"][repeated]]
        # Another first body lies in this batch or in the database.
        earlier = {
            int(candidates[at]): columns.bodies[candidates[first[at]]]
            for at in differ[again[differ]].tolist()
        }
        earlier |= self._stored(connection, result.tenant_id or 0, columns, candidates[differ[known[differ]]])
        for at in repeated.tolist():
            i = int(candidates[at])
            same = i not in earlier or same_body(earlier[i], columns.bodies[i])
            self._repeated(result, columns, i, same)
        new: Int64s = candidates[~(known | again)]
        return new

    def _heed_backfills(
        self,
        connection: Connection,
        result: TenantResult,
        columns: Columns,
        candidates: Int64s,
        partition: int,
        known: Booleans,
        live: bool,
    ) -> None:
        """What a reverted backfill gave free is not known; of what one brought the first live repetition is kept, for its revert."""
        repeated = np.flatnonzero(known & (columns.partitions[candidates] == partition)).tolist()
        identity_of = {at: identity_bytes(columns.entries[candidates[at]]) for at in repeated}
        wanted = list(dict.fromkeys(identity_of.values()))
        special = self._brought.special(connection, result.tenant_id or 0, partition, wanted)
        if not special:
            return
        displaced: dict[bytes, Displaced] = {}
        for at, identity in identity_of.items():
            free = special.get(identity)
            if free:
                known[at] = False
                result.freed.setdefault(partition, []).append(identity)
            elif live and free is not None:
                i = int(candidates[at])
                displaced.setdefault(identity, Displaced(columns.bodies[i], int(columns.ingested_at_us[i])))
        if displaced:
            self._brought.displace(connection, partition, displaced)

    def _stored(
        self, connection: Connection, tenant_id: int, columns: Columns, positions: Int64s
    ) -> dict[int, bytes]:
        """Return the bodies with which these events' identities were first counted; empty, unlike any event, where that is not known."""
        at = positions.tolist()
        accounts = self._names.accounts(
            connection, tenant_id, [columns.accounts[i] for i in at], columns.partitions[positions]
        )
        sought = [
            Sought(
                account_id,
                columns.sources[i],
                columns.ids[i],
                int(columns.event_at_us[i]),
                RETRY_WINDOW_US if b'"originaltime"' in columns.bodies[i] else 0,
            )
            for account_id, i in zip(accounts.tolist(), at, strict=True)
        ]
        found = self._events.first_bodies(connection, tenant_id, sought)
        return {i: body or b"" for i, body in zip(at, found, strict=True)}

    def _repeated(self, result: TenantResult, columns: Columns, i: int, same: bool) -> None:
        fate: Fate = "duplicate" if same else "conflict"
        result.fates[int(columns.partitions[i])].append(as_shown(columns, i, fate))
        if same:
            result.duplicates += 1
            return
        body = columns.bodies[i].decode(errors="replace")
        result.conflicts.append(
            ConflictRow(
                columns.accounts[i],
                columns.sources[i],
                columns.ids[i],
                int(columns.ingested_at_us[i]),
                body,
                columns.place(i),
            )
        )

    def _count(
        self,
        connection: Connection,
        result: TenantResult,
        tenant_id: int,
        catalogue: Catalogue,
        columns: Columns,
        reading: Reading,
        new: Int64s,
        batch_no_of: Callable[[int], int],
        cause: Cause,
    ) -> None:
        result.new += len(new)
        left_out = _left_out(reading)
        result.left_out += sum(1 for i in new.tolist() if i in left_out) if left_out else 0
        of_new = columns.partitions[new]
        for partition in np.unique(of_new).tolist():
            positions = new[of_new == partition]
            batch_no = batch_no_of(partition)
            result.pending.append(
                self._ids.append(connection, partition, batch_no, columns.entries[positions])
            )
            known = result.changes.setdefault(partition, Change(partition, batch_no, tenant_id))
            known.events += len(positions)
            told = set(positions[-ACCEPTED_KEPT:].tolist())
            if left_out:
                told |= left_out.keys() & set(positions.tolist())
            result.fates[partition] += [
                as_shown(
                    columns,
                    i,
                    fate_of_new(int(columns.event_at_us[i]), int(columns.ingested_at_us[i])),
                    left_out.get(i, ""),
                )
                for i in sorted(told)
            ]
        if not len(new):
            return
        batch = self.resolved(connection, tenant_id, catalogue, columns, new)
        self._events.write(connection, batch)
        if cause is LATE:
            self._arriving.note(connection, batch)
        written = self._figures.add(connection, batch, reading.only(new), result.pile)
        result.span.widen(batch, marks=bool(written.internal))
        accounts, first = np.unique(batch.account_ids, return_index=True)
        home = dict(zip(accounts.tolist(), batch.partitions[first].tolist(), strict=True))
        for account_id in (home.keys() | written.accounts) - {0}:
            result.changes[home[account_id]].account_ids.add(account_id)
        for change in result.changes.values():
            change.measures.update(written.measures)

    def _revise(self, connection: Connection, tenant_id: int, result: TenantResult, cause: Cause) -> None:
        """What arrived when its bucket was complete is told. As of: the oldest stamp of the batch, which all before it has."""
        heap, span = result.pile.in_force, result.span
        self._revisions.note(
            connection,
            tenant_id,
            span.partition,
            Cause("internal") if span.marks and not cause.tells_all else cause,
            [heap.moved] if heap else [],
            span.ingested_at_us,
            None if span.marks else span.event_at_us,
        )

    def resolved(
        self,
        connection: Connection,
        tenant_id: int,
        catalogue: Catalogue,
        columns: Columns,
        chosen: Int64s | None = None,
    ) -> TenantBatch:
        """Return events, all or the chosen ones, with the ids of their accounts and people, new ones created."""
        new = np.arange(len(columns)) if chosen is None else chosen
        mask = np.zeros(len(columns), np.bool_)
        mask[new] = True
        kept = mask.tolist()
        partitions = columns.partitions[new]
        accounts = self._names.accounts(
            connection, tenant_id, list(compress(columns.accounts, kept)), partitions
        )
        people = self._names.people(connection, tenant_id, accounts, list(compress(columns.users, kept)))
        return TenantBatch(
            tenant_id,
            catalogue,
            partitions.astype(np.int16),
            accounts,
            people.ids,
            np.isin(people.ids, list(self._names.internal_people(connection, tenant_id))),
            list(compress(columns.types, kept)),
            columns.event_at_us[new],
            list(compress(columns.sources, kept)),
            list(compress(columns.ids, kept)),
            list(compress(columns.bodies, kept)),
            columns.ingested_at_us[new],
            self._names.pending().get(tenant_id),
            people.new_from,
        )


def _left_out(reading: Reading) -> dict[int, str]:
    """By event: the measures that it is no part of, each with why."""
    found: dict[int, list[str]] = {}
    for it in reading.left_out:
        found.setdefault(it.index, []).append(f"{it.measure}: {it.message}")
    return {index: "; ".join(said) for index, said in found.items()}


def _rename(columns: Columns, positions: Int64s, token_of: TokenOf) -> bool:
    at = positions.tolist()
    tokens = {user: token_of(user) for user in {columns.users[i] for i in at} if user}
    homes = {account: erased_account(account, token_of) for account in {columns.accounts[i] for i in at}}
    found = False
    for i in at:
        user, account = columns.users[i], columns.accounts[i]
        if (user and tokens[user]) or homes[account] != account:
            found = True
            columns.bodies[i] = erased_event(columns.bodies[i], token_of)
            columns.users[i] = (tokens[user] or user) if user else user
            columns.accounts[i] = homes[account]
    return found


def _unresolved(tenant_id: int, catalogue: Catalogue, columns: Columns) -> TenantBatch:
    zeros = np.zeros(len(columns), dtype=np.int64)
    return TenantBatch(
        tenant_id,
        catalogue,
        zeros.astype(np.int16),
        zeros,
        zeros,
        zeros.astype(np.bool_),
        columns.types,
        columns.event_at_us,
        columns.sources,
        columns.ids,
        columns.bodies,
    )


def _reject(result: TenantResult, columns: Columns, positions: Int64s, code: str, message: str) -> None:
    for i in positions.tolist():
        result.rejected.append(
            Poisoned(
                columns.place(i),
                columns.tenant,
                int(columns.ingested_at_us[i]),
                code,
                message,
                columns.bodies[i][:65_536],
            )
        )
