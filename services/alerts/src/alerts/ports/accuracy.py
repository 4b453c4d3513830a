"""What is needed to say how often warnings were right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from alerts.domain.judging import Episode, Outcomes
from common.catalogue.models import Catalogue

Kind = Literal["rule", "health", "risk"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: a rule, a band of health, or a score. `fingerprint`: of its definition; another one begins a record of its own.

    `since`: from when on it watched (None: it never did).
    """

    kind: Kind
    name: str
    fingerprint: str
    since: datetime | None
    reads_silence: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """A rule's warnings before it watched, as (account, when). `since`: the first day there is; `note`: why there is none."""

    fingerprint: str
    warnings: Sequence[tuple[int, datetime]]
    since: date | None
    through: datetime
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A record as it was published at the end of a month."""

    month: date
    frozen_at: datetime
    fingerprint: str
    record: Mapping[str, Any]


class AccuracyStore(Protocol):
    """Safe to use from many threads; every method is bound to the tenant. Raises Unavailable when the database does not answer."""

    def catalogue(self, tenant_id: int) -> Catalogue | None: ...
    def watched_since(self, tenant_id: int) -> Mapping[str, tuple[str, datetime]]:
        """By rule in the definitions in force: the fingerprint of its definition, and since when it is in force unchanged."""

    def episodes(self, tenant_id: int) -> list[Episode]:
        """Every warning that rules gave, live or as shadows, in the order of time."""

    def outcomes(self, tenant_id: int, catalogue: Catalogue) -> Outcomes: ...
    def account_names(self, tenant_id: int, account_ids: Sequence[int]) -> dict[int, str]: ...
