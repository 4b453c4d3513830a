"""The words and shapes of the record of disagreements on health in the API reference."""

from typing import Literal

from pydantic import BaseModel, Field

from api_gateway.http.reference import NO_CATALOGUE, route


class Disagreement(BaseModel):
    account: str
    rated_at: str
    rated_by: str
    rating: str = Field(description="The band that the person gave")
    computed: str = Field(description="The band that was computed at that moment")
    score: float | None
    due_at: str | None = Field(
        description="The first renewal that was due after the rating; null where none is known"
    )
    outcome: Literal["renewed", "reduced", "lost"] | None = Field(
        description="What became of that renewal: 90 % of its MRR or more was kept, less, nothing; null while it is open"
    )
    right: Literal["person", "score"] | None = Field(
        description="Whom the outcome bore out: renewed is healthy, anything else is not"
    )


class DisagreementsAnswer(BaseModel):
    """An account and renewal counts once, by the first rating that disagreed. No share below 20 decided ones."""

    disagreements: int
    open: int
    person_right: int
    score_right: int
    person_right_share: float | None
    low: float | None = Field(description="Of an interval of 95 % (Wilson)")
    high: float | None
    data: list[Disagreement] = Field(description="The latest first")


DISAGREEMENTS = route(
    "Show where people and the score disagreed on health, and who was right",
    "Ratings that say healthy where the score did not, or the other way round, with what became of the account's next renewal.",
    DisagreementsAnswer,
    NO_CATALOGUE,
)
