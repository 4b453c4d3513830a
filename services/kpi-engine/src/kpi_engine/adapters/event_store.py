"""Raw events by arrival, and what could not be counted."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from psycopg import sql

from kpi_engine.domain.decode import Poisoned, about_of
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import ConflictRow


class EventStore:
    """Writes raw events, rejected ones and conflicts in the caller's transaction."""

    def __init__(self) -> None:
        self._days: set[date] = set()
        self._partitioned: bool | None = None

    def prepare(self, connection: Connection, ingested_at_us: Iterable[int]) -> None:
        """Make room for these days of arrival, in a transaction of its own, where raw events lie in native partitions."""
        if self._partitioned is None:
            row = connection.execute(
                "select relkind = 'p' from pg_class where oid = 'engine.raw_event'::regclass"
            ).fetchone()
            self._partitioned = bool(row and row[0])
        days = {_day(us // 1_000_000) for us in ingested_at_us} - self._days
        if self._partitioned:
            for day in sorted(days):
                _create_partition(connection, day)
        self._days |= days

    def write(
        self,
        connection: Connection,
        tenant_id: int,
        account_ids: Sequence[int],
        person_ids: Sequence[int],
        types: Sequence[str],
        event_at_us: Sequence[int],
        ingested_at_us: Sequence[int],
        bodies: Sequence[bytes],
    ) -> None:
        """Store new events, one row each."""
        statement = """copy engine.raw_event (tenant_id, account_id, person_id, type, event_at, ingested_at, body)
                       from stdin"""
        head = b"%d\t" % tenant_id
        kinds = {kind: _escaped(kind.encode()) for kind in set(types)}
        columns = (
            _numbers(account_ids),
            _numbers(person_ids),
            [kinds[kind] for kind in types],
            _instants(event_at_us),
            _stamps(ingested_at_us),
            [_escaped(body) for body in bodies],
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(b"".join([head + b"\t".join(row) + b"\n" for row in zip(*columns, strict=True)]))

    def reject(self, connection: Connection, rows: Sequence[tuple[str, int | None, Poisoned]]) -> None:
        """Keep what could not be counted: (stage, tenant, event); writing the same place again changes nothing."""
        for stage, tenant_id, bad in rows:
            about = about_of(bad.body)
            connection.execute(
                """insert into engine.rejected (tenant_id, received_at, stage, code, message, event_id, source, type, account,
                                                body, topic, partition, "offset", index)
                   values (%s, to_timestamp(%s::numeric / 1000000), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                   on conflict do nothing""",
                (
                    tenant_id, bad.received_at_us, stage, bad.code, bad.message,
                    about.id, about.source, about.type, about.subject,
                    bad.body, bad.place.topic, bad.place.partition, bad.place.offset, bad.place.index,
                ),
            )  # fmt: skip

    def replayed(self, connection: Connection, replays: Sequence[tuple[int, int]]) -> None:
        """Note that rejected events (tenant, id) were sent again, corrected."""
        for tenant_id, rejected_id in replays:
            connection.execute(
                "update engine.rejected set replayed_at = now() where tenant_id = %s and id = %s and replayed_at is null",
                (tenant_id, rejected_id),
            )

    def conflicts(self, connection: Connection, tenant_id: int, rows: Sequence[ConflictRow]) -> None:
        """Record events whose identity was known with another body."""
        for row in rows:
            connection.execute(
                """insert into engine.conflict (tenant_id, account, source, event_id, received_at, body, topic, partition,
                                                "offset", index)
                   values (%s, %s, %s, %s, to_timestamp(%s::numeric / 1000000), %s, %s, %s, %s, %s) on conflict do nothing""",
                (
                    tenant_id, row.account, row.source, row.event_id, row.received_at_us, row.body,
                    row.place.topic, row.place.partition, row.place.offset, row.place.index,
                ),
            )  # fmt: skip

    def first_body(
        self,
        connection: Connection,
        account_id: int,
        source: str,
        event_id: str,
        event_at_us: int,
        within_us: int,
    ) -> bytes | None:
        """Return the body with which an identity was first counted, if it happened within so many microseconds of an instant
        and raw events are still kept."""
        row = connection.execute(
            """select body from engine.raw_event
               where account_id is not distinct from %s and body::json ->> 'id' = %s and body::json ->> 'source' = %s
                 and event_at between to_timestamp(%s::numeric / 1000000) and to_timestamp(%s::numeric / 1000000) limit 1""",
            (account_id or None, event_id, source, event_at_us - within_us, event_at_us + within_us),
        ).fetchone()
        return row[0].encode() if row else None


def _escaped(text: bytes) -> bytes:
    """Escape what COPY reads as more than text; JSON as ingest publishes it seldom holds any."""
    if b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    if b"\n" in text or b"\t" in text or b"\r" in text:
        text = text.replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")
    return text


def _numbers(ids: Sequence[int]) -> list[bytes]:
    return [b"%d" % number if number else b"\\N" for number in ids]


def _instants(epoch_us: Sequence[int]) -> list[bytes]:
    """Return instants as text in UTC, which is the connection's zone."""
    at = np.array(epoch_us, dtype="datetime64[us]")
    texts: list[bytes] = np.datetime_as_string(at).astype("S26").tolist()
    return texts


def _stamps(epoch_us: Sequence[int]) -> list[bytes]:
    """Return ingest stamps as text; all events of a record share theirs."""
    distinct = list(set(epoch_us))
    text = dict(zip(distinct, _instants(distinct), strict=True))
    return [text[stamp] for stamp in epoch_us]


def _day(epoch_seconds: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_seconds)).date()


def _create_partition(connection: Connection, day: date) -> None:
    connection.execute(
        sql.SQL(
            "create table if not exists {} partition of engine.raw_event for values from ({}) to ({})"
        ).format(
            sql.Identifier("engine", f"raw_event_{day:%Y%m%d}"),
            sql.Literal(f"{day}T00:00:00Z"),
            sql.Literal(f"{day + timedelta(days=1)}T00:00:00Z"),
        )
    )
