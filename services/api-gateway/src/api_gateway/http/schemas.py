"""What answers look like, for the API reference. Answers are built from records; a test compares them with these."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.catalogue.engagement import EngagementModel
from common.catalogue.segments import Segment
from common.catalogue.tree import Driver


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Anything(BaseModel):
    """An object whose members another document describes."""

    model_config = ConfigDict(extra="allow")


class ProblemError(BaseModel):
    pointer: str
    detail: str
    code: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `message` says what happened, why, and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(examples=["account-unknown"])
    message: str
    detail: str
    request_id: str
    errors: list[ProblemError] | None = None


class CaseSummary(_Shape):
    """The account's open case: one at most."""

    id: str
    severity: Literal["info", "warning", "critical"]
    status: Literal["open", "acknowledged"]
    summary: str = Field(description="What its signals say, the gravest first")
    opened_at: str = Field(json_schema_extra={"format": "date-time"})


class Account(_Shape):
    id: str = Field(
        description="The account's id in your systems: the `subject` of its events", examples=["acme"]
    )
    name: str = Field(description="The trait `name`, else the id", examples=["Acme Ltd"])
    segment: Any = Field(examples=["mid-market"])
    plan: Any = None
    owner: Any = Field(None, description="The person who looks after the account")
    stage: Any = None
    renewal_at: Any = None
    notice_deadline: Any = Field(
        None, description="The last day to say no to the renewal: the date that matters"
    )
    mrr: str | None = Field(
        description="Monthly recurring revenue now, as decimal text; null where some of it is in a currency without any rate",
        examples=["1200.00"],
    )
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    first_event_at: str | None
    last_event_at: str | None
    last_activity_at: str | None = Field(description="Time of the last event that counts as activity")
    case: CaseSummary | None
    figures: dict[str, Any] = Field(
        description="Current figures; unknown is null",
        examples=[{"active_users_28d": 14, "login_trend": -0.31, "complaints_7d": 2, "days_silent": 3}],
    )
    held_by_case: str | None = Field(
        description="The open case that keeps `health` and `health_band` of the figures below the healthy bands"
    )
    traits: dict[str, Any]
    computed_at: str | None = Field(description="When the figures were last computed")
    as_of: str | None = Field(description="All events that arrived until then are in the figures")


class AccountsPage(_Shape):
    data: list[Account]
    next_cursor: str | None


class Subscription(_Shape):
    subscription: str
    change: Literal["started", "changed", "renewed", "cancelled"] = Field(description="Its last change")
    effective_at: str
    mrr: str | None
    currency: str | None
    product: str | None
    seats: float | None = Field(description="For how many; they count where the trait seats says none")
    term_end: str | None
    notice_deadline: str | None
    reason: str | None


class Event(_Shape):
    id: str | None
    source: str | None
    type: str = Field(examples=["feature.used"])
    time: str = Field(description="When it happened")
    ingested_at: str = Field(description="When it reached us; of an amended event, when it was corrected")
    data: Any
    amended: "Amended | None" = Field(None, description="Set where it is not the event as it came")


class Amended(_Shape):
    at: str
    reason: str
    received: dict[str, Any] = Field(description="The CloudEvent as it came first")


class AccountPage(Account):
    subscriptions: list[Subscription]
    last_events: list[Event]


class EventsPage(_Shape):
    data: list[Event]
    next_cursor: str | None


class CountsAs(_Shape):
    part: str = Field(examples=["numerator"])
    measure: str | None = Field(description="The measure that counts it")
    step: str | None = Field(description="The step of a lifecycle that it is")


class CountedEvent(Event):
    counts_as: list[CountsAs]


class BehindPage(_Shape):
    data: list[CountedEvent]
    next_cursor: str | None
    kept_from: str | None = Field(
        description="Events that arrived before it were deleted for their age and are missing here; null: all are kept"
    )


class TraitValue(_Shape):
    name: str
    value: Any
    at: str = Field(description="From when on: the time of the event")
    until: str | None = Field(description="When another value was said; null while it stands")
    source: str = Field(description="With `event_id` the event that said it")
    event_id: str


class TraitsPage(_Shape):
    data: list[TraitValue]
    next_cursor: str | None


class Moment(BaseModel):
    at: str
    kind: Literal["event", "case"]
    type: str = Field(
        description="The event's type; for a case: opened, acknowledged, resolved, signal, signal_ended"
    )
    text: str
    event: Event | None = None
    case: dict[str, Any] | None = None


class Timeline(_Shape):
    data: list[Moment]
    next_cursor: str | None


class Figure(BaseModel):
    """One figure. Ratios lie between 0 and 1 in full precision; money is decimal text; unknown is null, never 0."""

    metric: str = Field(examples=["active_users_28d"])
    group: dict[str, Any] = Field(examples=[{"segment": "mid-market"}])
    bucket: str = Field(description="Its local start with offset", examples=["2026-03-01T00:00:00+01:00"])
    start: str
    end: str
    value: int | float | str | None
    numerator: int | float | str | None
    denominator: int | float | str | None
    low: float | None
    high: float | None
    n: int | None = Field(description="How many cases it is made of")
    low_n: bool = Field(description="Made of fewer cases than the metric asks for")
    censored: int
    compare_value: int | float | str | None
    unit: str
    currency: str | None
    as_of: str | None = Field(description="All events that arrived until then are in it")
    complete: bool = Field(description="The bucket is over and has settled")
    version: int
    proxy_of: str | None
    accounts: int | None
    behind: str = Field(
        description="An address that lists what is behind the figure: accounts, of an account the events that count"
    )
    reason: str | None = Field(
        None, description="Why the value is unknown, where that isn't just that there is nothing"
    )
    per_account: int | float | str | None = Field(
        None,
        description="Where a comparison must not lead: by paying account of the group at the range's end",
    )
    compare_per_account: int | float | str | None = None


class PayingAccounts(_Shape):
    now: int
    compared: int


class FiguresPage(_Shape):
    data: list[Figure]
    next_cursor: str | None
    definitions: int = Field(description="The version of the definitions that made the figures")
    compare_leads: bool | None = Field(
        None,
        description="With `compare`: false when paying accounts changed by 40 % or more, so that the comparison shows that",
    )
    compare_reason: str | None = None
    paying_accounts: PayingAccounts | None = None
    lead_with: dict[str, Literal["target", "per_account"] | None] | None = Field(
        None, description="By metric what leads where the comparison must not; null where nothing does"
    )


class QueryBody(BaseModel):
    """A question. `from` and `to` are dates (the tenant's local midnight) or instants with offset; `to` is exclusive."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "metrics": ["events", "active_users_28d"],
                    "from": "2026-03-01",
                    "to": "2026-04-01",
                    "grain": "day",
                    "group_by": ["segment"],
                    "filter": {"plan": ["pro"]},
                }
            ]
        },
    )

    metrics: list[str] = Field(min_length=1, max_length=50)
    from_: str = Field(alias="from")
    to: str
    grain: Literal["hour", "day", "week", "month", "quarter", "year", "total"] = "day"
    group_by: list[str] = []
    filter: dict[str, list[Any]] = {}
    segments: list[str] = Field([], description="Names of segments: only accounts in all of them")
    accounts: list[str] | None = None
    compare: Literal["previous_period", "previous_year"] | None = None
    contributing: bool = Field(False, description="Only rows that have anything behind them")
    slice_at: Literal["start", "end"] = Field(
        "start", description="`end`: every account counts all along in the slice it is in at the range's end"
    )
    definitions: int | None = Field(
        None,
        ge=1,
        description="An earlier version of the definitions to answer by; the one in force by default",
    )
    cursor: str | None = None
    limit: int = Field(1_000, ge=1, le=10_000)


class Counting(BaseModel):
    version: int
    share: float = Field(description="Of the past that is counted, 0 to 1")
    metrics: list[str] = Field(description="Those that are new or changed in it")


class MetricsPage(BaseModel):
    data: list[dict[str, Any]]
    settings: dict[str, Any]
    definitions: int = Field(description="The version in force")
    counting: Counting | None = Field(description="The next version, while it is being counted for the past")


class KpiAnswer(BaseModel):
    name: str
    label: str
    unit: str
    direction: Literal["higher", "lower"]
    category: Literal["quantity", "quality", "efficiency"]
    stage: Literal["onboard", "adopt", "retain", "grow"]
    owner: str
    cadence: str
    benchmarks: list[dict[str, Any]]
    drivers: list[str] = Field(description="Names of the edges that end here")


class KpiInTree(KpiAnswer):
    beside: list[str] = Field(description="Metrics that are read with it")


class GoalAnswer(_Shape):
    name: str
    label: str
    serves: str | None = Field(description="The goal above it; null: the mission")
    kpis: list[KpiInTree]


class TreeAnswer(_Shape):
    mission: str | None
    goals: list[GoalAnswer]
    drivers: list[Driver]


class SegmentsAnswer(_Shape):
    data: list[Segment]


class EngagementModelsAnswer(_Shape):
    data: list[EngagementModel]


class NorthStarAnswer(_Shape):
    volume: KpiAnswer
    efficiency: KpiAnswer


class ScorecardAnswer(_Shape):
    north_star: NorthStarAnswer | None
    kpis: list[KpiAnswer]


class SessionAnswer(BaseModel):
    tenant: str
    scope: Literal["read", "act", "admin"]
    key: str = Field(description="The key's name")
    expires_at: str | None = None


class Load(_Shape):
    id: str
    description: str
    started_at: str
    heartbeat_at: str
    ended_at: str | None


class LoadsPage(_Shape):
    data: list[Load]


class Import(_Shape):
    id: str
    kind: Literal["accounts", "rates", "targets", "ranges"]
    file: str
    started_at: str
    ended_at: str | None = Field(description="None while it goes on, or when it was cut short")
    state: Literal["running", "ended", "interrupted"] = Field(
        description="interrupted: it was killed or gave up, and not everything may have been sent; the same command goes on"
    )
    imported_by: str
    dry_run: bool = Field(description="Only reported: nothing was sent or kept")
    counts: dict[str, int]


class ImportsPage(_Shape):
    data: list[Import]
    next_cursor: str | None


class ImportLine(_Shape):
    number: int
    finding: Literal["added", "changed", "missing", "refused", "kept"]
    line: int | None = Field(description="Of the file, where its row begins")
    subject: str | None = Field(description="An account, a currency or a metric")
    person: str | None
    field: str | None
    old: Any
    new: Any
    reason: str | None


class ImportReport(Import):
    data: list[ImportLine]
    next_cursor: str | None
