"""The share of renewals that is lost, by segment: few renewals of a segment are drawn towards the whole, few of all towards the prior.

Shrinkage is that of a beta prior worth so many renewals (an empirical Bayes estimate in its simplest form); the interval is
E. B. Wilson's of 1927 for a share of so many, prior included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import msgspec

from common.catalogue.risk import RiskSettings

_Z_95 = 1.959963984540054


class BaseRate(msgspec.Struct, frozen=True, gc=False):
    """`rate` with its interval; of `renewals` that were decided `lost` were lost, in `segment` (None: in the whole)."""

    rate: float
    low: float
    high: float
    renewals: int
    lost: int
    segment: str | None


@dataclass(frozen=True, slots=True)
class BaseRates:
    whole: BaseRate
    by_segment: Mapping[str, BaseRate]

    def of(self, segment: str | None) -> BaseRate:
        """That of the whole where nothing of the segment was decided."""
        return self.by_segment.get(segment or "", self.whole)


def base_rates(past: Mapping[str | None, tuple[int, int]], settings: RiskSettings) -> BaseRates:
    """`past`: segment -> renewals decided and lost. An account without a segment counts in the whole alone."""
    renewals, lost = (sum(counts[i] for counts in past.values()) for i in (0, 1))
    whole = _drawn(renewals, lost, settings.prior_lost, settings.prior_renewals, None)
    return BaseRates(
        whole,
        {
            segment: _drawn(*counts, whole.rate, settings.segment_renewals, segment)
            for segment, counts in past.items()
            if segment and counts[0]
        },
    )


def _drawn(renewals: int, lost: int, towards: float, weight: int, segment: str | None) -> BaseRate:
    n = renewals + weight
    rate = (lost + weight * towards) / n
    z2 = _Z_95 * _Z_95
    centre, half = rate + z2 / (2 * n), _Z_95 * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return BaseRate(
        rate, (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n), renewals, lost, segment
    )


def in_words(rate: BaseRate, past_days: int) -> str:
    years = f"{past_days / 365:.3g} years"
    share, interval = f"{rate.rate:.0%}", f"{rate.low:.0%} to {rate.high:.0%}"
    if rate.renewals == 0:
        return f"No renewal of yours is decided yet; {share} lost is assumed ({interval})"
    whose = f"in segment {rate.segment}" if rate.segment else "in all"
    were = "was" if rate.lost == 1 else "were"
    return f"{rate.lost} of {rate.renewals} renewals due in the last {years} {whose} {were} lost; taken as {share} ({interval})"
