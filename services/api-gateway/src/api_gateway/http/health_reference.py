"""The words and shapes of health in the API reference."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.http.reference import BAD, GONE, route


class RatingBody(BaseModel):
    """What you think of the account. `by` names you; by default it is the key."""

    model_config = ConfigDict(extra="forbid")

    band: str = Field(min_length=1, max_length=63, description="One of the bands of the account's profile")
    comment: str = Field(default="", max_length=2_000)
    by: str | None = Field(default=None, max_length=200)


class Rating(BaseModel):
    band: str
    comment: str
    rated_by: str
    rated_at: str
    score: float | None = Field(description="What was computed at that moment")
    computed: str | None = Field(description="The band that was computed at that moment")


class HealthInput(BaseModel):
    name: str
    label: str
    state: Literal["known", "stale", "missing"]
    weight: int = Field(description="Of 100, as the profile says")
    share: float = Field(description="Of 100, as counted once what is unknown was left out")
    value: float | None
    unit: Literal["number", "ratio"] = Field(description="How the value is read: a ratio of 0.31 as 31 %")
    points: float | None = Field(description="0 to 100")
    lost: float | None = Field(
        description="Points of the score that this input took: share x (100 - points) / 100"
    )


class HealthAnswer(BaseModel):
    """`score` is 100 less what the inputs lost, less `cut`. No data is no score and no band, never a healthy one."""

    account: str
    profile: str
    label: str
    score: float | None = Field(description="0 to 100")
    band: str | None
    healthy: bool
    known: int = Field(description="Weight of the inputs that are known, of 100")
    inputs: list[HealthInput]
    overrides: list[dict[str, Any]] = Field(
        description="Rules that held the score down: name, at_most, reason"
    )
    cut: float = Field(description="Points that the overrides took")
    worst: str | None = Field(description="The input that lost most")
    held_by_case: str | None = Field(
        description="The open case that keeps the account from a healthy band: a critical one, or one that people were told of at once"
    )
    definitions: int
    bands: list[dict[str, Any]]
    case: str | None
    ratings: list[Rating]
    disagrees: bool | None = Field(
        description="Whether the latest rating and the score differ on healthy or not"
    )
    children: dict[str, Any] | None = Field(
        description="Of the accounts below it by their trait `parent`, those below them too: their number, and their mean score weighted by MRR"
    )
    history: list[dict[str, Any]] = Field(
        description="Days on which it changed, the latest first, with the version that made it"
    )
    computed_at: str | None
    as_of: str | None


HEALTH = route(
    "Show an account's health",
    "The score with everything that made it, its history, what people think, and the mean of child accounts.",
    HealthAnswer,
    BAD | {404: "No such account, or no health of it is known yet"},
)
RATE = route(
    "Say what you think of an account's health",
    "Kept beside what is computed at this moment, so that later it can be told who was right.",
    Rating,
    BAD | GONE,
    201,
)
