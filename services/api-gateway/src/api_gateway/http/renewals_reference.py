"""The words and shapes of renewals in the API reference."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api_gateway.http.reference import BAD, route


class RiskReason(BaseModel):
    reason: str
    label: str
    state: Literal["known", "unknown", "held"] = Field(
        description="`held`: known until `since`, and costs what it cost then"
    )
    points: float = Field(
        description="Added to the log-odds of losing the renewal: 10 points double the odds. They sum exactly to `points` of the risk"
    )
    text: str
    since: str | None = None


SETTLING = Field(
    description="History is being loaded, or was a moment ago: renewals, base rates and with them every probability still move"
)
NOW_COUNTS = Field(
    description="The share to which passing reasons count: less than 1 while the decision is more than half a year away (`fade` in risk.yaml)"
)


class RenewalAnswer(BaseModel):
    """An open renewal: a term that ends and is neither renewed nor cancelled nor overdue for 30 days."""

    account: str
    name: str
    owner: str | None
    segment: str | None
    subscription: str | None
    source: Literal["term", "trait"] = Field(description="`trait`: only the account's traits name a date")
    due_at: str = Field(description="The term's end, by its original date")
    notice_deadline: str | None
    decide_by: str = Field(description="The notice deadline, else the term's end")
    mrr: str | None = Field(
        description="What is due a month; null where it is in a currency without any exchange rate"
    )
    probability: float | None = Field(description="Of losing it, 0 to 1; null while it is not computed")
    at_risk: str | None = Field(description="MRR x probability, to the cent")
    now_counts: float = NOW_COUNTS
    method: Literal["score", "model"] | None
    version: int | None
    reasons: list[RiskReason]
    computed_at: str | None


class RenewalsPage(BaseModel):
    data: list[RenewalAnswer]
    settling: bool = SETTLING
    next_cursor: str | None


class RiskGroup(BaseModel):
    group: str | None = Field(description="First day of the fiscal quarter, owner or segment")
    renewals: int
    accounts: int
    mrr: str = Field(description="Without those whose `mrr` is null")
    at_risk: str = Field(description="The sum of `at_risk` of the list, to the cent")
    unknown: int = Field(description="Renewals without a probability or `mrr`, which `at_risk` leaves out")


class AtRiskAnswer(BaseModel):
    group_by: Literal["quarter", "owner", "segment"]
    currency: str
    data: list[RiskGroup]
    whole: dict[str, Any]
    settling: bool = SETTLING


class ModelAnswer(BaseModel):
    judges: Literal["score", "model"]
    allowed: bool = Field(description="Whether risk.yaml lets a model judge")
    latest_training: dict[str, Any] | None


class RenewalOfAccount(BaseModel):
    """A term that is or was due. Risk is of open ones alone."""

    subscription: str | None
    due_at: str
    notice_deadline: str | None
    decide_by: str
    mrr: str | None = Field(
        description="What is due a month; null where it is in a currency without any exchange rate"
    )
    renewed: str | None = Field(
        description="What was kept, 0.00 when it was lost, null while it is open and where `mrr` is null"
    )
    source: Literal["term", "trait"]
    outcome: Literal["open", "renewed", "lost"]
    probability: float | None
    at_risk: str | None
    now_counts: float | None
    reasons: list[RiskReason] | None


class RiskAnswer(BaseModel):
    """Of the open renewal that must be decided first, `subscription` due at `due_at`; `renewals` has those of all.

    `points` is the sum of those of the reasons; `probability` = 1 / (1 + 2 ^ (-points / 10)).
    """

    account: str
    subscription: str | None = None
    due_at: str | None = None
    probability: float
    method: Literal["score", "model"]
    version: int
    points: float
    reasons: list[RiskReason]
    known: int = Field(
        description="Reasons that could be judged, of `of`; what is unknown never lowers the risk"
    )
    of: int
    base: dict[str, Any] = Field(description="The share of past renewals that was lost, with its interval")
    now_counts: float = NOW_COUNTS
    settling: bool = SETTLING
    renewals: list[RenewalOfAccount] = Field(
        description="All of the account, the latest due first, with what became of them; open ones with their own risk"
    )
    history: list[dict[str, Any]] = Field(
        description="Days on which the probability changed, the latest first"
    )
    computed_at: str | None
    as_of: str | None


SORT = (
    "`at_risk`: the most money at risk first. `deadline`: what must be decided first. `probability`, `mrr`: the highest first. "
    "Renewals without a value come last."
)
RENEWALS = route(
    "List open renewals",
    "Each with its probability of being lost, the reasons, and the money at risk. Further filters by trait: `filter.plan=pro`.",
    RenewalsPage,
    BAD,
)
AT_RISK = route(
    "Sum the money at risk",
    "MRR x probability of open renewals by fiscal quarter of the notice deadline, by owner or by segment; the same filters as the list, whose sums these are.",
    AtRiskAnswer,
    BAD,
)
MODEL = route(
    "Show what judges renewals",
    "The score, or a hazard model that beat it on the latest renewals. `latest_training` has when the engine trained last, and what came of it: "
    "the model or why it was refused, and its trial against the score (Brier score, log loss, reliability, with intervals).",
    ModelAnswer,
    BAD,
)
RISK = route(
    "Show an account's renewal risk",
    "The probability that its next renewal is lost, with reasons that add up, all its renewals, open ones with their own probability and money, and the history of the probability.",
    RiskAnswer,
    BAD | {404: "No such account, or no renewal of it is open"},
)
