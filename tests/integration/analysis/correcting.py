"""Corrections written as the engine writes them, at instants that a test chooses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.integration.analysis.stage import History
from tests.integration.kpi_engine import revising
from tests.integration.kpi_engine.figures_stage import Ev

from common.contracts.instants import microseconds
from kpi_engine.adapters.revision_store import RevisionStore
from kpi_engine.domain.moved import Moved
from kpi_engine.domain.revisions import LATE, Cause, Why


def delete(history: History, event: Ev, at: datetime, arrived_at: datetime) -> None:
    """Take an event out that had arrived, as the entry of an instant says."""
    history.retract([event])
    leave(history, event, at, arrived_at, "deletion")


def amend(history: History, event: Ev, corrected: Ev, at: datetime, arrived_at: datetime) -> None:
    history.retract([event])
    leave(history, event, at, arrived_at, "amendment")
    history.tell([corrected], at)


def arrive(history: History, events: Sequence[Ev], came: datetime) -> None:
    """Let events arrive, and leave the revisions that the engine leaves then."""
    history.arrived_at = came
    _noted(history, LATE, [revising.arrives(history, events)], came)


def decide(history: History, event: Ev, corrected: Ev | None, at: datetime, arrived_at: datetime) -> None:
    """Delete an event that had arrived, or put another one in its place, with the revisions of that."""
    why: Why = "deletion" if corrected is None else "amendment"
    moved = history.retract([event]).moved
    leave(history, event, at, arrived_at, why)
    if corrected is not None:
        history.arrived_at = at
        moved = [*moved, *history.write([corrected]).moved]
    _noted(history, Cause(why, 1), moved, at)


def _noted(history: History, cause: Cause, moved: Sequence[Moved], at: datetime) -> None:
    newest = history.rows("select coalesce(max(revision_id), 0) from engine.revision")[0][0]
    RevisionStore().note(history.conn, history.tenant_id, 0, cause, moved, microseconds(at))
    history.conn.execute("update engine.revision set at = %s where revision_id > %s", (at, newest))


def leave(history: History, event: Ev, at: datetime, arrived_at: datetime, kind: str) -> None:
    """Keep an event that stands no more."""
    seq = log(history, kind, at)
    history.conn.execute(
        """insert into engine.superseded_event
             (tenant_id, account_id, person_id, type, source, event_id, event_at, ingested_at, body, seq)
           values (%s, %s, 0, %s, %s, %s, %s, %s, %s, %s)""",
        (
            history.tenant_id, history.account(event.account), event.type, event.source, event.id, event.at, arrived_at,
            event.body.decode(), seq,
        ),
    )  # fmt: skip


def log(history: History, kind: str, at: datetime, backfill_id: str | None = None) -> int:
    """An entry of the control log; returns its number."""
    row = history.conn.execute(
        """insert into control.control_log (tenant_id, seq, id, kind, reason, created_by, created_at, backfill_id)
           select %(tenant)s, coalesce(max(seq), 0) + 1, gen_random_uuid(), %(kind)s, 'r', 'k', %(at)s, %(backfill)s
           from control.control_log where tenant_id = %(tenant)s returning seq""",
        {"tenant": history.tenant_id, "kind": kind, "at": at, "backfill": backfill_id},
    ).fetchone()
    assert row is not None
    return int(row[0])


def revise(history: History, measure: str, at: datetime, *rows: tuple[Any, ...], why: str = "late") -> None:
    """Revisions of a measure, or of recurring revenue in EUR: (first day, until, before, after)."""
    for day, until, before, after in rows:
        history.conn.execute(
            """insert into engine.revision (tenant_id, partition, why, at, account_ids, first_day, last_day, measures, days, untils,
                 befores, afters, completes, parts)
               select %s, 0, %s, %s, '{}', %s, %s, array[m.id], array[%s::date], array[%s::date], array[%s::numeric],
                 array[%s::numeric], array[true], array[m.part]
               from (select id, name, null as part from engine.measure union all select 0, 'mrr', 'EUR') as m where m.name = %s""",
            (history.tenant_id, why, at, day, day, day, until, before, after, measure),
        )
