"""What is remembered of cases beside themselves: their families, storms, playbooks, and what was judged not real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from alerts.domain.cases import Case
from alerts.domain.severity import Severity
from alerts.domain.suppression import Judged

StepStatus = Literal["todo", "done", "skipped"]


@dataclass(frozen=True, slots=True)
class SetStep:
    """A step of a playbook as it stands on a case."""

    id: str
    tenant_id: int
    case_id: str
    source: str
    source_name: str
    position: int
    label: str
    owner_role: str
    owner: str | None
    due_on: date
    status: StepStatus = "todo"
    note: str | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class Storm:
    """The `number`-th of its tenant, on the line that is kept now."""

    tenant_id: int
    started_at: datetime
    cases: int
    line: str
    number: int


@dataclass(frozen=True, slots=True)
class Suppression:
    """A rule that was judged not real on an account, by the outcome of a case."""

    tenant_id: int
    account_id: int
    rule: str
    case_id: str
    judged_at: datetime
    judged: Judged


class Lives(Protocol):
    """Part of the ledger: same connection, same errors."""

    def tops_of_families(self, tenant_id: int, accounts: Sequence[str]) -> dict[str, str]:
        """By account, the topmost one that the traits `parent` lead to; itself where there is none, or where they go in circles."""

    def families_told(self, tenant_id: int, families: Sequence[str]) -> list[tuple[str, str, Severity]]:
        """Open cases of these families that people were paged of: family, case, and the gravest that they were told."""

    def cases_told_since(self, tenant_id: int, since: datetime) -> int: ...
    def due_cases(self, now: datetime, limit: int) -> list[Case]:
        """Open cases with which the clock has something to do, not locked."""

    def open_cases_after(self, case_id: str, limit: int) -> list[Case]:
        """A page of all tenants' open cases by id, not locked."""

    def save_stakes(self, cases: Sequence[Case]) -> None:
        """What is at stake and when they are due, of cases that are still open; announces them."""

    def add_to_storm(self, tenant_id: int, cases: int, now: datetime) -> Storm | None:
        """The storm that begins with them; None when one is under way."""

    def end_storms(self, tenant_id: int, quiet_since: datetime, now: datetime) -> list[Storm]:
        """The one that nothing was added to since then, with its final count; it is over now."""

    def stormy_tenants(self) -> list[int]: ...
    def add_steps(self, steps: Sequence[SetStep]) -> None:
        """Those that the case has from the same playbook already stay as they are."""

    def steps(self, tenant_id: int, case_ids: Sequence[str]) -> list[SetStep]: ...
    def lock_step(self, tenant_id: int, case_id: str, step_id: str) -> SetStep | None: ...
    def end_step(self, step: SetStep) -> None: ...
    def suppress(self, suppressions: Sequence[Suppression]) -> None: ...
    def suppressions(self, account_ids: Sequence[int], now: datetime) -> list[Suppression]: ...
    def suppressions_of_case(self, tenant_id: int, case_id: str) -> list[Suppression]:
        """Over or not."""

    def add_turns(self, turns: Sequence[tuple[int, int, str]], now: datetime) -> None:
        """Tenant, account and rule of what began to fire now."""

    def turns(self, pairs: Sequence[tuple[int, str]], since: datetime) -> Mapping[tuple[int, str], int]:
        """By account and rule, how often it began to fire since then."""

    def children(self, tenant_id: int, families: Sequence[str]) -> list[Mapping[str, Any]]:
        """Open cases of these families, with account, severity and money at risk."""
