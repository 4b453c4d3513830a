"""The words and shapes of signals in the API reference."""

from typing import Literal

from pydantic import BaseModel, Field

from api_gateway.http.reference import BAD, route


class SignalState(BaseModel):
    """One tested statement. `stale` and `no-data` say nothing of the account: neither that it is in danger nor that it is well."""

    name: str
    label: str
    description: str
    queue: Literal["risk", "growth"]
    state: Literal["on", "off", "stale", "no-data"]
    value: float | None = Field(description="What was found")
    baseline: float | None = Field(description="What it is compared with")
    unusual: float | None = Field(
        description="How likely something at least as far from the baseline is by chance; worked out where the value is far from it"
    )
    last_year: float | None = Field(
        description="How the same weeks of last year were against the weeks before them, where that was asked and is known: 0.6 is 40 % down; of silence, its days by then"
    )
    since: str | None = Field(description="When it went on: an instant, or a local day")
    why: str | None = Field(
        description="Why it is neither on nor plainly off: never-seen, source-quiet, tracking-broken, too-little, unknown, closed, last-year (it moved alike a year ago)"
    )
    evidence: str | None = Field(description="In words, where it is on, or would be but for last year")
    rests_on: list[str] = Field(description="Kinds of data, such as measure.active_users or trait.seats")
    finished_days_only: bool = Field(
        description="Whether it moves at local midnight, not with events of today"
    )


class SignalsAnswer(BaseModel):
    account: str
    signals: list[SignalState] = Field(
        description="Those that are on first, then stale ones, then without data"
    )
    computed_at: str | None
    as_of: str | None


SIGNALS = route(
    "Show an account's signals",
    "Each tested statement about the account against its own past, its segment and its calendar: whether it is on, its value, its "
    "baseline, how unusual that is, and since when.",
    SignalsAnswer,
    BAD | {404: "No such account"},
)
