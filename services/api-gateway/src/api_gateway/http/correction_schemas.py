"""What requests and answers about corrections look like."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Amendment(_Shape):
    """The corrected event, whole: its `subject`, `source` and `id` name the event that it replaces."""

    event: dict[str, Any]
    reason: str = Field(min_length=1, max_length=500)


class Deletion(_Shape):
    account: str | None = Field(
        None, max_length=256, description="The event's `subject`; none: the tenant's own"
    )
    source: str = Field(min_length=1, max_length=512)
    id: str = Field(min_length=1, max_length=256)
    reason: str = Field(min_length=1, max_length=500)


class Erasure(_Shape):
    person: str = Field(min_length=1, max_length=256, description="As events name the person in `data.user`")
    reason: str = Field(min_length=1, max_length=500)


class OpenBackfill(_Shape):
    description: str = Field("", max_length=500, examples=["orders of 2024 from the warehouse"])


class Retention(_Shape):
    """Days; null keeps for ever. A kind that is left out stays as it is."""

    raw_events: int | None = Field(None, ge=1, le=36_500)
    rejected: int | None = Field(None, ge=1, le=36_500)
    conflicts: int | None = Field(None, ge=1, le=36_500)
    revisions: int | None = Field(None, ge=1, le=36_500)


class Revision(_Shape):
    measure: str = Field(examples=["active_users_28d"])
    part: str | None = Field(
        description="The currency of recurring revenue (measure `mrr`, at the end of each day), the step of which it is the number "
        "of cases that took it first on the day (`..._steps`), or the score and the survey of which it is the number of answers "
        "(`answers.csat`, `.ces`, `.nps`)",
        examples=["EUR", "first_value", "5 onboarding"],
    )
    metrics: list[str] = Field(description="Metrics that read this measure")
    day: str = Field(description="The first local day whose figure changed")
    until: str = Field(description="The first one after it whose figure did not")
    before: str = Field(description="The whole tenant's figure on the first day")
    after: str
    why: Literal["late", "amendment", "deletion", "backfill", "revert", "internal"]
    entry: str | None = Field(description="The entry of the control log that did it")
    complete: bool = Field(description="The day was complete and not empty before")
    accounts: list[str] = Field(description="Whose events it was about, at most 100 of them")
    at: str


class RevisionsPage(_Shape):
    data: list[Revision]
    next_cursor: str | None


class Correction(_Shape):
    id: str
    kind: Literal["amendment", "deletion", "erasure", "backfill_closed", "backfill_reverted", "rebuild"]
    state: Literal["pending", "applied", "refused"]
    account: str | None
    source: str | None
    event_id: str | None
    token: str | None = Field(description="What stands in the place of an erased person")
    backfill: str | None
    reason: str
    created_by: str = Field(description="The key's id")
    created_at: str
    applied_at: str | None
    code: str | None = Field(description="Why it was refused")
    message: str | None
    counts: dict[str, int] = Field(description="How many events, rows and figures it touched")


class CorrectionWithFigures(Correction):
    changed: list[Revision] = Field(
        description="Figures that it changed, at most 1,000; `GET /v1/revisions?entry=` has all"
    )


class CorrectionsPage(_Shape):
    data: list[Correction]
    next_cursor: str | None


class Backfill(_Shape):
    id: str
    description: str
    state: Literal["open", "closed", "reverted"]
    opened_at: str
    closed_at: str | None
    reverted_at: str | None
    created_by: str
    staged_events: int = Field(description="Events that arrived for it and are applied to the staging table")
    close: Correction | None = Field(description="How far closing it is")
    revert: Correction | None


class BackfillWithFigures(Backfill):
    changed: list[Revision]


class BackfillsPage(_Shape):
    data: list[Backfill]


class RetentionAnswer(_Shape):
    raw_events: int | None
    rejected: int | None
    conflicts: int | None
    revisions: int | None
