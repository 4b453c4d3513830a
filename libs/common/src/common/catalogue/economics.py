"""What customers are worth, cost and get: formulas over revenue, money spent, success plans and what the customer confirms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.catalogue.base import Model, Name
from common.catalogue.lifecycles import StepName, Windowed


class Recorded(Model):
    """What was told in the bucket, event by event: the sum of the amounts, or the number of events.

    `offset_days`: of the bucket moved back by so many local days. `period`: a label that names what an amount is for (`2026`,
    `2026-Q1`, `2026-03`, `2026-03-15`, or a first and a last day as `2026-03-01/2026-03-31`); such an amount is spread evenly
    over the local days of its period, and one without counts on the local day of its event.
    """

    type: Literal["recorded"]
    measure: Name
    step: StepName
    sum: Literal["events", "amount"] = "events"
    offset_days: int = Field(default=0, ge=0, le=3660)
    period: str | None = None
    labelled: str | None = None
    """Only events that have this label."""


class Unaided(Windowed):
    """Entities that took `step` in the bucket without having taken one of `without` by then, over all that took `step` in it."""

    type: Literal["unaided"]
    measure: Name
    step: StepName
    without: tuple[StepName, ...] = Field(min_length=1)
    min_n: int = Field(default=0, ge=0)


class Repeated(Model):
    """Accounts of which an entity took `step` in the bucket and another one had before it, over accounts of which one took it."""

    type: Literal["repeated"]
    measure: Name
    step: StepName
    min_n: int = Field(default=0, ge=0)


class Attained(Model):
    """Goals that were reached by their due date, over goals that were due in the bucket.

    A goal is as last set: due at the end of the local day that `due` names (or at the instant), measured by `value`. It is
    reached once a value told before it was due is at least `target`, or at most `target` where `target` lies below
    `baseline`. Goals without a due date or without numbers to compare don't count.
    """

    type: Literal["attained"]
    measure: Name
    set_step: StepName = "set"
    min_n: int = Field(default=0, ge=0)


class Benefit(Model):
    """The yearly benefit that customers confirmed, over what they put in: twelve times their MRR and their own effort a year.

    Of accounts whose last confirmation is at most `valid_days` old just before the bucket's end, and which pay. With
    `of: share`, such accounts over all that pay.
    """

    type: Literal["benefit"]
    measure: Name
    step: StepName
    mrr: Name = "mrr"
    effort: str = "customer_effort"
    of: Literal["roi", "share"] = "roi"
    valid_days: int = Field(default=365, ge=1, le=3660)


class Lifetime(Model):
    """What an account is worth over its life: MRR an account x gross margin x its life in months, just before the bucket's end.

    The life is 12 over the share of accounts that left in the 12 months before, by the value of the trait `by` that they had at
    the start of those; at most `cap_months`. Over several values: accounts weigh alike. Accounts where nobody of the same
    value was there 12 months ago have no known life and are left out (`censored`).
    """

    type: Literal["lifetime"]
    measure: Name
    by: str = "segment"
    cap_months: int = Field(default=60, ge=1, le=600)


class AtRisk(Model):
    """MRR of open renewals with a notice deadline (else a term end) in the bucket, times the probability of losing each.

    The probability is that of each renewal, as it is now; another figure than `renewal_risk` counts for all renewals of its account. Unknown as soon as one of them has none; `low` and
    `high` then take it for 0 and for 1, `censored` says how many have none.
    """

    type: Literal["at_risk"]
    measure: Name
    probability: str = "renewal_risk"


class RiskResolved(Model):
    """MRR that was no longer at risk `within_days` after it had become so, over all MRR that became so in the bucket.

    An account becomes at risk when its health enters one of the bands `at_risk` from another; what it is worth is its MRR just
    before. It is resolved when its terms due in that time were renewed at `renewed_share` or more of what was due, or when at
    the end of that time it has been in one of the bands `healthy` for `healthy_days`. Younger ones are `censored`. With `trait`,
    what that trait says takes the place of the bands: for a health that is judged elsewhere.
    """

    type: Literal["risk_resolved"]
    measure: Name
    trait: str | None = None
    at_risk: tuple[str, ...] = Field(min_length=1)
    healthy: tuple[str, ...] = Field(min_length=1)
    within_days: int = Field(default=90, ge=1, le=3660)
    healthy_days: int = Field(default=30, ge=1, le=3660)
    renewed_share: float = Field(default=0.9, gt=0, le=1)


class RelativeTrend(Model):
    """How a sum moved against its own past, less how it moved for all accounts with the same value of the trait `by`.

    The sum over `window_days` days over that of the `window_days` before, less 1: -30 % where the segment fell by 28 % is -0.02.
    Unknown under `min_base` in the base. Of several accounts each is compared with its own segment, weighed by its base.
    """

    type: Literal["relative_trend"]
    measure: Name
    by: str = "segment"
    window_days: int = Field(default=28, ge=1, le=366)
    min_base: int = Field(default=8, ge=1)


class NpsWave(Model):
    """Promoters less detractors, in points, over the relationship answers given in the bucket: of each wave of a survey everybody's latest.

    Grouped by `wave` and `survey`, which answers say themselves, it is the NPS of each wave.
    """

    type: Literal["nps_wave"]
    measure: Name
    min_n: int = Field(default=20, ge=0)


class NpsChange(Model):
    """NPS at the bucket's end less NPS at its start, of the people whose answer was valid at both, in points."""

    type: Literal["nps_change"]
    measure: Name
    min_n: int = Field(default=20, ge=0)
