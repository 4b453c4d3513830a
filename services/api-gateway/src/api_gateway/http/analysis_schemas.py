"""What explanations look like, for the API reference."""

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
