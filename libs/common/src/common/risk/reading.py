"""A tenant's past with when each thing was known: by its arrival, by the source's `recordedtime`, or, for history that was loaded
without it, taken as known when it happened (ADR 0055).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt
import psycopg

from common.catalogue import cel
from common.catalogue.models import Catalogue
from common.contracts.bodies import unpack_bodies
from common.contracts.instants import microseconds
from common.contracts.known import KnownCounts, body_of, known_at
from common.errors import Rejected
from common.figures.mrr import Change
from common.figures.rates import SELECT_RATES, Rates
from common.risk.past import Events, Facts, Past, Told

Int64s = npt.NDArray[np.int64]
# 40 bytes each in memory, and about 3 us to read.
MAX_EVENTS: Final = 10_000_000
_FACTS: Final = frozenset(
    {"account.created", "account.updated", "account.closed", "survey.responded"}
    | {f"subscription.{kind}" for kind in ("started", "changed", "renewed", "cancelled")}
)
_ARRAY: Final = np.dtype([("size", ">i4"), ("value", ">i8")])
_HEADER_BYTES, _EMPTY_BYTES = 20, 12
_US_TO_2000: Final = 946_684_800_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Before raw_from some kinds of events are no longer kept, which would look as if nobody had been there.
_EXTENT = """
select greatest(min(event_from), (select raw_from from published.retained where tenant_id = %(tenant)s)),
  coalesce(sum(cardinality(account_ids)), 0)::bigint
from published.raw_chunk where tenant_id = %(tenant)s
"""
_CHUNKS = """
select array_send(account_ids), array_send(person_ids), types, array_send(event_at), array_send(ingested_at), bodies
from published.raw_chunk where tenant_id = %(tenant)s
"""
_INTERNAL = "select person_id from published.person where tenant_id = %(tenant)s and is_internal"
_LOADS = "select started_at, coalesce(ended_at, heartbeat_at) from control.load where tenant_id = %(tenant)s"
_CHANGES = """
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline
from published.subscription_change where tenant_id = %(tenant)s
"""
_ANSWERS = """
select a.account_id, a.source, a.event_id, a.answered_at, a.score::float8
from published.answer a join published.person p on p.tenant_id = a.tenant_id and p.person_id = a.person_id
where a.tenant_id = %(tenant)s and a.kind = 'nps' and not a.transactional and not p.is_internal
order by a.answered_at, a.source collate "C", a.event_id collate "C"
"""
_TRAITS = """
select account_id, source, event_id, at, name, value from published.trait
where tenant_id = %(tenant)s and person_id = 0 order by at, source collate "C", event_id collate "C"
"""
_SCORES = """
select account_id, day, probability::float8 from published.risk_day
where tenant_id = %(tenant)s and method = 'score' and probability is not null order by account_id, day
"""


@dataclass(frozen=True, slots=True)
class Read:
    """`first_at`: from when on all events are there. `scores`: what the score said on local days, by account."""

    past: Past
    first_at: datetime
    known: KnownCounts
    scores: dict[int, list[tuple[date, float]]]


def read(conn: psycopg.Connection[Any], tenant_id: int, catalogue: Catalogue) -> Read | None:
    """All of a tenant's past; None when there is none. Rejected where it is longer than fits into memory."""
    parameters = {"tenant": tenant_id}
    row = conn.execute(_EXTENT, parameters).fetchone()
    if row is None or row[0] is None:
        return None
    if row[1] > MAX_EVENTS:
        message = f"{row[1]:,} events are more than the {MAX_EVENTS:,} that can be learnt from at once"
        raise Rejected("history-too-long", message)
    zone = ZoneInfo(catalogue.settings.timezone)
    internal = np.array([person for (person,) in conn.execute(_INTERNAL, parameters)], np.int64)
    loads = [(microseconds(start), microseconds(end)) for start, end in conn.execute(_LOADS, parameters)]
    gathered = _Gathered(catalogue, zone, internal, loads)
    with conn.cursor(name="chunks", binary=True) as cursor:
        cursor.itersize = 16
        for chunk in cursor.execute(_CHUNKS, parameters):
            gathered.add(*chunk)
    facts = _facts(conn, parameters, gathered.known_us)
    scores: dict[int, list[tuple[date, float]]] = defaultdict(list)
    for account, day, probability in conn.execute(_SCORES, parameters):
        scores[account].append((day, probability))
    home = catalogue.settings.currency
    rates = Rates.of(home, conn.execute(SELECT_RATES, {**parameters, "home": home}))
    past = Past(zone, _events(gathered.use), _events(gathered.complaints), facts, rates)
    return Read(past, row[0], gathered.known, scores)


@dataclass
class _Gathered:
    """What has been read of the raw events so far."""

    catalogue: Catalogue
    zone: ZoneInfo
    internal: Int64s
    loads: Sequence[tuple[int, int]]
    known: KnownCounts = field(default_factory=KnownCounts)
    known_us: dict[tuple[int, str, str], int] = field(default_factory=dict)
    use: list[Int64s] = field(default_factory=list)
    complaints: list[Int64s] = field(default_factory=list)
    _days: dict[int, int] = field(default_factory=dict)

    def add(
        self, accounts: bytes, people: bytes, types: list[str], at: bytes, ingested: bytes, bodies: bytes
    ) -> None:
        """Reads one chunk."""
        account, person, at_us = _int8s(accounts), _int8s(people), _int8s(at) + _US_TO_2000
        texts = unpack_bodies(bodies)
        known_us, known = known_at(at_us, _int8s(ingested) + _US_TO_2000, texts, self.loads)
        self.known = self.known + known
        for n, kind in enumerate(types):
            if kind in _FACTS:
                body = body_of(texts[n])
                self.known_us[int(account[n]), body.source, body.id] = int(known_us[n])
        counts = ~np.isin(person, self.internal) & (account != 0)
        rows = np.column_stack([account, person, self._day(at_us), at_us, known_us])
        self.use.append(
            rows[counts & np.array([self.catalogue.is_activity(kind) for kind in types], np.bool_)]
        )
        self.complaints.append(rows[counts & self._complaints(types, texts)])

    def _day(self, at_us: Int64s) -> Int64s:
        """Local days since 1970; zones shift at whole quarters of an hour."""
        quarters, where = np.unique(at_us // 900_000_000, return_inverse=True)
        for quarter in quarters.tolist():
            if quarter not in self._days:
                local = (_EPOCH + timedelta(seconds=900 * quarter)).astimezone(self.zone)
                self._days[quarter] = (local.date() - _EPOCH.date()).days
        return np.array([self._days[quarter] for quarter in quarters.tolist()], np.int64)[where]

    def _complaints(self, types: Sequence[str], bodies: Sequence[bytes]) -> npt.NDArray[np.bool_]:
        measure = self.catalogue.measures.get("complaints")
        if measure is None:
            return np.zeros(len(types), np.bool_)
        found = np.array([kind in measure.event_types for kind in types], np.bool_)
        if measure.where is not None:
            condition = cel.compile_event(measure.where)
            for n in np.flatnonzero(found).tolist():
                data = msgspec.json.decode(body_of(bodies[n]).data)
                found[n] = condition.for_event(types[n], data) is True
        return found


def _facts(
    conn: psycopg.Connection[Any], parameters: dict[str, Any], known_us: dict[tuple[int, str, str], int]
) -> dict[int, Facts]:
    """A fact whose raw event is no longer kept counts as known when it happened."""
    found: dict[int, Facts] = defaultdict(Facts)

    def known_since(account: int, source: str, event_id: str, at: datetime) -> datetime:
        us = known_us.get((account, source, event_id))
        return at if us is None else _EPOCH + timedelta(microseconds=us)

    for account, *columns in conn.execute(_CHANGES, parameters):
        change = Change(*columns)
        known = known_since(account, change.source, change.event_id, change.event_at)
        found[account].changes.append((known, change))
    for account, source, event_id, at, score in conn.execute(_ANSWERS, parameters):
        found[account].answers.append(Told(at, known_since(account, source, event_id, at), "nps", score))
    for account, source, event_id, at, name, value in conn.execute(_TRAITS, parameters):
        found[account].traits.append(Told(at, known_since(account, source, event_id, at), name, value))
    return dict(found)


def _events(tables: Sequence[Int64s]) -> Events:
    whole = np.concatenate([np.zeros((0, 5), np.int64), *tables])
    return Events(*(np.ascontiguousarray(column) for column in whole.T))


def _int8s(packed: bytes) -> Int64s:
    """From `array_send` of an array of 8-byte numbers without nulls: headers, then length and value of each."""
    if len(packed) == _EMPTY_BYTES:
        return np.zeros(0, np.int64)
    return np.frombuffer(packed, _ARRAY, offset=_HEADER_BYTES)["value"].astype(np.int64)
