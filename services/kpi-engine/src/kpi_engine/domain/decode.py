"""From Kafka records to columns, one event after another; what can't be read is set aside with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from common.contracts.record import PackedEvents
from common.errors import Rejected
from kpi_engine.domain.identity import fingerprint, identity

MIN_EVENT_US = int(datetime.fromisoformat("1990-01-01T00:00:00+00:00").timestamp()) * 1_000_000
FUTURE_US = 3600 * 1_000_000
NUL = b"\\u0000"


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
    """Events of one tenant in arrival order; index i is the same event in every list."""

    tenant: str
    topic: str
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)  # empty: an event of the tenant itself
    users: list[str | None] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    event_at_us: list[int] = field(default_factory=list)
    ingested_at_us: list[int] = field(default_factory=list)
    identities: list[bytes] = field(default_factory=list)
    fingerprints: list[int] = field(default_factory=list)

    def place(self, i: int) -> Place:
        """Return where an event stands in the log."""
        return Place(self.topic, self.partitions[i], self.offsets[i], self.indexes[i])


@dataclass(slots=True)
class Decoded:
    """What a poll brought: columns per tenant, what was set aside, and which rejected events were replayed."""

    tenants: dict[str, Columns] = field(default_factory=dict)
    poisoned: list[Poisoned] = field(default_factory=list)
    replayed: list[tuple[str, int]] = field(default_factory=list)
    newest_ingest_us: dict[int, int] = field(default_factory=dict)  # by partition
    events: int = 0


def printable(text: str) -> str:
    """Return text that the database and a page can hold."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def instant_us(text: str) -> int:
    """Return RFC 3339 text as epoch microseconds; raises ValueError without a zone or out of range."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("the time has no zone")
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Decoder:
    """Turns packed events into columns. `known_poison` names events that an earlier try could not store."""

    def __init__(self, known_poison: Mapping[Place, tuple[str, str]] | None = None) -> None:
        self._known_poison = known_poison or {}
        self.out = Decoded()

    def add(self, topic: str, partition: int, offset: int, packed: PackedEvents) -> None:
        """Take all events of one record."""
        out, count = self.out, len(packed.bodies)
        out.newest_ingest_us[partition] = packed.ingested_at_us
        out.events += count
        columns = out.tenants.get(packed.tenant)
        if columns is None:
            columns = out.tenants[packed.tenant] = Columns(packed.tenant, topic)
        if packed.replay_of is not None:
            out.replayed.append((packed.tenant, packed.replay_of))
        bodies = [bytes(body) for body in packed.bodies]
        if not self._known_poison:
            try:
                _append(columns, partition, offset, range(count), packed.ingested_at_us, bodies)
            except UNREADABLE:
                pass  # one by one, below, so that only the culprit is set aside
            else:
                return
        for index, body in enumerate(bodies):
            place = Place(topic, partition, offset, index)
            try:
                if place in self._known_poison:
                    raise Rejected(*self._known_poison[place])
                _append(columns, partition, offset, (index,), packed.ingested_at_us, [body])
            except UNREADABLE as error:
                self.set_aside(place, packed.tenant, packed.ingested_at_us, error, body)

    def set_aside(
        self, place: Place, tenant: str | None, received_at_us: int, error: Exception, body: bytes
    ) -> None:
        """Keep an event or record that can't be counted, with its reason."""
        code = error.code if isinstance(error, Rejected) else "event-unreadable"
        message = error.message if isinstance(error, Rejected) else f"the event can't be read: {error}"
        self.out.poisoned.append(
            Poisoned(place, tenant, received_at_us, code, printable(message)[:500], body[:65_536])
        )


UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError, OverflowError, Rejected)


def _append(
    columns: Columns,
    partition: int,
    offset: int,
    indexes: Sequence[int],
    ingested_at_us: int,
    bodies: list[bytes],
) -> None:
    """Append events of one record, all or none of them; raises one of UNREADABLE."""
    events = [_decode(body) for body in bodies]
    at_us = [instant_us(event.time) for event in events]
    if not events:
        return
    if min(at_us) < MIN_EVENT_US or max(at_us) > ingested_at_us + FUTURE_US:
        raise Rejected(
            "event-time-range", f"the time {events[0].time} is too old or after the event was received"
        )
    if any(NUL in body for body in bodies) and any(
        "\0" in e.id + e.source + (e.subject or "") for e in events
    ):
        raise Rejected("event-nul", "an attribute contains NUL")
    tenant, count = columns.tenant, len(events)
    accounts = [event.subject or "" for event in events]
    identities = [identity(tenant, a, e.source, e.id) for a, e in zip(accounts, events, strict=True)]
    columns.partitions += [partition] * count
    columns.offsets += [offset] * count
    columns.indexes += indexes
    columns.bodies += bodies
    columns.accounts += accounts
    columns.users += [event.data.user for event in events]
    columns.types += [event.type for event in events]
    columns.sources += [event.source for event in events]
    columns.ids += [event.id for event in events]
    columns.times += [event.time for event in events]
    columns.event_at_us += at_us
    columns.ingested_at_us += [ingested_at_us] * count
    columns.identities += identities
    columns.fingerprints += [fingerprint(body) for body in bodies]


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
