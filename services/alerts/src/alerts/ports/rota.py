"""Who is away, on call and paged, what was muted by hand, and which mornings were told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from alerts.domain.on_call import Override, Page
from alerts.domain.people import Leave
from alerts.domain.workdays import MuteTime


@dataclass(frozen=True, slots=True)
class MadeMuteTime:
    id: str
    window: MuteTime
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MadeLeave:
    id: str
    leave: Leave
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OwnCase:
    """An open case of somebody's, as a digest needs it."""

    case_id: str
    account_id: int
    account: str
    account_name: str | None
    severity: str
    opened_at: datetime
    is_acknowledged: bool
    lapsed_at: datetime | None
    money_at_risk: Decimal | None
    notice_deadline: datetime | None
    steps_due: tuple[str, ...]


class Rota(Protocol):
    """Part of the ledger: same connection, same errors. What is deleted answers whether it was there."""

    def mute_times(self, tenant_id: int) -> list[MadeMuteTime]: ...
    def add_mute_time(self, tenant_id: int, made: MadeMuteTime) -> bool:
        """False when the name is taken."""

    def delete_mute_time(self, tenant_id: int, mute_time_id: str) -> bool: ...
    def leaves(self, tenant_id: int, now: datetime) -> list[MadeLeave]:
        """Those that are not long over: wherever their person is, today may be another day."""

    def add_leave(self, tenant_id: int, made: MadeLeave) -> None: ...
    def delete_leave(self, tenant_id: int, leave_id: str) -> bool: ...
    def on_call_overrides(self, tenant_id: int, now: datetime) -> list[Override]:
        """Those that are not over."""

    def add_on_call_override(self, tenant_id: int, made: Override) -> None: ...
    def delete_on_call_override(self, tenant_id: int, override_id: str) -> bool: ...
    def add_pages(self, pages: Sequence[Page]) -> None:
        """First steps. A case that a rotation is being paged about already is left to that."""

    def due_pages(self, now: datetime, limit: int) -> list[Page]:
        """Locked until the transaction ends; those that another replica holds are left out."""

    def go_on(self, page: Page, ended: str, following: Page | None) -> None:
        """Ends a step, and begins the next one."""

    def pages_of_case(self, tenant_id: int, case_id: str) -> list[tuple[Page, str | None]]:
        """Every step in order, with what became of it."""

    def made_digests(self, tenant_id: int, since: date) -> set[tuple[str, date]]:
        """Owners and mornings that are done with."""

    def make_digest(self, tenant_id: int, owner: str, day: date, cases: int, now: datetime) -> bool:
        """False when another replica did."""

    def last_digest(self, tenant_id: int, owner: str, before: date) -> tuple[date, datetime] | None:
        """The last morning before that day, and when its digest was made."""

    def days_with_digests(self, tenant_id: int, since: date) -> set[date]:
        """Days of whomever, so that somebody's digest was made."""

    def tenants_with_cases(self) -> list[int]:
        """With cases that are open."""

    def owners_of_cases(self, tenant_id: int) -> list[str | None]:
        """Who is responsible for open cases of the risk queue; None when some have nobody."""

    def own_cases(
        self, tenant_id: int, names: Sequence[str] | None, today: date, morning: datetime
    ) -> list[OwnCase]:
        """Cases of the risk queue of these people that are open since before that morning and not snoozed, most at stake first; None: of nobody.

        Steps due today or before are those of the case, whoever is to do them.
        """
