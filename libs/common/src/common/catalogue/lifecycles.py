"""Steps that an entity goes through, such as a ticket that is opened and resolved, and what is made of them.

A step happens to an entity at the earliest of its events, in the order of (time, source, id). The state at an instant is
made of all events strictly before it; "within N days" is the half-open span of N times 24 hours after the start.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.catalogue.base import EventTypeName, Model, Name

StepName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
FIRST_SEEN = "first_seen"
"""The step of an account that no event declares: the first event of any type that was heard of it."""


class Step(Model):
    """Which events are a step. It is called `name`, or by the text at `name_from` (`data.milestone`)."""

    name: StepName | None = None
    name_from: str | None = None
    event_types: tuple[EventTypeName, ...] = Field(min_length=1)
    where: str | None = None
    """CEL over `event.type` and `event.data`; events for which it isn't true are no such step."""
    instant: str | None = None
    """Path of a date or time that says when it happens, such as `data.traits.contract_start`. Only events that name it
    are the step; the last one said stands, null takes it back."""
    new_case: bool = False
    """Each time it is taken a new case of the entity begins, to which what follows belongs: a survey that is sent again."""
    to_customer: bool = False
    """It is done to the person it names, such as a survey that is sent: what was done to our own people doesn't count."""
    keep: Literal["all", "earliest"] = "all"
    """`earliest`: only when each person took it first is kept, at no cost for the events after it; without labels or amount."""


class Windowed(Model):
    """With `window_days` it is about the local days that end `offset_days` before the bucket's end, not about the bucket."""

    window_days: int | None = Field(default=None, ge=1, le=3660)
    offset_days: int = Field(default=0, ge=0, le=3660)


class Entered(Windowed):
    """Entities that took `step` in the bucket for the first time; with `sum: amount` what they were worth by then."""

    type: Literal["entered"]
    measure: Name
    step: StepName
    sum: Literal["entities", "amount", "mean_amount"] = "entities"
    labelled: str | None = None
    """Only entities that had this label by then."""


class Duration(Windowed):
    """Time from the first known of `start` to the earliest of `end`, of the entities that started in the bucket.

    The quantile of the Kaplan-Meier curve: who hasn't arrived counts as waiting until now, and a quantile that the curve
    doesn't reach is unknown. Numerator: who arrived; denominator: who started. With `cohort: end`, of those that arrived
    in the bucket. `clock: business` counts the opening hours of the settings only.
    """

    type: Literal["duration"]
    measure: Name
    start: tuple[StepName, ...] = Field(min_length=1)
    end: tuple[StepName, ...] = Field(min_length=1)
    left: tuple[StepName, ...] = ()
    """Steps after which nobody waits any more: who took one before any end is censored there, not now."""
    quantile: float = Field(default=0.5, gt=0, lt=1)
    clock: Literal["calendar", "business"] = "calendar"
    cohort: Literal["start", "end"] = "start"
    min_n: int = Field(default=0, ge=0)


class Conversion(Windowed):
    """Entities that took a step of `end` within `within_days` of their start, over those whose start is as long ago.

    Of the entities that started in the bucket. Younger ones are `censored`. An end before the start is within.
    """

    type: Literal["conversion"]
    measure: Name
    start: tuple[StepName, ...] = Field(min_length=1)
    end: tuple[StepName, ...] = Field(min_length=1)
    within_days: int = Field(ge=1, le=3660)
    by_person: bool = False
    """Each person that an event of `start` names is a case of their own, and only their own `end` counts. Where it names
    nobody, the `end` of those that none names does."""
    min_n: int = Field(default=0, ge=0)


class Open(Model):
    """Entities that took one of `start` and none of `end`, just before the bucket's end; or their amounts by then."""

    type: Literal["open"]
    measure: Name
    start: tuple[StepName, ...] = Field(min_length=1)
    end: tuple[StepName, ...] = ()
    sum: Literal["entities", "amount"] = "entities"


class Share(Windowed):
    """Entities that took `step` in the bucket over those that took one of `among` in it, each by its first one."""

    type: Literal["share"]
    measure: Name
    step: StepName
    among: tuple[StepName, ...] = Field(min_length=1)
    min_n: int = Field(default=0, ge=0)


class Answers(Windowed):
    """Answers to surveys of one kind in the bucket: the share with a score of at least `at_least`, or their mean.

    Scores outside `lowest`..`highest` belong to another scale and don't count. Share: 95 % Wilson interval; mean: 95 % of
    the normal distribution.
    """

    type: Literal["answers"]
    survey_kind: Literal["nps", "csat", "ces"]
    value: Literal["share", "mean"]
    lowest: int
    highest: int
    at_least: int | None = None
    survey: str | None = None
    min_n: int = Field(default=20, ge=0)


class Committed(Model):
    """MRR just before the bucket's end without what is under notice by then."""

    type: Literal["committed"]
    measure: Name


class Renewal(Model):
    """What was renewed of the terms that were due in the bucket by their original date, over those that are decided.

    Capped at what was due. `low` and `high`: all open ones lost, all of them renewed; `censored` are open. `by: logo`: an
    account with terms due is kept when one of them was renewed, and lost when all of them were lost.
    """

    type: Literal["renewal"]
    measure: Name
    by: Literal["mrr", "logo"]


class Churn(Model):
    """MRR of accounts that had some at the bucket's start and have none at its end, over the MRR at its start.

    `involuntary`: whose last word on an invoice of `invoices` was a failure in the `within_days` days before they left, or,
    where a term lapsed, in the 30 days after its end. `avoidable`: whose reason isn't one of `unavoidable`, or isn't known.
    `coded`: with a reason, over all churned MRR. `due`: not churned, but the MRR with a term that ends in the bucket. An
    account leaves when its MRR falls to 0 for good; its reason is that of the cancellation that acts at that instant, else
    that of the account's closing then: while it still paid until then, or paid nothing since.
    """

    type: Literal["churn"]
    measure: Name
    of: Literal["involuntary", "avoidable", "coded", "due"]
    unavoidable: tuple[str, ...] = ()
    invoices: Name | None = None
    within_days: int = Field(default=60, ge=1, le=3660)


class Condition(Model):
    """At least `at_least` on the day: the `sum` of a measure over `window_days`, or its own window of so many days."""

    measure: Name
    window_days: int = Field(ge=1, le=366)
    agg: Literal["sum", "value"] = "sum"
    at_least: int = Field(ge=1)


class Qualified(Model):
    """Accounts that meet all conditions on the bucket's last day."""

    type: Literal["qualified"]
    conditions: tuple[Condition, ...] = Field(min_length=1)


SEATS = "seats"
"""The trait beside which subscriptions tell seats too."""


class Seats(Model):
    """People against seats, the number that the account's trait gives, of accounts that have one, and aren't closed, when the
    bucket's last day starts. Where the trait is `seats` and says none, it is the sum of those of the running subscriptions.

    `rate`: people in `window_days` over seats. `adopted`: accounts where the people of a window are at least half the seats in
    `in_windows` of the last `windows` windows. `used`: people in `window_days`, no account above its seats.
    """

    type: Literal["seats"]
    measure: Name
    of: Literal["rate", "adopted", "used"]
    trait: str = SEATS
    window_days: int = Field(ge=2, le=366)
    windows: int = Field(default=4, ge=1, le=52)
    in_windows: int = Field(default=3, ge=1, le=52)


class Silence(Model):
    """Accounts active in [t - 2N, t - N) and not since, over those active then; t is the end of the bucket's last day.

    N days: `gaps` times the account's usual gap, rounded up, at least `least_days`. The usual gap is the median between
    neighbouring active days of the 180 days before t.
    """

    type: Literal["silence"]
    measure: Name
    least_days: int = Field(default=14, ge=1, le=366)
    gaps: int = Field(default=3, ge=1, le=10)


class Coverage(Model):
    """Accounts with the step `step` within the interval of their engagement model, over accounts with an owner that aren't closed.

    Just before the bucket's end. The interval is that of the model which the trait `model` names, else of the default one.
    `weigh: mrr`: their MRR instead of their number. With `plans`, only accounts that also took one of `plan_steps` of that
    measure in the last `plan_days` days are covered.
    """

    type: Literal["coverage"]
    measure: Name
    step: StepName
    owner: str = "owner"
    model: str = "engagement_model"
    weigh: Literal["accounts", "mrr"] = "accounts"
    plans: Name | None = None
    plan_steps: tuple[StepName, ...] = ("progressed",)
    plan_days: int = Field(default=90, ge=1, le=3660)


class MovedOn(Model):
    """Entries into a step after which the next step was entered within `within_days`, over those at least as long ago.

    Of the entries in the bucket; each step of an entity by its first entry. Entries into a step of `last` don't count. With
    `step`, only entries into that one: where they stall.
    """

    type: Literal["moved_on"]
    measure: Name
    within_days: int = Field(ge=1, le=3660)
    step: str | None = None
    last: tuple[str, ...] = ()
    min_n: int = Field(default=0, ge=0)
