"""The outbox in PostgreSQL, claimed by leases."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Jsonb

from alerts.adapters.buttons import button_key, names_of
from alerts.adapters.connected import as_rows
from alerts.adapters.definitions import SECRET_PREFIX
from alerts.adapters.rows import notification_values, target_of
from alerts.adapters.sql import statements
from alerts.domain.cases import NoticeType
from alerts.domain.finishing import quiet_people, with_buttons, with_names
from alerts.domain.identities import disabled_occasion, notice_id
from alerts.domain.notices import disabled_because, receiver_notice
from alerts.domain.retries import Outcome
from alerts.ports.channel import Delivery, Receiver
from alerts.ports.outbox import Claimed, Outbox, Verdict
from alerts.ports.records import Notification
from common.db.pool import Pool, borrow
from common.logs import get_logger

log = get_logger("outbox")
Connection = psycopg.Connection[tuple[Any, ...]]
# A lease outlasts the attempt by this much, so that a living worker never loses it; a dead one's notices wait that long.
LEASE_MARGIN = timedelta(seconds=10)
LEASE = timedelta(seconds=15) + LEASE_MARGIN


class PostgresOutbox(Outbox):
    """`environment` is where secrets of receivers files come from (`ALERTS_SECRET_...` alone)."""

    def __init__(
        self,
        pool: Pool,
        environment: Mapping[str, str],
        public_url: str,
        lease: timedelta = LEASE,
    ) -> None:
        self._pool = pool
        self._environment = environment
        self._public_url = public_url
        self._button_key: bytes | None = None
        self._lease = lease
        self._owner = uuid.uuid4()
        self._sql = statements()

    def claim(self, now: datetime, limit: int, busy: Sequence[int]) -> list[Claimed]:
        values = {
            "now": now,
            "limit": limit,
            "busy": list(busy),
            "owner": self._owner,
            "until": now + self._lease,
        }
        with borrow(self._pool) as connection:
            found = connection.execute(self._sql["claim"], values).fetchall()
            return [self._claimed(connection, row, now) for row in found]

    def _claimed(self, connection: Connection, row: tuple[Any, ...], now: datetime) -> Claimed:
        (notice_id, tenant_id, kind, body, created_at, number, round_number), rest = row[:7], row[7:]
        receiver_id, name, medium, target, secrets, allow_private, channel, disabled, earlier = rest
        known = tuple(self._secret(secret) for secret in secrets)
        receiver = Receiver(receiver_id, tenant_id, name, medium, target, known, allow_private, channel)
        body = self._finished(connection, body, receiver, created_at)
        delivery = Delivery(notice_id, kind, body, created_at, now, receiver, earlier)
        return Claimed(delivery, number, round_number, disabled)

    def _finished(self, connection: Connection, body: str, receiver: Receiver, created_at: datetime) -> str:
        if self._button_key is None:
            self._button_key = button_key(connection)
        named = with_names(body, names_of(connection, receiver.tenant_id, quiet_people(body)))
        return with_buttons(
            named,
            self._button_key,
            receiver.tenant_id,
            receiver.receiver_id,
            created_at,
            self._public_url,
        )

    def _secret(self, stored: str) -> str:
        name = stored.removeprefix("env:")
        if name == stored:
            return stored
        return self._environment.get(name, "") if name.startswith(SECRET_PREFIX) else ""

    def settle(self, settled: Sequence[tuple[Claimed, Verdict]]) -> None:
        rows = as_rows([_attempt(claimed, verdict) for claimed, verdict in settled])
        with borrow(self._pool) as connection:
            found = connection.execute(self._sql["settle"], {"rows": rows, "owner": self._owner}).fetchall()
            ours = {row[0] for row in found}
            for claimed, verdict in settled:
                if claimed.delivery.id not in ours:
                    outcome = verdict.receipt.outcome.value
                    log.warning("lease_lost", notification=claimed.delivery.id, outcome=outcome)
                elif verdict.disable_receiver is not None:
                    receiver_id = claimed.delivery.receiver.receiver_id
                    self._disable(connection, receiver_id, verdict.disable_receiver, verdict.finished_at)

    def _disable(self, connection: Connection, receiver_id: int, reason: str, now: datetime) -> None:
        """Says so to the tenant's other receivers, in the log, in its record and in the answer of the API."""
        values = {"receiver": receiver_id, "reason": reason, "now": now}
        done = connection.execute(self._sql["disable_receiver"], values).fetchone()
        if done is None:
            return
        tenant_id, name = done
        log.warning("receiver_disabled", tenant_id=tenant_id, receiver=name, reason=reason)
        connection.execute(self._sql["fail_of_receiver"], {"receiver": receiver_id})
        detail = Jsonb({"receiver": name, "reason": reason})
        connection.execute(
            self._sql["record"],
            {
                "tenant": tenant_id,
                "case": None,
                "at": now,
                "kind": "receiver-disabled",
                "actor": "alerts",
                "detail": detail,
            },
        )
        ((line, times),) = connection.execute(
            self._sql["times_disabled"], {"tenant": tenant_id, "name": name}
        ).fetchall()
        occasion = disabled_occasion(line, name, reason, times)
        notice = NoticeType.RECEIVER_DISABLED
        body = orjson.dumps(receiver_notice(notice, name, disabled_because(name, reason), now)).decode()
        found = connection.execute(self._sql["targets"], {"tenant": tenant_id}).fetchall()
        hearing = [one for one in map(target_of, found) if not one.disabled and one.wants(notice)]
        notices = [
            Notification(
                notice_id(tenant_id, "", notice.value, one.name, occasion, 0),
                tenant_id,
                one.receiver_id,
                None,
                notice,
                body,
                now,
                occasion,
            )
            for one in hearing
        ]
        rows = as_rows([notification_values(one) for one in notices])
        connection.execute(self._sql["add_notifications"], {"rows": rows})
        connection.execute(self._sql["notify_outbox"])

    def next_due_at(self) -> datetime | None:
        with borrow(self._pool) as connection:
            row = connection.execute(self._sql["next_due"]).fetchone()
        return row[0] if row else None

    def has_succeeded_since(self, receiver_id: int, since: datetime) -> bool:
        with borrow(self._pool) as connection:
            values = {"receiver": receiver_id, "since": since}
            row = connection.execute(self._sql["has_succeeded_since"], values).fetchone()
        return bool(row and row[0])

    def give_back(self, claimed: Sequence[Claimed]) -> None:
        with borrow(self._pool) as connection:
            ids = [one.delivery.id for one in claimed]
            connection.execute(self._sql["release_leases"], {"owner": self._owner, "ids": ids})


def _attempt(claimed: Claimed, verdict: Verdict) -> dict[str, Any]:
    receipt = verdict.receipt
    delivered = receipt.outcome is Outcome.DELIVERED
    return {
        "id": claimed.delivery.id,
        "number": claimed.number,
        "status": "delivered" if delivered else ("pending" if verdict.next_attempt_at else "failed"),
        "reason": receipt.reason,
        "next_attempt_at": verdict.next_attempt_at,
        "delivered_at": verdict.finished_at if delivered else None,
        "reference": receipt.reference,
        "started_at": claimed.delivery.at,
        "finished_at": verdict.finished_at,
        "outcome": receipt.outcome.value,
        "status_code": receipt.status_code,
    }
