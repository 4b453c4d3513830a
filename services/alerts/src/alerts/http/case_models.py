"""Cases as the routes show them. Instants are RFC 3339 in UTC, money is a decimal string in the currency of the settings."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from alerts.domain.severity import Severity
from alerts.http.models import ActedBy, Comment, ShortText, Status

# Days that calendars can be asked about, with room on both sides.
Day = Annotated[dt.date, Field(ge=dt.date(2000, 1, 1), le=dt.date(2200, 1, 1))]
Phase = Literal["pending", "firing", "flapping", "no-data", "recovering", "standing", "resolved", "withdrawn"]
Resolution = Literal["recovered", "withdrawn", "expected", "saved", "lost", "won", "not_real"]


class AlertView(BaseModel):
    id: str
    rule: str
    label: str
    severity: Severity
    phase: Phase = Field(description="in one word how it stands; `state` and `reason` are what is kept")
    state: Literal["pending", "firing", "standing", "resolved", "withdrawn"]
    reason: str = Field(description="why it is in this state")
    since_at: dt.datetime = Field(description="since when the condition is true")
    fired_at: dt.datetime | None
    recovering_since: dt.datetime | None
    no_data_since: dt.datetime | None = Field(
        description="figures of the rule are unknown since then; neither healthy nor firing"
    )
    ended_at: dt.datetime | None
    evidence: str = Field(description="what was said when it fired")
    evidence_now: str | None = Field(
        description="the same words with the account's present figures, while it goes on and they are known"
    )
    figures: dict[str, Any] = Field(description="as they were when it fired")
    figures_now: dict[str, Any] | None


class StepView(BaseModel):
    id: str
    label: str
    source: Literal["rule", "engagement-model"]
    source_name: str
    owner_role: str
    owner: str | None
    due_on: dt.date = Field(description="the last day, in the company's zone")
    status: Literal["todo", "done", "skipped"]
    overdue: bool
    note: str | None
    ended_at: dt.datetime | None
    ended_by: str | None


class RelativeView(BaseModel):
    """Another open case of the same family of accounts."""

    case_id: str
    account: str
    severity: Severity
    money_at_risk: Decimal | None


class CaseView(BaseModel):
    """One case: what an account's alerts add up to."""

    id: str
    status: Status
    phase: Phase = Field(description="how its alerts stand, the gravest first")
    queue: Literal["risk", "growth"]
    origin: Literal["live", "load"]
    severity: Severity
    account: str
    account_name: str | None
    owner: str | None
    segment: str | None
    mrr: Decimal | None
    opened_at: dt.datetime
    updated_at: dt.datetime
    acknowledged_at: dt.datetime | None
    acknowledged_by: str | None
    lapsed_at: dt.datetime | None = Field(
        description="since when it is open again, because nobody touched it after it was acknowledged"
    )
    assignee: str | None
    responsible: str | None = Field(description="the assignee, else the account's owner")
    stand_in: str | None = Field(description="who acts for them while they are away")
    away_until: dt.date | None = Field(
        description="the last day on which `responsible` is away, by their clock"
    )
    snoozed_until: dt.datetime | None
    recovered_at: dt.datetime | None
    due_at: dt.datetime | None = Field(
        description="when the clock acts: an acknowledged case is open again then, one that recovered is closed"
    )
    resolved_at: dt.datetime | None
    resolution: Resolution | None
    real: bool | None = Field(
        description="whether people say that the risk was real, apart from what happened"
    )
    probability: Decimal | None = Field(
        description="of losing the account, 0 to 1; with several open renewals, of losing a unit of what they are worth"
    )
    probability_from: Literal["renewal-risk", "severity"] | None = Field(
        description="`severity`: assumed by the gravest rule, because no renewal risk is known"
    )
    money_at_risk: Decimal | None = Field(
        description="a year: 12 x the sum of `at_risk` of the open renewals of `GET /v1/renewals`, else 12 x MRR x probability; null while MRR is unknown"
    )
    notice_deadline: dt.datetime | None
    priority: Decimal = Field(description="money at risk, up to doubled by a near notice deadline")
    paging: str = Field(description="why it is told at once, or waits in the work queue")
    paged_at: dt.datetime | None
    held: str | None = Field(description="what keeps news of it back, or told people already")
    held_until: dt.datetime | None = Field(
        description="when the snooze, the silence or the mute time that holds news back ends"
    )
    held_by: str | None = Field(description="the comment of that silence, or the name of that mute time")
    parent: str | None
    family: str | None = Field(description="the topmost account above its account")
    relatives: list[RelativeView]
    family_money_at_risk: Decimal | None = Field(description="of all the family's open cases of this queue")
    steps_todo: int
    steps_overdue: int
    alerts: list[AlertView]


class ActionView(BaseModel):
    at: dt.datetime
    kind: str
    actor: str
    detail: dict[str, Any]


class PageView(BaseModel):
    """A step of paging a rotation."""

    rotation: str
    step: int
    person: str | None = Field(description="null: the default receivers")
    paged_at: dt.datetime
    due_at: dt.datetime | None
    ended: str | None


class SuppressionView(BaseModel):
    """What was judged not real opens nothing until then, unless it gets materially worse."""

    rule: str
    judged_at: dt.datetime
    until: dt.datetime


class CaseDetail(CaseView):
    suppressions: list[SuppressionView]
    steps: list[StepView]
    pages: list[PageView]
    actions: list[ActionView]


class CasePage(BaseModel):
    data: list[CaseView]
    next_cursor: str | None


class EndStep(ActedBy):
    status: Literal["todo", "done", "skipped"]
    note: Comment | None = None
    owner: ShortText | None = Field(default=None, description="who does it from now on")
    due_on: Day | None = Field(default=None, description="until when, from now on")
