"""Losses, and what people made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from alerts.ports.records import Alert

ReviewStatus = Literal["open", "completed", "returned"]


@dataclass(frozen=True, slots=True)
class Loss:
    """An account whose revenue fell to nothing at `lost_at`; `mrr` is what it was just before, in the tenant's currency, None where it wasn't
    all in that.
    """

    tenant_id: int
    account_id: int
    lost_at: datetime
    mrr: Decimal | None


@dataclass(frozen=True, slots=True)
class Review:
    id: str
    tenant_id: int
    account_id: int
    case_id: str | None
    status: ReviewStatus
    lost_at: datetime
    opened_at: datetime
    opened_by: str
    mrr: Decimal | None
    owner: str | None
    proposal: Mapping[str, Any]
    cause: str | None = None
    should_have_fired: Sequence[str] | None = None
    comment: str | None = None
    completed_at: datetime | None = None
    completed_by: str | None = None


class Reviews(Protocol):
    """Part of the ledger: same connection, same errors."""

    def tenants(self) -> list[int]: ...
    def new_losses(self, tenant_id: int, since: datetime, now: datetime) -> list[Loss]:
        """Since then, of accounts without a review that is about the same loss."""

    def returned(self, tenant_id: int, since: datetime) -> list[str]:
        """Reviews, opened from a fall of revenue since then, of accounts that pay again."""

    def alerts_of_account(self, account_id: int, since: datetime) -> list[Alert]:
        """Live rules' episodes that were not over by then."""

    def last_case(self, tenant_id: int, account_id: int) -> str | None:
        """The last one of the risk queue."""

    def cancellation(
        self, tenant_id: int, account_id: int, until: datetime
    ) -> tuple[str | None, datetime | None] | None:
        """Reason and notice deadline of the cancellation that ended the last subscription by then; None when none did."""

    def account_id_of(self, tenant_id: int, account: str) -> int | None: ...
    def add_review(self, review: Review) -> bool:
        """False when the account has one that is open."""

    def lock_review(self, tenant_id: int, review_id: str) -> Review | None: ...
    def save_review(self, review: Review) -> None: ...
    def reviews(
        self,
        tenant_id: int,
        status: Sequence[str] | None,
        account: str | None,
        before: str | None,
        limit: int,
    ) -> list[Mapping[str, Any]]:
        """Newest first, with the account's name."""

    def review(self, tenant_id: int, review_id: str) -> Mapping[str, Any] | None: ...
    def last_beat_at(self, tenant_id: int) -> datetime | None: ...
    def beat(self, tenant_id: int, now: datetime) -> None: ...
    def drop_old_beats(self, tenant_id: int, now: datetime) -> None:
        """Those that are still to be delivered and that no worker has."""
