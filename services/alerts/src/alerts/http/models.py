"""What the routes take and give. Instants are RFC 3339 in UTC, money is a decimal string."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from alerts.domain.cases import NoticeType
from alerts.domain.severity import Severity

Status = Literal["open", "acknowledged", "resolved"]
Comment = Annotated[str, Field(min_length=1, max_length=4_000)]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]
ReceiverKind = Literal["webhook", "email", "slack", "pagerduty"]
EVENT_TYPES = tuple(notice.value for notice in NoticeType)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ActedBy(Body):
    by: ShortText | None = Field(default=None, description="who acts; the key's name when absent")


class Acknowledge(ActedBy):
    comment: Comment | None = None


class Assign(ActedBy):
    assignee: ShortText | None = Field(description="null takes the case from everybody")


class Snooze(ActedBy):
    until: AwareDatetime


class CommentOn(ActedBy):
    comment: Comment


class CaseOutcome(ActedBy):
    outcome: Literal["saved", "lost", "won", "not_real"]
    real: bool | None = Field(
        default=None,
        description="was the risk real, whatever happened? null: nobody can say; `not_real` says false",
    )
    comment: Comment | None = None


class CaseVerdict(ActedBy):
    real: bool | None = Field(description="was the risk real? null takes back what was said")


class Expected(ActedBy):
    until: AwareDatetime = Field(description="quiet is expected until then")
    comment: Comment | None = None


class NewReceiver(Body):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    kind: ReceiverKind
    url: str | None = Field(
        default=None,
        max_length=2_000,
        description="of a webhook; of Slack and PagerDuty their base address, where it is another one",
    )
    to: str | None = Field(default=None, max_length=254, description="of an e-mail receiver")
    secret: str | None = Field(
        default=None,
        max_length=2_000,
        description="of a webhook: `whsec_` and base64 of 24 to 64 bytes, made for you when absent; of Slack: the address of an incoming "
        "webhook, or a bot's token; of PagerDuty: the routing key",
    )
    channel: ShortText | None = Field(default=None, description="where a Slack bot posts")
    person: ShortText | None = Field(
        default=None, description="who acts when a button of a notice is pressed"
    )
    events: tuple[Literal[EVENT_TYPES], ...] = Field(  # type: ignore[valid-type]
        default=(), max_length=20, description="types it wants; empty: those that ask for action"
    )
    min_severity: Severity = "info"

    @model_validator(mode="after")
    def _has_a_target(self) -> "NewReceiver":
        if (self.kind == "email") != (self.to is not None):
            raise ValueError("an e-mail receiver needs `to`, and no other kind takes it")
        if self.url is None if self.kind == "webhook" else self.kind == "email" and self.url is not None:
            raise ValueError("a webhook needs `url`, and an e-mail receiver takes none")
        if self.kind == "email" and self.secret is not None:
            raise ValueError("an e-mail receiver has no secret")
        if self.kind in ("slack", "pagerduty") and self.secret is None:
            raise ValueError(
                "Slack needs `secret`, the address of an incoming webhook or a bot's token; PagerDuty its routing key"
            )
        is_bot = self.kind == "slack" and not (self.secret or "").startswith(("http://", "https://"))
        if is_bot != (self.channel is not None):
            raise ValueError("a Slack bot's token needs `channel`, and nothing else takes it")
        return self


class NewSilence(ActedBy):
    account: str | None = Field(default=None, min_length=1, max_length=1_000)
    rule: str | None = Field(default=None, min_length=1, max_length=63)
    starts_at: AwareDatetime | None = Field(default=None, description="now when absent")
    ends_at: AwareDatetime
    comment: Comment

    @model_validator(mode="after")
    def _matches_something(self) -> "NewSilence":
        if self.account is None and self.rule is None:
            raise ValueError("name an account, a rule, or both")
        return self


class RuleView(BaseModel):
    name: str
    label: str
    description: str
    severity: Severity
    inputs: tuple[str, ...] = Field(
        description="figures it reads; one that is unknown makes the rule say no-data"
    )
    driven_by: tuple[str, ...] = Field(description="event types that can make it true; empty: time does")
    pending_seconds: float
    recover_seconds: float
    next_step: str
    mode: Literal["live", "shadow"] = Field(
        description="`shadow`: it watches and is recorded, and tells nobody"
    )
    queue: Literal["risk", "growth"]
    hard: bool = Field(description="its case is told at once, whatever the money and the deadline")
    definition: dict[str, Any] = Field(
        description="as in its file; changed, it is a `definition` for `POST /v1/rules/{name}/backtest`"
    )
    record: str | None = Field(
        description="`right in 14 of 20`; null until its record was made for the first time"
    )


class RuleList(BaseModel):
    data: list[RuleView]
    version: int | None = Field(description="version of the definitions in force")


class ReceiverView(BaseModel):
    name: str
    origin: Literal["file", "api"]
    kind: ReceiverKind
    target: str = Field(description="the address, without what might be a secret in it")
    channel: str | None
    person: str | None
    events: list[str]
    min_severity: Severity
    allow_private: bool
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    last_success_at: datetime | None


class NewReceiverView(ReceiverView):
    secret: str | None = Field(description="shown this once")


class RotatedSecret(BaseModel):
    name: str
    secret: str = Field(
        description="shown this once; the one before keeps signing beside it until the next rotation"
    )


class ReceiverList(BaseModel):
    data: list[ReceiverView]


class Queued(BaseModel):
    id: str = Field(description="of the notification; GET /v1/notifications/{id} says what came of it")


class SilenceView(BaseModel):
    id: str
    account: str | None
    rule: str | None
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    created_at: datetime


class SilenceList(BaseModel):
    data: list[SilenceView]


class AttemptView(BaseModel):
    number: int
    started_at: datetime
    finished_at: datetime
    outcome: Literal["delivered", "retry", "refused", "gone"]
    reason: str
    status_code: int | None


class NotificationView(BaseModel):
    id: str = Field(description="also the webhook-id, the same in every attempt")
    type: str
    receiver: str
    case_id: str | None
    status: Literal["pending", "delivered", "failed"]
    reason: str | None
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None


class NotificationDetail(NotificationView):
    body: str = Field(description="what is sent, without the links of its buttons")
    log: list[AttemptView]


class NotificationPage(BaseModel):
    data: list[NotificationView]
    next_cursor: str | None
