"""The words and shapes of people and success plans in the API reference."""

from typing import Any

from pydantic import BaseModel, Field

from api_gateway.http.reference import BAD, GONE, route


class PersonAnswer(BaseModel):
    person: str = Field(description="As events name them; an erased person goes by a token")
    traits: dict[str, Any] = Field(description="Such as `name`, `email`, `role`, as last said")
    internal: bool = Field(description="One of our own staff, who counts in no figure of use")
    last_active_on: str | None = Field(
        description="The last local day on which they did something; null: never"
    )
    active_days_28d: int


class PeoplePage(BaseModel):
    data: list[PersonAnswer]
    next_cursor: str | None


class PlanValue(BaseModel):
    at: str
    value: float


class PlanAnswer(BaseModel):
    """A customer's own goal as it was set last."""

    goal: str
    set_at: str
    measure: str | None
    baseline: float | None
    target: float | None
    due: str | None
    confirmed_by_customer: bool
    value: float | None = Field(description="The last that was told")
    progress: float | None = Field(
        description="(value - baseline) / (target - baseline); without a baseline it begins at 0"
    )
    values: list[PlanValue] = Field(description="All that were told, oldest first")


class PlansAnswer(BaseModel):
    data: list[PlanAnswer]


PEOPLE = route(
    "List the people at an account",
    "Who was active last comes first; people who never were come last, by id.",
    PeoplePage,
    BAD | GONE,
)
PLANS = route(
    "Show an account's success plans",
    "What the customer wants to reach, and how far it is.",
    PlansAnswer,
    GONE,
)
