"""From Kafka records to columns, one event after another; what can't be read is set aside with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from common.contracts.record import PackedEvents
from common.errors import Rejected
from kpi_engine.domain.identity import fingerprint, identity

MIN_EVENT_US = int(datetime.fromisoformat("1990-01-01T00:00:00+00:00").timestamp()) * 1_000_000
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
    places: list[Place] = field(default_factory=list)
    bodies: list[msgspec.Raw] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)  # empty: an event of the tenant itself
    users: list[str | None] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    event_at_us: list[int] = field(default_factory=list)
    ingested_at_us: list[int] = field(default_factory=list)
    identities: list[bytes] = field(default_factory=list)
    fingerprints: list[bytes] = field(default_factory=list)


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
        out = self.out
        out.newest_ingest_us[partition] = packed.ingested_at_us
        out.events += len(packed.bodies)
        columns = out.tenants.get(packed.tenant)
        if columns is None:
            columns = out.tenants[packed.tenant] = Columns(packed.tenant)
        if packed.replay_of is not None:
            out.replayed.append((packed.tenant, packed.replay_of))
        for index, body in enumerate(packed.bodies):
            place = Place(topic, partition, offset, index)
            try:
                self._append(columns, place, packed.ingested_at_us, body)
            except (msgspec.DecodeError, RecursionError, ValueError, OverflowError, Rejected) as error:
                self.set_aside(place, packed.tenant, packed.ingested_at_us, error, bytes(body))

    def set_aside(
        self, place: Place, tenant: str | None, received_at_us: int, error: Exception, body: bytes
    ) -> None:
        """Keep an event or record that can't be counted, with its reason."""
        code = error.code if isinstance(error, Rejected) else "event-unreadable"
        message = error.message if isinstance(error, Rejected) else f"the event can't be read: {error}"
        self.out.poisoned.append(
            Poisoned(place, tenant, received_at_us, code, printable(message)[:500], body[:65_536])
        )

    def _append(self, columns: Columns, place: Place, ingested_at_us: int, body: msgspec.Raw) -> None:
        poison = self._known_poison.get(place) if self._known_poison else None
        if poison is not None:
            raise Rejected(*poison)
        event = _decode(body)
        at_us = instant_us(event.time)
        if not MIN_EVENT_US <= at_us <= ingested_at_us + FUTURE_US:
            raise Rejected(
                "event-time-range", f"the time {event.time} is too old or after the event was received"
            )
        account = event.subject or ""
        if "\0" in account or "\0" in event.id or "\0" in event.source:
            raise Rejected("event-nul", "an attribute contains NUL")
        seen = identity(columns.tenant, account, event.source, event.id)
        columns.places.append(place)
        columns.bodies.append(body)
        columns.accounts.append(account)
        columns.users.append(event.data.user)
        columns.types.append(event.type)
        columns.sources.append(event.source)
        columns.ids.append(event.id)
        columns.times.append(event.time)
        columns.event_at_us.append(at_us)
        columns.ingested_at_us.append(ingested_at_us)
        columns.identities.append(seen)
        columns.fingerprints.append(fingerprint(body))


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
