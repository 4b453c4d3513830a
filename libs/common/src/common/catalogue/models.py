"""A catalogue as data: what is measured, how it becomes figures, which rules watch accounts and who is told.

Every model is frozen and refuses unknown fields, so that a misspelt key is a finding and not a silence.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from common.catalogue.alerting import Alerting, PlaybookStep
from common.catalogue.base import EventTypeName, Model, Name
from common.catalogue.derived import Derived
from common.catalogue.economics import (
    AtRisk,
    Attained,
    Benefit,
    Lifetime,
    NpsChange,
    NpsWave,
    Recorded,
    RelativeTrend,
    Repeated,
    RiskResolved,
    Unaided,
)
from common.catalogue.engagement import EngagementModel
from common.catalogue.health import HealthProfile
from common.catalogue.lifecycles import (
    Answers,
    Churn,
    Committed,
    Conversion,
    Coverage,
    Duration,
    Entered,
    MovedOn,
    Open,
    Qualified,
    Renewal,
    Seats,
    Share,
    Silence,
    Step,
)
from common.catalogue.people import OnCall, Team
from common.catalogue.risk import RiskReason, RiskSettings
from common.catalogue.scorecard import Benchmark, MetricBenchmark, Scorecard
from common.catalogue.segments import Segment
from common.catalogue.signals import Signal
from common.catalogue.tree import Driver, Goal, Tree

FieldKind = Literal["string", "number", "integer", "boolean", "money", "instant", "period", "object", "any"]
Aggregate = Literal["count", "sum", "distinct", "last", "active_accounts", "nps", "mrr", "steps"]
Grain = Literal["hour", "day"]
Severity = Literal["info", "warning", "critical"]


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Opening = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
"""Local hours of one day, such as `09:00-17:30`; `24:00` is the day's end."""


class BusinessHours(Model):
    """When the company works, in its own zone. A day that isn't named is closed."""

    days: dict[Weekday, tuple[Opening, ...]] = Field(default={})
    holidays: tuple[dt.date, ...] = ()


class Settings(Model):
    """How a tenant cuts time and names money. Buckets follow `timezone`, `week_start` and `fiscal_start_month`."""

    timezone: str = "UTC"
    week_start: Weekday = "monday"
    fiscal_start_month: int = Field(default=1, ge=1, le=12)
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    dimensions: tuple[str, ...] = ()
    """Account traits that can slice a figure before any account has them."""
    business_hours: BusinessHours = BusinessHours()
    holidays: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")], ...] = ()
    """Calendars of public holidays that most accounts keep, `DE` or `US-CA`; an account with the trait `country` keeps those of its own."""
    gross_margin: Decimal | None = Field(default=None, gt=0, le=1)
    """What is left of a fee after what it costs to serve it; metrics that need it are unknown without."""


class EventField(Model):
    type: FieldKind = "any"
    required: bool = False
    enum: tuple[str | int | float | bool, ...] | None = None
    min: float | None = None
    max: float | None = None


class EventType(Model):
    """One type of event. Fields that aren't declared are kept; types that aren't declared are accepted as activity."""

    name: EventTypeName
    description: str = ""
    activity: bool = True
    tenant_level: bool = False
    fields: dict[str, EventField] = Field(default={})


class Measure(Model):
    """A primitive aggregate per account and bucket, kept by the engine under `name` (and `<name>_<N>d` per window)."""

    name: Name
    description: str = ""
    agg: Aggregate
    event_types: tuple[str, ...] = ()
    """Types counted; `("*",)` is all of them. Alternatively `activity`: all types that are activity."""
    activity: bool = False
    field: str | None = None
    """Path into the event for sum, distinct and last, such as `data.amount`; distinct counts `data.user` by default."""
    scale: int = Field(default=0, ge=0, le=9)
    """A sum is kept as an integer of this many decimal digits."""
    where: str | None = None
    """CEL over `event.type` and `event.data`; events for which it isn't true don't count."""
    grain: Grain = "day"
    windows: tuple[int, ...] = ()
    exclude_internal: bool = True
    steps: tuple[Step, ...] = ()
    """For `agg: steps`: what happens to its entities, in the order in which it usually does."""
    entity: tuple[str, ...] = ()
    """Paths whose texts together name the entity within its account, `[data.ticket]`; none: the account itself."""
    amount: str | None = None
    """Path of a number that a step may carry, kept exactly: what the entity is worth from then on."""
    labels: tuple[str, ...] = ()
    """Fields of `data` whose texts are kept with a step. Figures made of these steps are sliced by them, not by traits of
    the same name: a deal counts with its own partner."""
    slices: dict[str, str] = Field(default={})
    """Other names of labels for slicing, such as `campaign: programme`."""

    @property
    def is_distinct(self) -> bool:
        return self.agg in ("distinct", "active_accounts")

    @property
    def rows(self) -> tuple[str, ...]:
        """The names under which the engine keeps this measure's figures."""
        if self.agg == "nps":
            return tuple(f"{self.name}_{part}" for part in ("promoters", "detractors", "answers"))
        if self.agg == "mrr":
            return ()
        if self.agg == "steps":
            return (f"{self.name}_steps",)
        return (self.name, *(f"{self.name}_{days}d" for days in self.windows))


class Term(Model):
    """One side of a ratio, on a day D.

    `sum`: of the measure over the `window_days` days that end `offset_days` before D.
    `value`: of the measure's own window of `window_days` days on D, such as distinct users of 28 days.
    """

    measure: Name
    window_days: int = Field(default=1, ge=1, le=3660)
    agg: Literal["sum", "value"] = "sum"
    offset_days: int = Field(default=0, ge=0, le=3660)
    divide_by: int = Field(default=1, ge=1)


class Simple(Model):
    """The sum of a measure over the bucket."""

    type: Literal["simple"]
    measure: Name


class Rolling(Model):
    """A measure over the `window_days` days that end with the bucket's last day, divided by `divide_by`."""

    type: Literal["rolling"]
    measure: Name
    window_days: int = Field(ge=1, le=3660)
    divide_by: int = Field(default=1, ge=1)


class Ratio(Model):
    """numerator / denominator on the bucket's last day, less 1 if `minus_one`; null when the denominator is 0 or under `min_base`."""

    type: Literal["ratio"]
    numerator: Term
    denominator: Term
    minus_one: bool = False
    min_base: int = Field(default=0, ge=0)


class Nps(Model):
    """Promoters less detractors, in points, over the answers valid on the bucket's last day; by respondent or by account."""

    type: Literal["nps"]
    measure: Name
    by: Literal["respondent", "account"] = "respondent"
    min_n: int = Field(default=20, ge=0)


class SemiAdditive(Model):
    """The state just before the bucket's end, summed over accounts; or the number of accounts that have any."""

    type: Literal["semi_additive"]
    measure: Name
    sum: Literal["value", "accounts"] = "value"


MovementKind = Literal[
    "nrr",
    "grr",
    "logo_churn",
    "logo_retention",
    "mrr_churn",
    "new",
    "reactivation",
    "expansion",
    "contraction",
    "churned",
    "transfer_in",
    "transfer_out",
    "net_new",
    "fx",
    "new_accounts",
]


class Movement(Model):
    """What became of accounts between the two ends of the bucket; with `months` in so many months before its end."""

    type: Literal["movement"]
    measure: Name
    movement: MovementKind
    months: int | None = Field(default=None, ge=1, le=120)


Formula = Annotated[
    Simple
    | Rolling
    | Ratio
    | Nps
    | SemiAdditive
    | Movement
    | Entered
    | Duration
    | Conversion
    | Open
    | Share
    | Answers
    | Derived
    | Committed
    | Renewal
    | Churn
    | Qualified
    | Seats
    | Silence
    | Coverage
    | MovedOn
    | Recorded
    | Unaided
    | Repeated
    | Attained
    | Benefit
    | Lifetime
    | AtRisk
    | RiskResolved
    | RelativeTrend
    | NpsChange
    | NpsWave,
    Field(discriminator="type"),
]


class Raci(Model):
    responsible: str
    accountable: str
    consulted: tuple[str, ...] = ()
    informed: tuple[str, ...] = ()


MONEY = ("money", "money_per_day")
"""Units of what is counted in the company's currency."""


class Metric(Model):
    name: Name
    label: str = Field(min_length=1)
    description: str = Field(min_length=1)
    unit: Literal[
        "count",
        "events",
        "users",
        "accounts",
        "logins",
        "logins_per_day",
        "ratio",
        "points",
        "money",
        "money_per_day",
        "days",
        "hours",
        "months",
        "score",
        "per_100",
        "fte",
        "per_fte",
    ]
    direction: Literal["higher", "lower"]
    kind: Literal[
        "simple", "ratio", "derived", "rolling", "conversion", "movement", "semi_additive", "duration"
    ]
    formula: Formula
    only: dict[str, tuple[str, ...]] = Field(default={})
    """Only accounts whose traits have one of these values count, such as `kind: [partner]`; like a filter of the question."""
    rollup: Literal["sum", "ratio", "cohort_recompute", "distribution_recompute", "last"]
    owner: str = Field(min_length=1)
    depends_on_teams: tuple[str, ...] = ()
    raci: Raci
    decision: str = Field(min_length=1)
    evidence: Literal["direct", "assumed"]
    control: Literal["own", "shared", "other"] | None = None
    cadence: Literal["live", "daily", "weekly", "monthly", "quarterly"]
    category: Literal["quantity", "quality", "efficiency"]
    stage: Literal["onboard", "adopt", "retain", "grow"]
    feasibility: str = Field(default="measured", pattern=r"^(measured|planned|proxy_of [a-z][a-z0-9_]*)$")
    benchmarks: tuple[Benchmark, ...] = ()
    settles_after: str = Field(pattern=r"^\d+ (hours|days)$")
    version: int = Field(ge=1)
    effective_from: dt.date

    @property
    def settles(self) -> dt.timedelta:
        amount, unit = self.settles_after.split()
        return dt.timedelta(hours=int(amount)) if unit == "hours" else dt.timedelta(days=int(amount))

    @property
    def is_money(self) -> bool:
        return self.unit in MONEY

    @property
    def proxy_of(self) -> str | None:
        return (
            self.feasibility.removeprefix("proxy_of ") if self.feasibility.startswith("proxy_of ") else None
        )


class Rule(Model):
    """A warning about one account: `condition` must hold for `pending_seconds` before it fires."""

    name: Name
    label: str = Field(min_length=1)
    description: str = Field(min_length=1)
    condition: str
    """CEL over `a`, the account's figures (`a.login_trend_vs_segment < -0.3`), `a.traits` and `s`, its signals (`s.use_fell.on`).
    What is unknown, stale or without data makes it not hold."""
    resolve: str | None = None
    """CEL; the opposite of `condition` by default."""
    applies_to: str | None = None
    """CEL; accounts for which it isn't true are left alone."""
    pending_seconds: int = Field(default=0, ge=0, le=31_536_000)
    severity: Severity
    evidence: str = Field(min_length=1)
    """What the person reads: text with `{figure}` placeholders."""
    next_step: str = Field(min_length=1)
    driven_by: tuple[EventTypeName, ...] = ()
    """Event types that can make it true; it opens only when one of the last 24 hours did. Empty: time passing makes it true."""
    recover_seconds: int = Field(default=3_600, ge=0, le=31_536_000)
    """How long it must be healthy again before it resolves, so that an account at the edge doesn't flap."""
    mode: Literal["live", "shadow"] = "live"
    """`shadow`: it watches and its accuracy is recorded, but it opens no case and tells nobody."""
    queue: Literal["risk", "growth"] = "risk"
    """Growth has cases of its own, which page nobody."""
    hard: bool = False
    """What leaves no time: its case is told at once, whatever the money and the deadline."""
    playbook: tuple[PlaybookStep, ...] = ()
    """What is to be done when it fires."""


class Receiver(Model):
    """`url` of Slack and PagerDuty: their base address, where it is another one. `channel`: where a Slack bot posts."""

    name: Name
    kind: Literal["webhook", "email", "slack", "pagerduty"]
    url: str | None = None
    to: str | None = None
    channel: str | None = None
    person: str | None = None
    """Who acts when a button of a notice is pressed; the mail address, or the receiver's name, when absent."""
    secret_env: str | None = None
    secret: str | None = None
    events: tuple[str, ...] = ()
    """Types of notification it wants; empty means those that ask for action (`docs/reference/alerts.md`), never `load.summary`."""
    allow_private: bool = False


class Match(Model):
    """What a case must be like for a route; an empty list accepts anything."""

    severity: tuple[Severity, ...] = ()
    owner: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()


class Route(Model):
    """The first route that matches decides, unless it says `and_on`; a route without `match` is the default."""

    receivers: tuple[str, ...] = ()
    owner: bool = False
    """Also the person who looks after the account, or who stands in for them (`people.yaml`)."""
    on_call: Name | None = None
    """Also whoever is on call in this rotation; a page that nobody acknowledges goes on from there (`on-call.yaml`)."""
    match: Match = Match()
    and_on: bool = False


class Routing(Model):
    receivers: tuple[Receiver, ...] = ()
    routes: tuple[Route, ...] = ()


class Catalogue(Model):
    """A whole, checked catalogue: the base pack with a tenant's overlay."""

    settings: Settings = Settings()
    event_types: dict[str, EventType] = Field(default={})
    measures: dict[str, Measure] = Field(default={})
    metrics: dict[str, Metric] = Field(default={})
    rules: dict[str, Rule] = Field(default={})
    routing: Routing = Routing()
    alerting: Alerting = Alerting()
    team: Team = Team()
    on_call: OnCall = OnCall()
    tree: Tree | None = None
    goals: dict[str, Goal] = Field(default={})
    drivers: dict[str, Driver] = Field(default={})
    segments: dict[str, Segment] = Field(default={})
    engagement_models: dict[str, EngagementModel] = Field(default={})
    scorecard: Scorecard | None = None
    benchmarks: dict[str, MetricBenchmark] = Field(default={})
    health: dict[str, HealthProfile] = Field(default={})
    signals: dict[str, Signal] = Field(default={})
    risk: dict[str, RiskReason] = Field(default={})
    risk_settings: RiskSettings = RiskSettings()
    version: int = 0
    """The version under which it was applied; 0 for files that weren't."""
    origins: dict[str, int] = Field(default={})
    """Measure -> the version that brought its definition, written by `apply`; its counts are kept under both."""

    def origin_of(self, measure: str) -> int:
        return self.origins.get(measure, 0)

    def row_origins(self) -> dict[str, int]:
        """The same for every name under which the engine keeps figures."""
        return {row: self.origin_of(name) for name, measure in self.measures.items() for row in measure.rows}

    def contact_intervals(self) -> tuple[dict[str, int], int]:
        """Days by what the trait says, and those of accounts where it names no engagement model."""
        models = self.engagement_models.values()
        days = {made.trait_value: made.contact_interval_days for made in models}
        return days, next(made.contact_interval_days for made in models if made.default)

    def benchmarks_of(self, metric: str) -> list[Benchmark]:
        """Those that the metric's own definition has, then those that stand by themselves."""
        own = self.metrics[metric].benchmarks if metric in self.metrics else ()
        return [*own, *(made for made in self.benchmarks.values() if made.metric == metric)]

    def is_activity(self, event_type: str) -> bool:
        """Unknown types are activity."""
        known = self.event_types.get(event_type)
        return known is None or known.activity

    def is_tenant_level(self, event_type: str) -> bool:
        known = self.event_types.get(event_type)
        return known is not None and known.tenant_level
