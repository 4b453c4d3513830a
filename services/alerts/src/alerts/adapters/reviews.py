"""Loss reviews and the heartbeat in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from alerts.adapters import rows
from alerts.adapters.connected import Connected
from alerts.domain.contracts import ended_by
from alerts.ports.records import Alert
from alerts.ports.reviews import Loss, Review, Reviews
from common.figures.mrr import Change

_VIEW = (*Review.__slots__, "account", "account_name")


class PostgresReviews(Connected, Reviews):
    """A part of the ledger, on its connection."""

    def tenants(self) -> list[int]:
        return [row[0] for row in self._rows("tenants")]

    def new_losses(self, tenant_id: int, since: datetime, now: datetime) -> list[Loss]:
        return [Loss(*row) for row in self._rows("new_losses", tenant=tenant_id, since=since, now=now)]

    def returned(self, tenant_id: int, since: datetime) -> list[str]:
        return [row[0] for row in self._rows("returned", tenant=tenant_id, since=since)]

    def alerts_of_account(self, account_id: int, since: datetime) -> list[Alert]:
        found = self._rows("alerts_of_account", account=account_id, since=since)
        return [rows.alert_of(row) for row in found]

    def last_case(self, tenant_id: int, account_id: int) -> str | None:
        found = self._rows("last_case", tenant=tenant_id, account=account_id)
        return found[0][0] if found else None

    def cancellation(
        self, tenant_id: int, account_id: int, until: datetime
    ) -> tuple[str | None, datetime | None] | None:
        found = self._rows("changes_of_account", tenant=tenant_id, account=account_id)
        changes = [Change(*values) for *values, _ in found]
        reasons = {
            (change.source, change.event_id): row[-1] for change, row in zip(changes, found, strict=True)
        }
        ended = ended_by(changes, until)
        return None if ended is None else (reasons[ended.source, ended.event_id], ended.notice_deadline)

    def account_id_of(self, tenant_id: int, account: str) -> int | None:
        found = self._rows("account_id_of", tenant=tenant_id, account=account)
        return found[0][0] if found else None

    def add_review(self, review: Review) -> bool:
        return self._do("add_review", **_values(review)) == 1

    def lock_review(self, tenant_id: int, review_id: str) -> Review | None:
        found = self._rows("lock_review", tenant=tenant_id, id=review_id)
        return Review(*found[0]) if found else None

    def save_review(self, review: Review) -> None:
        self._do("save_review", **_values(review))

    def reviews(
        self,
        tenant_id: int,
        status: Sequence[str] | None,
        account: str | None,
        before: str | None,
        limit: int,
    ) -> list[Mapping[str, Any]]:
        found = self._rows(
            "reviews",
            tenant=tenant_id,
            status=None if status is None else list(status),
            account=account,
            before=before,
            limit=limit,
        )
        return [dict(zip(_VIEW, row, strict=True)) for row in found]

    def review(self, tenant_id: int, review_id: str) -> Mapping[str, Any] | None:
        found = self._rows("review", tenant=tenant_id, id=review_id)
        return dict(zip(_VIEW, found[0], strict=True)) if found else None

    def last_beat_at(self, tenant_id: int) -> datetime | None:
        found = self._rows("last_beat_at", tenant=tenant_id)
        return found[0][0] if found else None

    def beat(self, tenant_id: int, now: datetime) -> None:
        self._do("beat", tenant=tenant_id, now=now)

    def drop_old_beats(self, tenant_id: int, now: datetime) -> None:
        self._do("drop_old_beats", tenant=tenant_id, now=now)


def _values(review: Review) -> dict[str, Any]:
    values = {name: getattr(review, name) for name in Review.__slots__}
    fired = review.should_have_fired
    return {
        **values,
        "proposal": Jsonb(dict(review.proposal)),
        "should_have_fired": None if fired is None else list(fired),
    }
