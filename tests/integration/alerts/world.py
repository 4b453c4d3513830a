"""The engine's side as the alerts service sees it, written by hand: accounts, figures, arrivals, progress, loads."""

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
import uuid_utils
from psycopg.types.json import Jsonb

from common.auth.keys import mint
from common.auth.store import ensure_tenant, insert_key
from common.catalogue import loading, store
from common.catalogue.alerting import Alerting
from common.catalogue.models import Catalogue, Receiver, Route, Routing
from common.clock import FixedClock

TOPIC = "bellwether.events.v1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# An account that uses the product as always: no rule fires.
HEALTHY: Mapping[str, Any] = {
    "login_trend": 0.02,
    "segment_login_trend": 0.0,
    "login_trend_vs_segment": 0.02,
    "user_days_28d": 102,
    "user_days_base": 100,
    "complaints_7d": 0,
    "complaints_28d": 0,
    "complaints_base": 0.0,
    "days_silent": 0,
    "usual_gap_days": 1,
    "quiet_days": 0,
    "mrr": 500,
}
# A chunk of one event, as the engine writes it.
RAW_CHUNK_OF_ONE = """
insert into engine.raw_chunk
  (tenant_id, arrived_at, event_from, event_to, accounts, account_ids, person_ids, types, event_at, ingested_at, bodies)
select tenant_id, %(now)s, %(at)s, %(at)s, array[id], array[id], array[0::int8],
       array[%(type)s], array[%(at)s::timestamptz], array[%(now)s::timestamptz], '{}'::bytea from engine.account where id = %(account)s
"""
COMPLAINING = {"complaints_7d": 4, "complaints_28d": 4}
FALLEN = {"login_trend": -0.5, "login_trend_vs_segment": -0.48, "user_days_28d": 50}
SILENT = {"days_silent": 15}


def _silence(known: Mapping[str, Any]) -> dict[str, Any]:
    """What the signal says of an account that is in its first year."""
    days, gap = known.get("days_silent"), known.get("usual_gap_days")
    if days is None or gap is None:
        return {"state": "no-data", "why": "unknown"}
    counted = days - (known.get("quiet_days") or 0)
    return {"state": "on" if counted > 14 and counted > 3 * gap else "off", "value": days, "baseline": gap}


@dataclass
class World:
    """One database with one tenant, whose clock the test moves."""

    url: str
    connection: psycopg.Connection[tuple[Any, ...]]
    clock: FixedClock
    tenant_id: int = 0
    batches: dict[int, int] = field(default_factory=dict)
    figures: dict[int, dict[str, Any]] = field(default_factory=dict)
    computations: int = 0

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def pass_time(self, **delta: float) -> None:
        self.clock.advance(timedelta(**delta))

    # What people set up
    def tenant(self, slug: str = "acme", *receivers: Receiver, routes: tuple[Route, ...] = ()) -> int:
        """A tenant with the base pack and these receivers in force."""
        tenant_id = ensure_tenant(self.connection, slug)
        self.apply(slug, Routing(receivers=receivers, routes=routes))
        self.tenant_id = self.tenant_id or tenant_id
        return tenant_id

    def apply(self, slug: str, routing: Routing, **changes: Any) -> None:
        # Every case is told at once and closes when it recovers, unless a test is about just that.
        changes = {"routing": routing, "alerting": Alerting(), **changes}
        base = loading.load(loading.base_pack())
        # Most tests tell figures, not the signals that rest on them: the rule over figures opens cases here.
        of_figures = base.rules["usage_fell"].model_copy(update={"mode": "live"})
        catalogue = base.model_copy(update={"rules": {**base.rules, "usage_fell": of_figures}, **changes})
        store.apply(self.connection, slug, Catalogue.model_validate(catalogue.model_dump()))

    def key(self, scope: str, slug: str = "acme") -> str:
        minted = mint(scope, ensure_tenant(self.connection, slug), slug, f"{scope} key")
        insert_key(self.connection, minted.row)
        return minted.text

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, values).fetchall()

    # What the engine does
    def account(
        self, name: str, /, *, tenant_id: int | None = None, partition: int = 0, **traits: Any
    ) -> int:
        """An account that nothing was computed of yet."""
        tenant = tenant_id or self.tenant_id
        row = self.connection.execute(
            "insert into engine.account (tenant_id, name, partition, created_at) values (%s, %s, %s, %s) returning id",
            (tenant, name, partition, self.now),
        ).fetchone()
        assert row is not None
        self.connection.execute(
            "insert into engine.account_state (account_id, tenant_id, traits, figures, computed_at, due_at) "
            "values (%s, %s, %s, '{}', %s, %s)",
            (row[0], tenant, Jsonb(traits), self.now, self.now + timedelta(days=1)),
        )
        self.figures[row[0]] = dict(HEALTHY)
        return int(row[0])

    def arrives(self, account_id: int, kind: str, *, at: datetime | None = None, count: int = 1) -> None:
        """Events of one type are stored, stamped now."""
        for _ in range(count):
            self.connection.execute(
                RAW_CHUNK_OF_ONE,
                {"account": account_id, "type": kind, "at": at or self.now, "now": self.now},
            )
        self.connection.execute(
            "update engine.account_state set newest_ingest_at = %s, last_event_at = greatest(last_event_at, %s) where account_id = %s",
            (self.now, at or self.now, account_id),
        )

    def computed(self, *account_ids: int, **figures: Any) -> None:
        """The engine computes these accounts: their figures change as given, and one batch says so."""
        self.computations += 1
        computed_at = self.now + timedelta(microseconds=self.computations)
        with self.connection.transaction():
            for account_id in account_ids:
                self.figures[account_id].update(figures)
                known = self.figures[account_id]
                self.connection.execute(
                    "update engine.account_state set figures = %s, signals = signals || %s, mrr = %s, computed_at = %s, as_of = %s where account_id = %s",
                    (
                        Jsonb(known),
                        Jsonb({"silence": _silence(known)}),
                        known.get("mrr", 0),
                        computed_at,
                        self.now,
                        account_id,
                    ),
                )
            self._change(account_ids)

    def renews(self, account_id: int, *renewals: tuple[int, float, int]) -> None:
        """Its open renewals: of each MRR, probability of losing it and days until notice; that first which must be decided first."""
        for n, (mrr, probability, days) in enumerate(renewals):
            deadline = self.now + timedelta(days=days)
            self.connection.execute(
                "insert into engine.renewal (tenant_id, account_id, subscription, due_at, notice_deadline, mrr, source) "
                "select tenant_id, id, %s, %s, %s, %s, 'term' from engine.account where id = %s",
                (str(n), deadline + timedelta(days=30), deadline, mrr, account_id),
            )
            where = "update engine.account_state set renewal_risk = %s where account_id = %s"
            if n:
                where = (
                    "insert into engine.further_risk select tenant_id, account_id, subscription, due_at, %s, '{}', now() "
                    f"from engine.renewal where account_id = %s and subscription = '{n}'"
                )
            self.connection.execute(where, (probability, account_id))

    def complains(self, account_id: int, count: int = 4) -> None:
        """Complaints that happen now, enough of them, and the figures that follow."""
        self.arrives(account_id, "complaint.filed", count=count)
        self.computed(account_id, complaints_7d=count, complaints_28d=count)

    def touched(self, *account_ids: int) -> None:
        """A batch brings events of these accounts; their figures wait for their turn."""
        with self.connection.transaction():
            self._change(account_ids)

    def _change(self, account_ids: tuple[int, ...]) -> None:
        of = dict(self.rows("select id, partition from engine.account where id = any(%s)", list(account_ids)))
        for partition in sorted(set(of.values())):
            batch = self.batches.get(partition, 0) + 1
            self.batches[partition] = batch
            self.connection.execute(
                "insert into engine.change (partition, batch_no, tenant_id, account_ids, computed_ids, measures, events, as_of, written_at) "
                "select %s, %s, tenant_id, array_agg(id), array_agg(id), '{}', 1, %s, %s from engine.account where id = any(%s) and partition = %s "
                "group by tenant_id",
                (partition, batch, self.now, self.now, list(account_ids), partition),
            )
            self.progress(partition)
            self.connection.execute("select pg_notify('bellwether_change', %s)", (f"{partition}:{batch}",))

    def progress(
        self, partition: int = 0, *, stamped: datetime | None = None, dirty: int = 0, settled: bool = True
    ) -> None:
        """The engine applied a record with this ingest stamp (now: nothing is unread)."""
        self.connection.execute(
            "insert into engine.progress as p (topic, partition, partitions, batch_no, applied_at, updated_at, dirty, settled_at) "
            "values (%s, %s, 6, %s, %s, %s, %s, %s) "
            "on conflict (topic, partition) do update set batch_no = excluded.batch_no, applied_at = excluded.applied_at, "
            "updated_at = excluded.updated_at, dirty = excluded.dirty, settled_at = coalesce(excluded.settled_at, p.settled_at)",
            (
                TOPIC,
                partition,
                self.batches.get(partition, 0),
                stamped or self.now,
                self.now,
                list(range(dirty)),
                (stamped or self.now) if settled else None,
            ),
        )

    def drained(self) -> None:
        for partition in self.batches or {0: 0}:
            self.progress(partition)

    @contextmanager
    def loading(self, tenant_id: int | None = None) -> Any:
        """A load of history, alive until the block ends."""
        load = self.begin_load(tenant_id)
        yield load
        self.end_load(load)

    def begin_load(self, tenant_id: int | None = None) -> str:
        load = str(uuid_utils.uuid4())
        self.connection.execute(
            "insert into control.load (id, tenant_id, description, started_at, heartbeat_at) values (%s, %s, 'history', %s, %s)",
            (load, tenant_id or self.tenant_id, self.now, self.now),
        )
        return load

    def heartbeat(self, load: str) -> None:
        self.connection.execute("update control.load set heartbeat_at = %s where id = %s", (self.now, load))

    def end_load(self, load: str) -> None:
        self.connection.execute("update control.load set ended_at = %s where id = %s", (self.now, load))

    # What came of it
    def cases(self) -> list[dict[str, Any]]:
        names = ("id", "account", "status", "origin", "severity", "resolution")
        found = self.rows(f"select {', '.join(names)} from alerts.v_case order by opened_at, id")
        return [dict(zip(names, row, strict=True)) for row in found]

    def alerts(self) -> list[tuple[str, str, str]]:
        """Rule, state and reason of every episode, oldest first."""
        return [
            (r, s, why)
            for r, s, why in self.rows("select rule, state, reason from alerts.v_alert order by since_at, id")
        ]

    def notices(self) -> list[str]:
        """Types of everything queued, oldest first."""
        return [row[0] for row in self.rows("select type from alerts.notification order by seq")]
