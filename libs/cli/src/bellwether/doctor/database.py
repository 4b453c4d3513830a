"""What the database tells the doctor, who changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from bellwether.doctor import judging
from bellwether.doctor.finding import Finding, failure, ok
from bellwether.doctor.judging import Progress
from common.catalogue.store import counting
from common.db.migrate import check_version, has_timescaledb
from common.db.session import OPTIONS
from common.errors import BellwetherError

Connection = psycopg.Connection[tuple[Any, ...]]
_CONNECT_SECONDS: Final = 5
# A doctor that hangs on a lock helps nobody.
_STATEMENT_MS: Final = 10_000
_CHECKS: Final = ("schema", "clock", "keys", "catalogue", "outbox", "rejected", "tracking", "timescaledb")
# What the server says of a session by itself, by name.
_REFUSES_WRITES: Final = ("in_hot_standby", "default_transaction_read_only")
# A megabyte that only this session sees, gone with its transaction. The disk may be full where nobody but the server looks.
_TAKES_ROOM: Final = (
    "create temporary table room on commit drop as select md5(n::text) from generate_series(1, 20000) n"
)


@dataclass(frozen=True)
class DatabaseReport:
    """`progress` is None when it could not be read."""

    findings: tuple[Finding, ...]
    progress: tuple[Progress, ...] | None


def examine(url: str, topic: str) -> DatabaseReport:
    try:
        conn = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="bellwether-doctor",
            options=f"{OPTIONS} -c statement_timeout={_STATEMENT_MS}",
        )
    except psycopg.OperationalError as error:
        why = f"{error}".strip().replace("\n", " ")
        do = "start it, or correct DATABASE_URL; see docs/runbooks/database-down.md"
        lost = tuple(judging.not_asked(check, "no database") for check in _CHECKS)
        return DatabaseReport((failure("postgresql", "the database cannot be reached", why, do), *lost), None)
    with conn:
        return _examine(conn, topic)


def _examine(conn: Connection, topic: str) -> DatabaseReport:
    says = conn.info.parameter_status
    version = judging.server(
        conn.info.server_version,
        says("server_version") or "?",
        [name for name in _REFUSES_WRITES if says(name) == "on"],
        _no_room(conn),
    )
    schema = _asked(conn, "schema", _schema)
    findings = [version, schema, _asked(conn, "clock", _clock)]
    if schema.health != "ok":
        findings += [judging.not_asked(check, "the schema is not this version's") for check in _CHECKS[2:]]
        return DatabaseReport(tuple(findings), None)
    askers: tuple[Callable[[Connection], Finding], ...] = (
        _keys,
        _catalogue,
        _outbox,
        _rejected,
        _tracking,
        _timescaledb,
    )
    findings += [_asked(conn, check, ask) for check, ask in zip(_CHECKS[2:], askers, strict=True)]
    return DatabaseReport(tuple(findings), _progress(conn, topic))


def _no_room(conn: Connection) -> str | None:
    """In the server's words. A role that may not make temporary tables is not told."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(_TAKES_ROOM)
    except psycopg.errors.DiskFull as error:
        return f"{error}".strip().partition("\n")[0]
    except psycopg.Error:
        return None
    return None


def _asked(conn: Connection, check: str, ask: Callable[[Connection], Finding]) -> Finding:
    """What one question found; one that the database does not answer keeps no other from being asked."""
    try:
        return ask(conn)
    except psycopg.Error as error:
        why = f"{error}".strip().replace("\n", " ")
        return failure(
            check,
            "the database does not answer",
            why,
            "see docs/runbooks/database-down.md, under “No answer in time”",
        )


def _schema(conn: Connection) -> Finding:
    try:
        check_version(conn)
    except BellwetherError as error:
        do = (
            "run `bellwether migrate`"
            if error.code == "database-behind"
            else "run the version that migrated it"
        )
        return failure("schema", "the tables are not those of this version", error.message, do)
    row = conn.execute("select max(version) from control.migration").fetchone()
    return ok("schema", f"at migration {row[0] if row else 0:04d}, the newest")


def _clock(conn: Connection) -> Finding:
    before = datetime.now(UTC)
    row = conn.execute("select clock_timestamp()").fetchone()
    assert row is not None
    return judging.clock_skew(datetime.now(UTC), before, row[0])


def _keys(conn: Connection) -> Finding:
    rows = conn.execute(
        """select scope, count(*) from control.api_key
           where (revoked_at is null or revoked_at > now()) and (expires_at is null or expires_at > now()) group by scope"""
    ).fetchall()
    return judging.keys({str(scope): int(count) for scope, count in rows})


def _catalogue(conn: Connection) -> Finding:
    rows = conn.execute(
        """select t.slug, t.id, (select max(version) from control.definition d where d.tenant_id = t.id),
                  (select max(version) from engine.definition_activation a where a.tenant_id = t.id)
           from control.tenant t order by t.slug"""
    ).fetchall()
    versions = {str(slug): version for slug, _, version, _ in rows}
    used = {str(slug): int(used) for slug, _, _, used in rows if used is not None}
    under_way = {str(slug): counting(conn, tenant_id) for slug, tenant_id, *_ in rows}
    return judging.catalogue(versions, used, {slug: found for slug, found in under_way.items() if found})


def _outbox(conn: Connection) -> Finding:
    row = conn.execute(
        """select count(*) filter (where status = 'pending'),
                  min(next_attempt_at) filter (where status = 'pending' and (lease_until is null or lease_until < now())),
                  count(*) filter (where status = 'failed' and created_at > now() - interval '1 day'), now()
           from alerts.notification"""
    ).fetchone()
    assert row is not None
    disabled = conn.execute(
        "select name from alerts.receiver where disabled_at is not null order by name"
    ).fetchall()
    return judging.outbox(int(row[0]), row[1], int(row[2]), [str(name) for (name,) in disabled], row[3])


def _rejected(conn: Connection) -> Finding:
    row = conn.execute(
        """select count(*), (select coalesce(sum(events), 0) from engine.change where written_at > now() - interval '1 hour'),
                  count(*) filter (where code in ('event-poisoned', 'event-not-tried'))
           from engine.rejected where written_at > now() - interval '1 hour' and replayed_at is null"""
    ).fetchone()
    assert row is not None
    return judging.rejected(int(row[0]), int(row[1]), int(row[2]))


def _tracking(conn: Connection) -> Finding:
    broken = conn.execute(
        """select t.slug, s.kind, s.name, s.since from published.tracking s join control.tenant t on t.id = s.tenant_id
           where s.state = 'broken' order by s.since, t.slug, s.kind, s.name"""
    ).fetchall()
    judged = conn.execute("select count(*) from published.tracking_progress").fetchone()
    assert judged is not None
    return judging.tracking(broken, int(judged[0]))


def _timescaledb(conn: Connection) -> Finding:
    installed = (
        conn.execute("select 1 from pg_extension where extname = 'timescaledb'").fetchone() is not None
    )
    return judging.timescaledb(available=has_timescaledb(conn), installed=installed)


def _progress(conn: Connection, topic: str) -> tuple[Progress, ...] | None:
    try:
        rows = conn.execute(
            """select partition, topic_id::text, partitions, next_offset, epoch, owner::text, updated_at
               from engine.progress where topic = %s order by partition""",
            (topic,),
        ).fetchall()
    except psycopg.Error:
        return None
    return tuple(Progress(*row) for row in rows)
