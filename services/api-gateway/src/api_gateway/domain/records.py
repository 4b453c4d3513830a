"""What the gateway reads, as data. Every row belongs to one tenant; instants are aware and in UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Standing:
    """What a tenant's figures follow from: equal `state`, equal figures. All that arrived until `as_of` is in them, None: not known."""

    state: str
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """The open case of an account, as its list row shows it."""

    id: str
    severity: str
    status: str
    summary: str
    opened_at: datetime
    is_paged: bool
    """Whether people were told of it at once."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as of `as_of`. `sort_key` is what the asked order compares, as exact text; `figures` as documented for the engine."""

    id: str
    account_id: int
    traits: Mapping[str, Any]
    figures: Mapping[str, Any]
    mrr: Decimal | None
    created_at: datetime
    first_event_at: datetime | None
    last_event_at: datetime | None
    last_activity_at: datetime | None
    computed_at: datetime | None
    as_of: datetime | None
    case: CaseSummary | None = None
    held_by_case: str | None = None
    """The grave case that keeps `figures` from a healthy band."""
    sort_key: str = ""
    signals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """As the engine wrote them; of accounts in a list they are left out."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One accepted event. `body` is the CloudEvent as it came, or as it was amended; `tie` orders events of one instant."""

    at: datetime
    ingested_at: datetime
    type: str
    body: str
    tie: int
    amended: "Amended | None" = None


@dataclass(frozen=True, slots=True)
class Amended:
    """That an event was corrected: when, why, and the CloudEvent as it came first."""

    at: datetime
    reason: str
    body: str


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A subscription as its last change left it."""

    subscription: str
    kind: str
    effective_at: datetime
    mrr: Decimal | None
    currency: str | None
    product: str | None
    term_end: datetime | None
    notice_deadline: datetime | None
    reason: str | None
    seats: Decimal | None


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case that changed, as it is now. `seq`: where its last change stands in the order of all changes of cases."""

    seq: int
    tenant_id: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CaseMoment:
    """Something that happened to a case: `kind` is one of opened, acknowledged, resolved, signal, signal_ended."""

    at: datetime
    case_id: str | None
    kind: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one batch changed for one tenant. Of the accounts the computed ones have new figures; those of the others follow."""

    partition: int
    batch_no: int
    tenant_id: int
    account_ids: Sequence[int]
    computed_ids: Sequence[int]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Load:
    """A load. Without `ended_at` it is open, or was left behind by a client that went away."""

    id: str
    description: str
    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class HealthDay:
    """The last health of a local day on which it changed; it stood until the next such day."""

    day: date
    score: float | None
    band: str | None
    profile: str
    definitions: int


@dataclass(frozen=True, slots=True)
class Rating:
    """What somebody thought of the account, and what was computed at that moment."""

    band: str
    comment: str
    rated_by: str
    rated_at: datetime
    score: float | None
    computed: str | None


@dataclass(frozen=True, slots=True)
class Child:
    """An account whose trait `parent` names the other one. `has_grave_case`: its health isn't shown as healthy."""

    id: str
    score: float | None
    band: str | None
    mrr: Decimal
    profile: str | None = None
    has_grave_case: bool = False
