"""What moves between the use cases and the stores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from alerts.domain.cases import AlertFact, NoticeType
from alerts.domain.episodes import Episode
from alerts.domain.on_call import Rotation
from alerts.domain.people import Team
from alerts.domain.routing import Route, Target
from alerts.domain.rules import Rule
from alerts.domain.severity import Severity
from alerts.domain.terms import Terms
from common.tracking.reads import Reads


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the engine last computed it."""

    account_id: int
    tenant_id: int
    name: str
    traits: Mapping[str, Any]
    figures: Mapping[str, Any]
    mrr: Decimal | None
    newest_ingest_at: datetime | None
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class Watch:
    """What was last evaluated of an account; `evaluated_at` is None before the first time."""

    account_id: int
    evaluated_at: datetime | None = None
    ingest_at: datetime | None = None
    expected_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of one rule on one account, with the evidence as it was when it last fired."""

    id: str
    tenant_id: int
    account_id: int
    rule: str
    label: str
    severity: Severity
    episode: Episode
    evidence: str
    figures: Mapping[str, Any]
    case_id: str | None = None
    is_shadow: bool = False
    """Of a rule that only watches: never part of a case."""

    @property
    def fact(self) -> AlertFact:
        return AlertFact(self.rule, self.episode.state, self.severity)


@dataclass(frozen=True, slots=True)
class ArrivalQuestion:
    """Asks what arrived for an account since `after` (ingest stamp) and was stored since `stored_since`, split at `fired_at` when the alert
    had fired."""

    account_id: int
    rule: str
    driven_by: tuple[str, ...]
    after: datetime
    stored_since: datetime
    fired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contacts:
    """Which steps of the measure `contacts` count: those of its definition in force, told from others by `origin`. `by_us`: what our own
    people did counts too."""

    origin: int
    by_us: bool


@dataclass(frozen=True, slots=True)
class Definitions:
    """A tenant's rules and routes in force. `version` tells one set from the next."""

    tenant_id: int
    version: int
    rules: Mapping[str, Rule]
    routes: tuple[Route, ...]
    currency: str
    terms: Terms = field(default_factory=Terms)
    team: Team = field(default_factory=Team)
    rotations: Mapping[str, Rotation] = field(default_factory=dict)
    reads: Mapping[str, Reads] = field(default_factory=dict)
    """By rule, the event types that it rests on."""
    use: int | None = None
    """Which days of the measure `active_users` count: those of its definition in force, told from others by their origin."""
    contacts: Contacts | None = None
    """None, as `use`, where no measure counts them."""

    @property
    def own_receivers(self) -> frozenset[str]:
        """Those that stand for something else than "every case": of people, behind a rotation, of the heartbeat."""
        defaults = {name for rotation in self.rotations.values() for name in rotation.default}
        beat = self.terms.heartbeat
        return self.team.receivers | defaults | ({beat.receiver} if beat is not None else set())


@dataclass(frozen=True, slots=True)
class Notification:
    """A row of the outbox. `id` is the webhook-id: the same however often it is tried, and when the notice is made again after a restore.

    A notice about a case gets its id when it is written, from what it is about (`domain/identities.py`); so does one with an `occasion`, which
    says what tells it from others of its type. Any other keeps the id it was made with.
    """

    id: str
    tenant_id: int
    receiver_id: int
    case_id: str | None
    type: NoticeType
    body: str
    created_at: datetime
    occasion: str = ""


@dataclass(frozen=True, slots=True)
class Hearers:
    """A tenant's receivers as routing needs them."""

    targets: tuple[Target, ...]
