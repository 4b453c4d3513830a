"""Events as the reference reads them: plain objects, from a file or from the topic's first offset on.

Words. An event is *accepted* when it is the first of its (account, source, id) and its time lies between 2000 and
five minutes after its ingest stamp. A person is *internal* when the last trait `is_internal` known of them is true.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FUTURE = timedelta(minutes=5)
PEOPLE_TYPES = ("user.created", "user.updated")

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """`account` is empty for events of the tenant itself; `at` and `ingested_at` are aware UTC."""

    account: str
    source: str
    id: str
    type: str
    at: datetime
    user: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    ingested_at: datetime | None = None

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Events of one instant are in the order of (source, id)."""
        return (self.at, self.source, self.id)


def instant(text: str) -> datetime:
    """An RFC 3339 time as aware UTC."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"time without a zone: {text}")
    return at.astimezone(UTC)


def event_of(body: Mapping[str, Any], ingested_at: datetime | None = None) -> Event:
    data = body.get("data") or {}
    user = data.get("user")
    return Event(
        account=body.get("subject") or "",
        source=body["source"],
        id=body["id"],
        type=body["type"],
        at=instant(body["time"]),
        user=user if isinstance(user, str) and user else None,
        data=data,
        ingested_at=ingested_at,
    )


def read_file(path: Path) -> list[Json]:
    """The lines of an NDJSON file, packed by gzip or not, in their order."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in raw.splitlines() if line.strip()]


def events_of(bodies: Iterable[Mapping[str, Any]]) -> list[Event]:
    return [event_of(body) for body in bodies]


def accepted(arrived: Iterable[Event]) -> list[Event]:
    """Each identity once, the first that arrived; none from before 2000 or from the future."""
    seen: set[tuple[str, str, str]] = set()
    kept: list[Event] = []
    for event in arrived:
        if event.at < EARLIEST:
            continue
        if event.ingested_at is not None and event.at > event.ingested_at + FUTURE:
            continue
        identity = (event.account, event.source, event.id)
        if identity not in seen:
            seen.add(identity)
            kept.append(event)
    return kept


def internal_people(events: Iterable[Event]) -> set[tuple[str, str]]:
    """(account, user) of everybody whose last known `is_internal` is true; null takes the mark away."""
    marks: dict[tuple[str, str], tuple[tuple[datetime, str, str], bool]] = {}
    for event in events:
        traits = event.data.get("traits")
        if event.type not in PEOPLE_TYPES or event.user is None or not isinstance(traits, Mapping):
            continue
        if "is_internal" in traits:
            person = (event.account, event.user)
            if person not in marks or marks[person][0] < event.order:
                marks[person] = (event.order, traits["is_internal"] is True)
    return {person for person, (_, marked) in marks.items() if marked}


def without_internal(events: Iterable[Event]) -> Iterator[Event]:
    """The events that may count anywhere but in `events`."""
    everything = list(events)
    internal = internal_people(everything)
    return (e for e in everything if e.user is None or (e.account, e.user) not in internal)
