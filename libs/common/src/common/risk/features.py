"""What a hazard model reads of an account's figures: the same arithmetic for the past that it learns from and for now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log1p
from typing import Any

Number = float | None


@dataclass(frozen=True, slots=True)
class Feature:
    """`of`: from the account's figure to the number that the model reads. `text` and `unknown` are what people read."""

    name: str
    figure: str
    of: Callable[[float], float]
    label: str
    text: str
    unknown: str

    def read(self, figures: Mapping[str, Any]) -> Number:
        value = figures.get(self.figure)
        if value is None:
            return None
        # Days on which nobody expects anybody are no silence.
        quiet = figures.get("quiet_days", 0) if self.figure == "days_silent" else 0
        return self.of(float(value) - quiet)


def _log(value: float) -> float:
    return log1p(max(value, 0.0))


def _share(value: float) -> float:
    return min(max(value, -1.0), 1.0)


FEATURES: tuple[Feature, ...] = (
    Feature("silence", "days_silent", _log, "Silence", "Nobody has been there for {days_silent:day}", "Nobody was ever seen"),
    Feature("trend", "login_trend", _share, "Use against its past", "Active use of 28 days against the 28 before: {login_trend:change}", "Too little use to compare with its past"),
    Feature("users", "active_users_28d", _log, "People", "{active_users_28d:visitor} came in 28 days", "Nobody knows how many people came"),
    Feature("complaints", "complaints_28d", _log, "Complaints", "{complaints_28d:complaint} in 28 days", "Complaints are not recorded"),
    Feature("nps", "nps_latest", float, "Latest NPS answer", "The latest NPS answer is {nps_latest}", "Nobody answered an NPS survey in 180 days"),
    Feature("size", "mrr", _log, "What it pays", "It pays {mrr} a month", "What it pays is not known"),
    Feature("growth", "mrr_change_365d", _share, "MRR in a year", "MRR is {mrr_change_365d:change} in a year", "No MRR a year ago to compare with"),
    Feature("tenure", "paying_days", lambda days: _log(days / 30), "How long it pays", "It has paid for {paying_days:day}", "Since when it pays is not known"),
    Feature("kept", "renewals_kept", lambda n: min(n, 5.0), "Renewed before", "{renewals_kept:term} renewed so far", "No terms are known"),
)  # fmt: skip


def term_of(months_to_due: int | None) -> str:
    """The part of the baseline that a month belongs to, by how many months on the term ends."""
    if months_to_due is None:
        return "no_term"
    return "due" if months_to_due <= 0 else "soon" if months_to_due <= 2 else "later"


TERMS = ("later", "soon", "due", "no_term")
