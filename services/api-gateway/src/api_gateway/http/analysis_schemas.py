"""What explanations look like, for the API reference."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Amount = str
"""An exact decimal as text: amounts of one list add up to what they are parts of."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Period(_Shape):
    from_: str = Field(alias="from")
    to: str


class ChangeBody(_Shape):
    """Two periods: `from`, `to` and `compare`; or `earlier` and `later`. `to` is exclusive; dates or instants with offset."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"metric": "nrr", "from": "2026-03-01", "to": "2026-04-01", "compare": "previous_period"},
                {
                    "metric": "complaints",
                    "earlier": {"from": "2026-02-01", "to": "2026-03-01"},
                    "later": {"from": "2026-03-01", "to": "2026-04-01"},
                    "by": ["segment"],
                },
            ]
        },
    )

    metric: str
    from_: str | None = Field(None, alias="from")
    to: str | None = None
    compare: Literal["previous_period", "previous_year"] | None = None
    earlier: Period | None = None
    later: Period | None = None
    by: list[str] | None = Field(
        None, max_length=3, description="Traits whose shares make the mix; else the segment"
    )
    filter: dict[str, list[Any]] = {}
    accounts: list[str] | None = None
    segments: list[str] | None = Field(None, description="Saved filters; accounts in all of them count")
    limit: int = Field(10, ge=1, le=100, description="How many accounts are named; the rest is summed")


class MoversBody(ChangeBody):
    """As for an explanation; `by` is `account` or one trait."""

    by: str = "account"  # type: ignore[assignment]


class PeriodTold(BaseModel):
    """The figure of one period. `value` is as now known."""

    model_config = ConfigDict(extra="allow")
    from_: str = Field(alias="from")
    to: str
    value: Amount | None
    as_known_when_complete: Amount | None = Field(
        None, description="Of the earlier period: by the definition and the data of then"
    )
    version: int
    complete: bool
    as_of: str | None
    behind: str


class ChangePart(BaseModel):
    """`definition` (versions), `late_data` (events by type), `missing_data` (what fell silent), `mix` (slices), `inputs`."""

    model_config = ConfigDict(extra="allow")
    part: Literal["definition", "late_data", "missing_data", "mix", "inputs"]
    amount: Amount
    known: bool = Field(
        description="False: there is something, and what it did can't be told; then it is in a later part"
    )
    note: str | None


class Moved(BaseModel):
    model_config = ConfigDict(extra="allow")
    amount: Amount
    before: Amount | None
    after: Amount | None
    movement: str | None


class Rest(BaseModel):
    count: int
    amount: Amount


class Ranking(BaseModel):
    data: list[Moved]
    rest: Rest


class Annotation(_Shape):
    id: str
    from_: str = Field(alias="from")
    to: str
    kind: Literal["release", "price", "outage", "market", "holiday"]
    text: str
    author: str
    segments: list[str]
    accounts: list[str]
    created_at: str


class AnnotationsPage(_Shape):
    data: list[Annotation]
    next_cursor: str | None


class Explanation(_Shape):
    """`earlier.as_known_when_complete` plus the amounts of all parts is `later.value`, exactly."""

    metric: str
    label: str
    unit: str
    currency: str | None
    earlier: PeriodTold
    later: PeriodTold
    change: Amount | None = Field(description="Null where one of the figures is unknown")
    sentence: str
    parts: list[ChangePart]
    accounts: Ranking | None = Field(
        description="Null where the figure isn't made of accounts, or there are too many"
    )
    annotations: dict[str, list[Annotation]] = Field(description="Of the earlier and of the later period")


class Movers(_Shape):
    metric: str
    by: str
    earlier: PeriodTold
    later: PeriodTold
    movers: Ranking
    reason: str | None = Field(description="Why nobody is ranked: a figure that is unknown, and why it is")


class DecilesBody(_Shape):
    """Who leaves from `from` to `to`, by what the driver was in the `before_days` days before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"driver": "portal_logins", "from": "2026-03-01", "to": "2026-06-01"}]
        },
    )

    driver: str
    from_: str = Field(alias="from")
    to: str
    before_days: int = Field(28, ge=1, le=366)
    filter: dict[str, list[Any]] = {}
    accounts: list[str] | None = None
    segments: list[str] | None = Field(None, description="Saved filters; accounts in all of them count")


class Decile(_Shape):
    number: int = Field(description="1 has the lowest values")
    accounts: int
    left: int
    share: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None


class ByDecile(_Shape):
    driver: str
    churn: str = Field(description="The metric that says who left")
    before: Period
    period: Period
    deciles: list[Decile]
    accounts: int
    left: int
    chance: float | None = Field(
        description="That one who left had a lower value than one who stayed; 0.5 says nothing"
    )
    low: float | None
    high: float | None
    verdict: Literal["low_values_leave", "high_values_leave", "no_difference", "too_little_data"]
    without_value: int = Field(description="Accounts of which the driver was unknown")
    least: dict[str, int] = Field(description="Below these there is too little data")


class Interval(_Shape):
    value: float
    low: float
    high: float


class Lead(_Shape):
    value: int
    low: int
    high: int
    unit: Literal["weeks", "months"]


class Seen(BaseModel):
    state: Literal["holds", "opposite", "not_seen", "stopped", "too_little_data", "shared_events"]
    accounts: int
    periods: int
    moved: int = Field(description="Accounts whose figures ever moved otherwise than those of others")
    correlation: Interval | None = Field(description="Rank correlation of changes at the lead")
    p: float | None
    lead: Lead | None
    latest: Interval | None = Field(description="The same in the latest third of the periods")
    says: str
    warning: str | None
    held_until: date | None = Field(
        description="By the nightly looks: the first day after the latest periods by which it was found to hold"
    )
    stopped_at: datetime | None = Field(
        description="By the nightly looks: when it was found to hold no more, while that is so"
    )


class SegmentSeen(Seen):
    segment: str


class Edge(Seen):
    name: str
    driver: str
    moves: str
    effect: Literal["raises", "lowers"]
    lag_days: int = Field(description="How long the effect is believed to take")
    why: str
    owner: str
    team: str
    control: Literal["own", "shared", "other"]
    evidence: Literal["direct", "assumed"]
    grain: Literal["week", "month"]
    segments: list[SegmentSeen]


class Drivers(_Shape):
    data: list[Edge]
    by: str | None
    accounts: dict[str, int]
