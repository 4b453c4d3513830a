"""What people read and set up, as the routes need it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from alerts.domain.priority import Queue

Record = dict[str, Any]
"""A row by column; the response models in `http/models.py` say which."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """None: anything. `before`: the id of the last case of the page before, `before_priority` its priority. `responsible`: who the case is
    assigned to, else the account's owner.
    """

    status: list[str] | None = None
    severity: list[str] | None = None
    account: str | None = None
    rule: str | None = None
    origin: str | None = None
    queue: Queue = "risk"
    responsible: list[str] | None = None
    family: str | None = None
    by_priority: bool = False
    before: str | None = None
    before_priority: Decimal | None = None
    limit: int = 100


class Casebook(Protocol):
    """Safe to use from many threads. Every method is bound to the tenant: what belongs to another one raises NotFound, as if it were not there.

    All raise Unavailable when the database does not answer: the caller may try again, nothing was done by halves.
    """

    def cases(self, tenant_id: int, wanted: CaseFilter) -> list[Record]:
        """A page of cases, newest or most at stake first, each with its alerts."""

    def case(self, tenant_id: int, case_id: str) -> Record:
        """With its alerts and everything that was done."""

    def receivers(self, tenant_id: int) -> list[Record]: ...
    def receiver(self, tenant_id: int, name: str) -> Record: ...
    def receiver_id(self, tenant_id: int, name: str) -> int: ...
    def add_receiver(self, tenant_id: int, receiver: Mapping[str, Any]) -> None:
        """Raises Conflict when the name is taken."""

    def delete_receiver(self, tenant_id: int, name: str) -> None:
        """What was sent to it stays in the log; what was to be sent is dropped. Raises Conflict for one that a file names."""

    def rotate_secret(self, tenant_id: int, name: str, secret: str) -> None:
        """The new secret signs first, the one before beside it. Raises Conflict for a receiver that a file names."""

    def enable_receiver(self, tenant_id: int, name: str) -> None: ...
    def silences(self, tenant_id: int, now: datetime, *, with_ended: bool) -> list[Record]: ...
    def add_silence(self, tenant_id: int, silence: Mapping[str, Any]) -> None: ...
    def end_silence(self, tenant_id: int, silence_id: str, now: datetime) -> None:
        """One that began ends now and stays among the past ones; one still ahead is removed."""

    def notifications(self, tenant_id: int, wanted: Mapping[str, Any]) -> list[Record]: ...
    def notification(self, tenant_id: int, notification_id: str) -> Record:
        """With its body and every attempt."""

    def resend(self, tenant_id: int, notification_id: str, now: datetime) -> None:
        """Raises Conflict while it is being delivered or when its receiver was deleted."""
