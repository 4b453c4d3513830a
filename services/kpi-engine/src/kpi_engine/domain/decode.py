"""From Kafka records to columns, one event after another; what can't be read is set aside with its reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import msgspec
import numpy as np
import numpy.typing as npt

from common.contracts.record import PackedEvents
from common.errors import Rejected
from kpi_engine.domain.identity import ENTRY, Entries, entries_of, fingerprints, identities
from kpi_engine.domain.instants import UNREADABLE_US, instant_us, instants_us

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

MIN_EVENT_US = instant_us("1990-01-01T00:00:00Z")
FUTURE_US = 3600 * 1_000_000


class _Person(msgspec.Struct, frozen=True, gc=False):
    user: str | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    id: str
    source: str
    type: str
    time: str
    subject: str | None = None
    data: _Person = _Person()


_decode = msgspec.json.Decoder(_Event).decode


def _nothing() -> Int64s:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: offset of its record and index in it."""

    topic: str
    partition: int
    offset: int
    index: int


@dataclass(frozen=True, slots=True)
class Poisoned:
    """An event or a whole record that can't be counted, with the reason; kept, explained, replayable."""

    place: Place
    tenant: str | None
    received_at_us: int
    code: str
    message: str
    body: bytes


@dataclass(slots=True)
class Columns:
    """Events of one tenant in arrival order; index i is the same event in every column."""

    tenant: str
    topic: str
    may_hold_nul: bool = False
    bodies: list[bytes] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)  # empty: an event of the tenant itself
    users: list[str | None] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    # Known once all records are in.
    partitions: Int64s = field(default_factory=_nothing)
    offsets: Int64s = field(default_factory=_nothing)
    indexes: Int64s = field(default_factory=_nothing)
    event_at_us: Int64s = field(default_factory=_nothing)
    ingested_at_us: Int64s = field(default_factory=_nothing)
    entries: Entries = field(default_factory=lambda: np.zeros(0, ENTRY))
    _runs: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.bodies)

    def place(self, i: int) -> Place:
        """Return where an event stands in the log."""
        return Place(self.topic, int(self.partitions[i]), int(self.offsets[i]), int(self.indexes[i]))

    def take(
        self,
        partition: int,
        offset: int,
        index: int,
        stamp_us: int,
        bodies: list[bytes],
        events: list["_Event"],
    ) -> None:
        """Append neighbouring events of one record, the first of which has this index."""
        self._runs.append((partition, offset, index, stamp_us, len(bodies)))
        self.bodies += bodies
        self.accounts += [event.subject or "" for event in events]
        self.users += [event.data.user for event in events]
        self.types += [event.type for event in events]
        self.sources += [event.source for event in events]
        self.ids += [event.id for event in events]
        self.times += [event.time for event in events]

    def finish(self) -> None:
        """Work out the columns that are numbers."""
        runs = np.array(self._runs, np.int64).reshape(-1, 5)
        counts = runs[:, 4]
        self.partitions, self.offsets, first, self.ingested_at_us = (
            np.repeat(runs[:, i], counts) for i in range(4)
        )
        starts = np.cumsum(counts) - counts
        self.indexes = first + np.arange(len(self)) - np.repeat(starts, counts)
        self.event_at_us = instants_us(self.times)

    def identify(self) -> None:
        """Work out who the events are."""
        self.entries = entries_of(
            identities(self.tenant, self.accounts, self.sources, self.ids), fingerprints(self.bodies)
        )

    def keep(self, kept: Booleans) -> None:
        """Drop the other events."""
        for name in ("bodies", "accounts", "users", "types", "sources", "ids", "times"):
            setattr(self, name, list(compress(getattr(self, name), kept.tolist())))
        for name in ("partitions", "offsets", "indexes", "event_at_us", "ingested_at_us"):
            setattr(self, name, getattr(self, name)[kept])


@dataclass(frozen=True, slots=True)
class Staged:
    """A record of a backfill, as ingest packed it. `entries`: who its events are, where the bodies do not tell it any more."""

    place: Place
    tenant: str
    ingested_at_us: int
    backfill_id: str
    bodies: list[bytes]
    entries: Entries | None = None

    @property
    def places(self) -> list[Place]:
        at = self.place
        return [Place(at.topic, at.partition, at.offset, index) for index in range(len(self.bodies))]


@dataclass(slots=True)
class Decoded:
    """What a poll brought: columns per tenant, what was set aside, and which rejected events were replayed."""

    tenants: dict[str, Columns] = field(default_factory=dict)
    poisoned: list[Poisoned] = field(default_factory=list)
    replayed: list[tuple[str, int]] = field(default_factory=list)
    staged: list[Staged] = field(default_factory=list)
    newest_ingest_us: dict[int, int] = field(default_factory=dict)  # by partition
    events: int = 0


def printable(text: str) -> str:
    """Return text that the database and a page can hold."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


class Decoder:
    """Turns packed events into columns. `known_poison` names events that an earlier try could not store."""

    def __init__(self, known_poison: Mapping[Place, tuple[str, str]] | None = None) -> None:
        self._known_poison = known_poison or {}
        self._out = Decoded()

    def add(self, topic: str, partition: int, offset: int, packed: PackedEvents) -> None:
        """Take all events of one record."""
        out = self._out
        out.newest_ingest_us[partition] = packed.ingested_at_us
        out.events += len(packed.bodies)
        if packed.backfill is not None:
            place, bodies = Place(topic, partition, offset, 0), list(map(bytes, packed.bodies))
            out.staged.append(Staged(place, packed.tenant, packed.ingested_at_us, packed.backfill, bodies))
            return
        columns = out.tenants.get(packed.tenant)
        if columns is None:
            columns = out.tenants[packed.tenant] = Columns(packed.tenant, topic)
        columns.may_hold_nul |= packed.may_hold_nul
        if packed.replay_of is not None:
            out.replayed.append((packed.tenant, packed.replay_of))
        bodies = list(map(bytes, packed.bodies))
        events = None if self._known_poison else _all_decoded(bodies)
        if events is not None:
            columns.take(partition, offset, 0, packed.ingested_at_us, bodies, events)
            return
        for index, body in enumerate(bodies):
            place = Place(topic, partition, offset, index)
            try:
                if place in self._known_poison:
                    raise Rejected(*self._known_poison[place])
                columns.take(partition, offset, index, packed.ingested_at_us, [body], [_decode(body)])
            except UNREADABLE as error:
                self.set_aside(place, packed.tenant, packed.ingested_at_us, error, body)

    def set_aside(
        self, place: Place, tenant: str | None, received_at_us: int, error: Exception, body: bytes
    ) -> None:
        """Keep an event or record that can't be counted, with its reason."""
        code = error.code if isinstance(error, Rejected) else "event-unreadable"
        message = error.message if isinstance(error, Rejected) else f"the event can't be read: {error}"
        self._out.poisoned.append(
            Poisoned(place, tenant, received_at_us, code, printable(message)[:500], body[:65_536])
        )

    def finish(self) -> Decoded:
        """Return everything that was added."""
        for columns in self._out.tenants.values():
            columns.finish()
            kept = np.ones(len(columns), np.bool_)
            for i, error in _unfit(columns):
                if kept[i]:
                    stamp = int(columns.ingested_at_us[i])
                    self.set_aside(columns.place(i), columns.tenant, stamp, error, columns.bodies[i])
                kept[i] = False
            if not kept.all():
                columns.keep(kept)
            columns.identify()
        return self._out


def identified(tenant: str, ingested_at_us: int, bodies: Sequence[bytes]) -> Entries:
    """Who each of the events of a record is; nobody, all zeros, where one can't be read."""
    decoder = Decoder()
    decoder.add("", 0, 0, PackedEvents(tenant, ingested_at_us, [msgspec.Raw(body) for body in bodies]))
    columns = decoder.finish().tenants[tenant]
    entries = np.zeros(len(bodies), ENTRY)
    entries[columns.indexes] = columns.entries
    return entries


UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError, OverflowError, Rejected)


def _all_decoded(bodies: list[bytes]) -> list[_Event] | None:
    """Return the events, or None when there is one among them that can't be read."""
    try:
        return list(map(_decode, bodies))
    except UNREADABLE:
        return None


def _unfit(columns: Columns) -> Iterator[tuple[int, Exception]]:
    """Yield the events that can be read and yet not counted, with the reason."""
    at_us = columns.event_at_us
    for i in np.flatnonzero(at_us == UNREADABLE_US).tolist():
        yield i, ValueError(f"{columns.times[i]!r} is not an RFC 3339 time with a zone")
    for i in np.flatnonzero((at_us < MIN_EVENT_US) | (at_us > columns.ingested_at_us + FUTURE_US)).tolist():
        message = f"the time {columns.times[i]} is too old or after the event was received"
        yield i, Rejected("event-time-range", message)
    named = (columns.ids, columns.sources, columns.types, columns.accounts, columns.users)
    for texts in named if columns.may_hold_nul else ():
        if "\0" in "".join(filter(None, texts)):
            for i, text in enumerate(texts):
                if text and "\0" in text:
                    yield i, Rejected("event-nul", "an attribute contains NUL")


class About(msgspec.Struct):
    """What can be said about an event that can't be counted."""

    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None


def about_of(body: bytes) -> About:
    """Return what is readable of a body, fit for the database; nothing where it is not an event at all."""
    try:
        about = msgspec.json.decode(body, type=About)
        found = (about.id, about.source, about.type, about.subject)
        return About(*(printable(value)[:300] if value else None for value in found))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return About()
