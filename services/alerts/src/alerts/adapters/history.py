"""A tenant's past from the raw events and facts that are kept of it."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from alerts.adapters.accuracy import fingerprint, watched_since
from alerts.adapters.columns import Int64s, instants, int8s
from alerts.adapters.sql import statements
from alerts.domain.past import Booleans, Events
from alerts.domain.said_days import Calendar, Computed, Rates
from alerts.ports.history import AccountHistory, Recorded, TenantHistory
from common.catalogue import cel, store
from common.catalogue.models import Catalogue, Measure
from common.catalogue.staff import left_out
from common.context.reading import context_of
from common.contracts.bodies import unpack_bodies
from common.contracts.instants import microseconds
from common.contracts.known import KnownCounts, body_of, known_at
from common.db.pool import Pool, borrow
from common.errors import Rejected
from common.figures.mrr import Change
from common.figures.run import measure_ids
from common.signals.said import INVOICES, PLANS, SURVEYS, TICKETS, Answer, Step

# What is alike is counted together as it is read, so this is time rather than memory: about 2 us each.
MAX_EVENTS = 5_000_000
_CHUNKS_AT_A_TIME = 16
_HISTORIES = ("trait_history", "change_history", "answer_history", "health_history", "risk_history")


@dataclass(frozen=True, slots=True)
class _Calendar:
    """`starts[d]` is when day d starts, in microseconds; one more than there are days."""

    first_day: date
    starts: Int64s

    @staticmethod
    def of(zone_name: str, first: datetime, now: datetime) -> "_Calendar":
        zone = ZoneInfo(zone_name)
        first_day, last_day = first.astimezone(zone).date(), now.astimezone(zone).date()
        count = (last_day - first_day).days + 2
        midnights = [
            datetime.combine(first_day + timedelta(days=n), datetime.min.time(), zone) for n in range(count)
        ]
        return _Calendar(first_day, np.array([microseconds(at) for at in midnights], np.int64))

    def days(self, at_us: Int64s) -> Int64s:
        return np.searchsorted(self.starts, at_us, "right").astype(np.int64) - 1


@dataclass(frozen=True, slots=True)
class _Reading:
    """How events of one tenant are read."""

    calendar: _Calendar
    catalogue: Catalogue
    internal: Int64s
    loads: Sequence[tuple[int, int]]
    marked: Sequence[Measure]

    def chunk(self, row: tuple[Any, ...]) -> tuple[Int64s, KnownCounts]:
        """Columns account, person, day, known, is_use, is_complaint, a mark for each measure, and count; a row for events that are alike."""
        accounts, people, types, at_us, ingested_us = (
            int8s(row[0]),
            int8s(row[1]),
            row[2],
            instants(row[3]),
            instants(row[4]),
        )
        bodies = unpack_bodies(row[5])
        known_us, known = known_at(at_us, ingested_us, bodies, self.loads)
        is_internal = np.isin(people, self.internal)
        is_use = np.array([self.catalogue.is_activity(kind) for kind in types], np.bool_) & ~is_internal
        complaints = self.catalogue.measures.get("complaints")
        wanted = [complaints, *self.marked] if complaints else self.marked
        marks = [self._matching(measure, types, bodies, is_internal) for measure in wanted]
        is_complaint = marks.pop(0) if complaints else np.zeros(len(types), np.bool_)
        named = is_use.copy()
        for measure, its in zip(self.marked, marks, strict=True):
            if measure.is_distinct:
                named |= its
        day = self.calendar.days(at_us)
        seen = np.maximum(self.calendar.days(known_us), day)
        table = np.column_stack([accounts, people * named, day, seen, is_use, is_complaint, *marks])
        return _counted(table[accounts != 0]), known

    def _matching(
        self, measure: Measure, types: Sequence[str], bodies: Sequence[bytes], is_internal: Booleans
    ) -> Booleans:
        """The events that a measure counts."""
        found = np.array([self._selects(measure, kind) for kind in types], np.bool_)
        if measure.exclude_internal:
            found &= ~is_internal
        if measure.where is not None:
            condition = cel.compile_event(measure.where)
            for n in np.flatnonzero(found).tolist():
                data = msgspec.json.decode(body_of(bodies[n]).data)
                found[n] = condition.for_event(types[n], data) is True
        return found

    def _selects(self, measure: Measure, kind: str) -> bool:
        if measure.activity and not self.catalogue.is_activity(kind):
            return False
        return measure.activity or "*" in measure.event_types or kind in measure.event_types


class PostgresHistory:
    """`History` on the views of schema published."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = statements()

    def catalogue(self, tenant_id: int) -> Catalogue | None:
        with borrow(self._pool) as connection:
            return store.current(connection, tenant_id)

    def recorded(
        self, tenant_id: int, catalogue: Catalogue, rules: Collection[str], begin: datetime
    ) -> Mapping[str, Recorded]:
        if not rules:
            return {}
        signals = {name: its.model_dump(mode="json") for name, its in catalogue.signals.items()}
        with borrow(self._pool) as connection:
            versions = connection.execute(self._sql["rule_versions"], {"tenant": tenant_id}).fetchall()
            known = {"tenant": tenant_id, "rules": list(rules), "begin": begin}
            rows = connection.execute(self._sql["warnings_of"], known).fetchall()
        watched, found = watched_since(versions), {}
        for name in rules:
            its = fingerprint(catalogue.rules[name].model_dump(mode="json"), signals)
            if name in watched and watched[name][0] == its:
                since = watched[name][1]
                found[name] = Recorded(since, [row[1:] for row in rows if row[0] == name and row[2] >= since])
        return found

    def read(
        self, tenant_id: int, catalogue: Catalogue, now: datetime, measures: Collection[str] = ()
    ) -> TenantHistory | None:
        with borrow(self._pool) as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            connection.execute("set local statement_timeout = '60s'")
            extent = connection.execute(self._sql["extent"], {"tenant": tenant_id}).fetchone()
            if extent is None or extent[0] is None:
                return None
            if extent[1] > MAX_EVENTS:
                raise Rejected(
                    "history-too-long",
                    f"a replay reads at most {MAX_EVENTS:,} events, and there are {extent[1]:,}",
                )
            calendar = _Calendar.of(catalogue.settings.timezone, extent[0], now)
            marked = [catalogue.measures[name] for name in sorted(measures)]
            return self._history(connection, tenant_id, catalogue, calendar, now, marked)

    def _history(
        self,
        connection: Any,
        tenant_id: int,
        catalogue: Catalogue,
        calendar: _Calendar,
        now: datetime,
        marked: Sequence[Measure],
    ) -> TenantHistory:
        def rows(name: str) -> list[tuple[Any, ...]]:
            return list(connection.execute(self._sql[name], {"tenant": tenant_id}).fetchall())

        internal = np.array([row[0] for row in rows("internal_people")], np.int64)
        loads = [(microseconds(start), microseconds(end)) for start, end in rows("loads_of")]
        reading = _Reading(calendar, catalogue, internal, loads, marked)
        events, known = self._events(connection, tenant_id, reading)
        names = dict(rows("account_names"))
        context, _ = context_of(connection, tenant_id, catalogue, _instant(int(calendar.starts[0])), now)
        traits, changes, answers, healths, risks = (_by_account(rows(name)) for name in _HISTORIES)
        steps = self._steps(connection, tenant_id, catalogue)
        champions: defaultdict[int, dict[int, list[tuple[datetime, str, Any]]]] = defaultdict(dict)
        for account_id, person, *said in rows("champion_history"):
            champions[account_id].setdefault(person, []).append((said[0], said[1], said[2]))
        accounts = [
            AccountHistory(
                account_id,
                names.get(account_id, str(account_id)),
                its,
                traits[account_id],
                [Change(*values) for values in changes[account_id]],
                [Answer(*values) for values in answers[account_id]],
                steps[account_id],
                _computed(
                    healths[account_id],
                    risks[account_id],
                    context.quiet(account_id, _latest(traits[account_id])),
                ),
                champions[account_id],
            )
            for account_id, its in events
        ]
        last = len(calendar.starts) - 2
        ends = [_instant(int(start)) for start in calendar.starts[1:]]
        zone = ZoneInfo(catalogue.settings.timezone)
        days = Calendar(calendar.first_day, zone, [*ends[:last], now])
        home = catalogue.settings.currency
        told = connection.execute(self._sql["rates"], {"tenant": tenant_id, "home": home}).fetchall()
        return TenantHistory(days, accounts, known, Rates.of(home, told, days))

    def _steps(
        self, connection: Any, tenant_id: int, catalogue: Catalogue
    ) -> defaultdict[int, dict[str, list[Step]]]:
        """By account and measure."""
        ids = measure_ids(
            connection,
            tenant_id,
            catalogue,
            [f"{name}_steps" for name in (INVOICES, PLANS, SURVEYS, TICKETS)],
        )
        names = {number: row.removesuffix("_steps") for row, number in ids.items()}
        found: defaultdict[int, dict[str, list[Step]]] = defaultdict(dict)
        known = {"tenant": tenant_id, "measures": list(names)}
        customers = {number: left_out(catalogue.measures[name], catalogue) for number, name in names.items()}
        for account_id, measure, entity, step, at, labels, is_internal in connection.execute(
            self._sql["step_history"], known
        ):
            if not (is_internal and step in customers[measure]):
                its = found[account_id].setdefault(names[measure], [])
                its.append(Step(entity, step, at, labels or {}))
        return found

    def _events(
        self, connection: Any, tenant_id: int, reading: _Reading
    ) -> tuple[list[tuple[int, Events]], KnownCounts]:
        tables, known = [], KnownCounts()
        with connection.cursor(name="chunks", binary=True) as cursor:
            cursor.itersize = _CHUNKS_AT_A_TIME
            cursor.execute(self._sql["chunks"], {"tenant": tenant_id})
            for row in cursor:
                table, its = reading.chunk(row)
                tables.append(table)
                known = known + its
        whole = np.concatenate(tables)
        names = [measure.name for measure in reading.marked]
        return list(_split(whole[np.argsort(whole[:, 0], kind="stable")], names)), known


def _latest(traits: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return {name: value for _, name, value in traits}


def _computed(
    health: Sequence[tuple[Any, ...]], risk: Sequence[tuple[Any, ...]], quiet: frozenset[date]
) -> Computed:
    return Computed(
        [(day, score) for day, score, _ in health],
        [(day, band) for day, _, band in health],
        [(day, probability) for day, probability in risk],
        quiet,
    )


def _split(table: Int64s, marked: Sequence[str]) -> Iterator[tuple[int, Events]]:
    ids, starts = np.unique(table[:, 0], return_index=True)
    for account_id, rows in zip(ids.tolist(), np.split(table, starts[1:]), strict=True):
        _, person, day, known, *flags, count = rows.T
        is_use, is_complaint, *marks = (flag.astype(np.bool_) for flag in flags)
        yield (
            account_id,
            Events(person, day, known, is_use, is_complaint, count, dict(zip(marked, marks, strict=True))),
        )


def _counted(table: Int64s) -> Int64s:
    order = np.lexsort(table.T)
    ordered = table[order]
    is_first = np.ones(len(ordered), np.bool_)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(is_first)
    counts = np.diff(np.append(starts, len(ordered)))
    return np.column_stack([ordered[starts], counts]).astype(np.int64)


def _by_account(rows: Sequence[tuple[Any, ...]]) -> defaultdict[int, list[tuple[Any, ...]]]:
    found: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row[1:])
    return found


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _instant(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)
