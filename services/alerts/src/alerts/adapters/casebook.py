"""What people read and set up: cases, receivers, silences, the delivery log. Every statement is bound to the tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.adapters.buttons import names_of
from alerts.adapters.rows import CASE_VIEW
from alerts.adapters.sql import statements
from alerts.domain.finishing import quiet_people, with_names
from alerts.ports.casebook import Casebook, CaseFilter, Record
from common.db.pool import Pool, borrow
from common.errors import Conflict, NotFound

_CASE = tuple(CASE_VIEW)
_ALERT = [
    "case_id",
    "id",
    "rule",
    "label",
    "severity",
    "state",
    "reason",
    "since_at",
    "fired_at",
    "recovering_since",
    "no_data_since",
    "ended_at",
    "evidence",
    "figures",
]
_ACTION = ("at", "kind", "actor", "detail")
_RECEIVER = [
    "name",
    "origin",
    "kind",
    "target",
    "channel",
    "person",
    "events",
    "min_severity",
    "allow_private",
    "created_at",
    "disabled_at",
    "disabled_reason",
    "last_success_at",
]
_SILENCE = ["id", "account", "rule", "starts_at", "ends_at", "comment", "created_by", "created_at"]
_NOTIFICATION = [
    "id",
    "type",
    "receiver",
    "case_id",
    "status",
    "reason",
    "attempts",
    "created_at",
    "next_attempt_at",
    "delivered_at",
]
_ATTEMPT = ["number", "started_at", "finished_at", "outcome", "reason", "status_code"]


class PostgresCasebook(Casebook):
    """Safe to use from many threads; raises Unavailable when the database does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = statements()

    def _records(self, name: str, columns: Sequence[str], values: Mapping[str, Any]) -> list[Record]:
        with borrow(self._pool) as connection:
            found = connection.execute(self._sql[name], values).fetchall()
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _count(self, name: str, values: Mapping[str, Any]) -> int:
        with borrow(self._pool) as connection:
            return connection.execute(self._sql[name], values).rowcount

    def cases(self, tenant_id: int, wanted: CaseFilter) -> list[Record]:
        values = {name: getattr(wanted, name) for name in CaseFilter.__slots__}
        statement = "work_queue" if wanted.by_priority else "list_cases"
        return self._with_alerts(tenant_id, self._records(statement, _CASE, {**values, "tenant": tenant_id}))

    def case(self, tenant_id: int, case_id: str) -> Record:
        """With its alerts and everything that was done; raises NotFound."""
        found = self._records("one_case", _CASE, {"tenant": tenant_id, "id": case_id})
        if not found:
            raise NotFound("case-unknown", f"there is no case {case_id[:80]!r}; GET /v1/alerts lists them")
        done = self._records("case_actions", _ACTION, {"tenant": tenant_id, "id": case_id})
        return {**self._with_alerts(tenant_id, found)[0], "actions": done}

    def _with_alerts(self, tenant_id: int, cases: list[Record]) -> list[Record]:
        ids = [case["id"] for case in cases]
        by_case: dict[str, list[Record]] = {case_id: [] for case_id in ids}
        if ids:
            for alert in self._records("case_alerts", _ALERT, {"tenant": tenant_id, "ids": ids}):
                by_case[alert.pop("case_id")].append(alert)
        return [{**case, "alerts": by_case[case["id"]]} for case in cases]

    def receivers(self, tenant_id: int) -> list[Record]:
        return self._records("receivers", _RECEIVER, {"tenant": tenant_id})

    def receiver(self, tenant_id: int, name: str) -> Record:
        for found in self.receivers(tenant_id):
            if found["name"] == name:
                return found
        raise _unknown_receiver(name)

    def add_receiver(self, tenant_id: int, receiver: Mapping[str, Any]) -> None:
        """Raises Conflict when the name is taken."""
        if self._count("add_receiver", {**receiver, "tenant": tenant_id}) == 0:
            message = (
                f"there is already a receiver {receiver['name']!r}; delete it first, or choose another name"
            )
            raise Conflict("receiver-exists", message)

    def delete_receiver(self, tenant_id: int, name: str) -> None:
        """What was sent to it stays in the log; what was to be sent is dropped. Raises NotFound; Conflict for one from a file."""
        with borrow(self._pool) as connection:
            values = {"id": self._own_receiver(connection, tenant_id, name)}
            connection.execute(self._sql["drop_pending_of_receiver"], values)
            connection.execute(self._sql["delete_receiver"], values)

    def rotate_secret(self, tenant_id: int, name: str, secret: str) -> None:
        with borrow(self._pool) as connection:
            values = {"id": self._own_receiver(connection, tenant_id, name), "secret": secret}
            connection.execute(self._sql["rotate_secret"], values)

    def enable_receiver(self, tenant_id: int, name: str) -> None:
        with borrow(self._pool) as connection:
            values = {"tenant": tenant_id, "name": name}
            row = connection.execute(self._sql["receiver_origin"], values).fetchone()
            if row is None:
                raise _unknown_receiver(name)
            connection.execute(self._sql["enable_receiver"], {"id": row[0]})

    def _own_receiver(self, connection: Any, tenant_id: int, name: str) -> int:
        row = connection.execute(self._sql["receiver_origin"], {"tenant": tenant_id, "name": name}).fetchone()
        if row is None:
            raise _unknown_receiver(name)
        if row[1] == "file":
            raise Conflict(
                "receiver-from-file",
                f"the receiver {name!r} stands in receivers.yaml; change it there and run `bellwether apply`",
            )
        return int(row[0])

    def receiver_id(self, tenant_id: int, name: str) -> int:
        with borrow(self._pool) as connection:
            values = {"tenant": tenant_id, "name": name}
            row = connection.execute(self._sql["receiver_origin"], values).fetchone()
        if row is None:
            raise _unknown_receiver(name)
        return int(row[0])

    def silences(self, tenant_id: int, now: datetime, *, with_ended: bool) -> list[Record]:
        return self._records(
            "list_silences", _SILENCE, {"tenant": tenant_id, "now": now, "with_ended": with_ended}
        )

    def add_silence(self, tenant_id: int, silence: Mapping[str, Any]) -> None:
        self._count("add_silence", {**silence, "tenant": tenant_id})

    def end_silence(self, tenant_id: int, silence_id: str, now: datetime) -> None:
        """One that began ends now and stays in the list of the past; one still ahead is removed. Raises NotFound."""
        values = {"tenant": tenant_id, "id": silence_id, "now": now}
        if not self._records("knows_silence", ("found",), values):
            raise NotFound(
                "silence-unknown", f"there is no silence {silence_id[:80]!r}; GET /v1/silences lists them"
            )
        if self._count("end_silence", values) == 0:
            self._count("drop_silence", values)

    def notifications(self, tenant_id: int, wanted: Mapping[str, Any]) -> list[Record]:
        return self._records("list_notifications", _NOTIFICATION, {**wanted, "tenant": tenant_id})

    def notification(self, tenant_id: int, notification_id: str) -> Record:
        """With its body and every attempt; raises NotFound."""
        found = self._records(
            "one_notification", [*_NOTIFICATION, "body"], {"tenant": tenant_id, "id": notification_id}
        )
        if not found:
            message = f"there is no notification {notification_id[:80]!r}; GET /v1/notifications lists them"
            raise NotFound("notification-unknown", message)
        log = self._records("attempts", _ATTEMPT, {"id": notification_id})
        return {**found[0], "body": self._named(tenant_id, found[0]["body"]), "log": log}

    def _named(self, tenant_id: int, body: str) -> str:
        """With people's names as of today; without the links of buttons, which act."""
        if not (people := quiet_people(body)):
            return body
        with borrow(self._pool) as connection:
            return with_names(body, names_of(connection, tenant_id, people))

    def resend(self, tenant_id: int, notification_id: str, now: datetime) -> None:
        """Raises NotFound; Conflict while it is being delivered or when its receiver was deleted."""
        self.notification(tenant_id, notification_id)
        if self._count("resend", {"tenant": tenant_id, "id": notification_id, "now": now}) == 0:
            raise Conflict("not-resendable", "it is being delivered right now, or its receiver was deleted")


def _unknown_receiver(name: str) -> NotFound:
    return NotFound("receiver-unknown", f"there is no receiver {name[:80]!r}; GET /v1/receivers lists them")
