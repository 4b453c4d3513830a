"""The ledger in PostgreSQL: one connection in autocommit, transactions where the caller says so."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from psycopg.types.json import Jsonb

from alerts.adapters import rows
from alerts.adapters.connected import Connection
from alerts.adapters.definitions import DefinitionStore
from alerts.adapters.edge_stops import PostgresEdgeStops
from alerts.adapters.facts import PostgresFacts
from alerts.adapters.identities import PostgresIdentities
from alerts.adapters.lives import PostgresLives
from alerts.adapters.reviews import PostgresReviews
from alerts.adapters.rota import PostgresRota
from alerts.adapters.tracking import PostgresTracking
from alerts.domain.cases import Case
from alerts.domain.freshness import NOTHING_ARRIVED, Arrivals
from alerts.domain.gate import Load, Progress
from alerts.domain.priority import Renewal
from alerts.domain.routing import Target
from alerts.domain.silences import Silence
from alerts.ports.ledger import Cursor, Ledger, Stretch, Sweep
from alerts.ports.records import Account, Alert, ArrivalQuestion, Definitions, Notification, Watch

# Keeps our advisory locks apart from those of others in the same database.
_LEASE_SPACE = 0x616C7274


class PostgresLedger(
    PostgresLives,
    PostgresRota,
    PostgresReviews,
    PostgresTracking,
    PostgresEdgeStops,
    PostgresIdentities,
    PostgresFacts,
    Ledger,
):
    """Bound to one connection and one topic; the caller turns lost connections into Unavailable (`common.db.pool.borrow` does)."""

    def __init__(self, connection: Connection, topic: str, definitions: DefinitionStore) -> None:
        super().__init__(connection)
        self._topic = topic
        self._definitions = definitions

    def transaction(self) -> AbstractContextManager[object]:
        return self._connection.transaction()

    def try_lease(self, name: str) -> bool:
        return bool(self.try_leases([name]))

    def try_leases(self, names: Sequence[str]) -> list[str]:
        found = self._rows("lease", space=_LEASE_SPACE, names=list(names))
        return [name for name, is_ours in found if is_ours]

    def release(self, names: Sequence[str]) -> None:
        if names and not self._connection.closed:
            self._do("release", space=_LEASE_SPACE, names=list(names))

    def progress(self) -> list[Progress]:
        return [Progress(*row) for row in self._rows("progress", topic=self._topic)]

    def changed_accounts(
        self, stretches: Sequence[Stretch], without_tenants: Sequence[int]
    ) -> dict[int, list[tuple[int, datetime]]]:
        found: dict[int, list[tuple[int, datetime]]] = {}
        for partition, account_id, computed_at in self._rows(
            "changed_accounts",
            partitions=[one.partition for one in stretches],
            after=[one.after for one in stretches],
            through=[one.through for one in stretches],
            without=list(without_tenants),
        ):
            found.setdefault(partition, []).append((account_id, computed_at))
        return found

    def accounts_of_partition(self, partition: int, after: int, limit: int) -> list[tuple[int, int]]:
        found = self._rows("accounts_of_partition", partition=partition, after=after, limit=limit)
        return [(row[0], row[1]) for row in found]

    def accounts_of_tenant(self, tenant_id: int, after: int, limit: int) -> list[int]:
        return [
            row[0] for row in self._rows("accounts_of_tenant", tenant=tenant_id, after=after, limit=limit)
        ]

    def accounts(self, account_ids: Sequence[int]) -> list[Account]:
        return [rows.account_of(row) for row in self._rows("accounts", ids=list(account_ids))]

    def arrivals(self, questions: Sequence[ArrivalQuestion], now: datetime) -> list[Arrivals]:
        asked = [
            {
                "n": n,
                "account_id": question.account_id,
                "types": list(question.driven_by),
                "any_type": not question.driven_by,
                "after": question.after.isoformat(),
                "stored_since": question.stored_since.isoformat(),
                "fired_at": question.fired_at.isoformat() if question.fired_at else None,
            }
            for n, question in enumerate(questions)
        ]
        earliest = min(question.after for question in questions)
        accounts = sorted({question.account_id for question in questions})
        answers = self._rows(
            "arrivals", questions=Jsonb(asked), accounts=accounts, now=now, earliest=earliest
        )
        found = {row[0]: Arrivals(*row[1:]) for row in answers}
        return [found.get(n, NOTHING_ARRIVED) for n in range(len(questions))]

    def gone_accounts(self, since: datetime, limit: int) -> list[Account]:
        return [rows.account_of(row) for row in self._rows("gone_accounts", since=since, limit=limit)]

    def open_renewals(self, account_ids: Sequence[int]) -> dict[int, list[Renewal]]:
        found: dict[int, list[Renewal]] = {}
        for account_id, *columns in self._rows("open_renewals", ids=list(account_ids)):
            found.setdefault(account_id, []).append(Renewal(*columns))
        return found

    def loads(self) -> dict[int, list[Load]]:
        by_tenant: dict[int, list[Load]] = {}
        for tenant_id, started_at, heartbeat_at, ended_at in self._rows("loads", topic=self._topic):
            by_tenant.setdefault(tenant_id, []).append(Load(started_at, heartbeat_at, ended_at))
        return by_tenant

    def definitions(self, tenant_id: int) -> Definitions | None:
        return self._definitions.current(self._connection, tenant_id)

    def newest_definitions(self, tenant_ids: Collection[int]) -> dict[int, Definitions | None]:
        return self._definitions.newest(self._connection, tenant_ids)

    def cursors(self, partitions: Sequence[int]) -> dict[int, Cursor]:
        return {row[0]: Cursor(*row[1:]) for row in self._rows("cursors", partitions=list(partitions))}

    def save_cursors(self, cursors: Mapping[int, Cursor]) -> None:
        self._do(
            "save_cursors",
            partitions=list(cursors),
            batches=[cursor.batch_no for cursor in cursors.values()],
            sweeps=[cursor.sweep_after for cursor in cursors.values()],
            updated=[cursor.updated_at for cursor in cursors.values()],
        )

    def lock_watches(self, accounts: Iterable[Account]) -> dict[int, Watch]:
        pairs = sorted((account.account_id, account.tenant_id) for account in accounts)
        ids = [account_id for account_id, _ in pairs]
        self._do("make_watches", ids=ids, tenants=[tenant for _, tenant in pairs])
        return {row[0]: Watch(*row) for row in self._rows("lock_watches", ids=ids)}

    def save_watches(self, watches: Sequence[Watch]) -> None:
        self._do(
            "save_watches",
            ids=[watch.account_id for watch in watches],
            evaluated=[watch.evaluated_at for watch in watches],
            ingest=[watch.ingest_at for watch in watches],
            expected=[watch.expected_until for watch in watches],
        )

    def live_alerts(self, account_ids: Sequence[int]) -> list[Alert]:
        return [rows.alert_of(row) for row in self._rows("live_alerts", ids=list(account_ids))]

    def due_alerts(self, now: datetime, limit: int, without_tenants: Sequence[int]) -> list[int]:
        without = list(without_tenants)
        return [row[0] for row in self._rows("due_alerts", now=now, limit=limit, without=without)]

    def save_alerts(self, alerts: Sequence[Alert], now: datetime) -> None:
        self._do_all("save_alerts", [rows.alert_values(alert, now) for alert in alerts])

    def open_cases(self, account_ids: Sequence[int]) -> list[Case]:
        return [rows.case_of(row) for row in self._rows("open_cases", ids=list(account_ids))]

    def account_of_case(self, tenant_id: int, case_id: str) -> int | None:
        found = self._rows("account_of_case", tenant=tenant_id, id=case_id)
        return found[0][0] if found else None

    def lock_case(self, tenant_id: int, case_id: str) -> Case | None:
        found = self._rows("lock_case", tenant=tenant_id, id=case_id)
        return rows.case_of(found[0]) if found else None

    def alerts_of_cases(self, case_ids: Sequence[str]) -> list[Alert]:
        if not case_ids:
            return []
        return [rows.alert_of(row) for row in self._rows("alerts_of_cases", ids=list(case_ids))]

    def lock_untold_cases(self, after: str, limit: int) -> list[Case]:
        return [rows.case_of(row) for row in self._rows("lock_untold_cases", after=after, limit=limit)]

    def save_cases(self, cases: Sequence[Case]) -> None:
        if not cases:
            return
        self._do_all("save_cases", [rows.case_values(case) for case in cases])
        self.announce(cases)

    def targets(self, tenant_id: int) -> tuple[Target, ...]:
        return tuple(rows.target_of(row) for row in self._rows("targets", tenant=tenant_id))

    def told_receivers(self, case_ids: Sequence[str]) -> dict[str, frozenset[int]]:
        found: dict[str, set[int]] = {}
        for case_id, receiver_id in self._rows("told_receivers", cases=list(case_ids)) if case_ids else []:
            found.setdefault(case_id, set()).add(receiver_id)
        return {case_id: frozenset(receivers) for case_id, receivers in found.items()}

    def silences(self, tenant_id: int, now: datetime) -> list[Silence]:
        return [Silence(*row) for row in self._rows("silences", tenant=tenant_id, now=now)]

    def add_notifications(self, notifications: Sequence[Notification]) -> None:
        if notifications:
            named = self.identified(notifications)
            self._do_all("add_notifications", [rows.notification_values(one) for one in named])
            self._do("notify_outbox")

    def record(
        self,
        case: Case | None,
        tenant_id: int,
        kind: str,
        actor: str,
        at: datetime,
        detail: Mapping[str, object],
    ) -> None:
        case_id = case.id if case else None
        self._do(
            "record",
            tenant=tenant_id,
            case=case_id,
            at=at,
            kind=kind,
            actor=actor,
            detail=Jsonb(dict(detail)),
        )

    def save_verdict(self, case: Case, real: bool | None, actor: str, at: datetime) -> None:
        self._do(
            "save_verdict",
            tenant=case.tenant_id,
            case=case.id,
            account=case.account_id,
            real=real,
            actor=actor,
            at=at,
        )

    def sweep(self, tenant_id: int) -> Sweep | None:
        found = self._rows("sweep", tenant=tenant_id)
        return Sweep(*found[0]) if found else None

    def save_sweep(self, sweep: Sweep) -> None:
        self._do(
            "save_sweep",
            tenant=sweep.tenant_id,
            through=sweep.through,
            next=sweep.next_account_id,
            opened=sweep.cases_opened,
        )

    def tidy(self, now: datetime) -> None:
        self._do("tidy_changes")
        self._do("tidy_turns", now=now)
