"""One account's past as a rule asks for it: figures and traits of a day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from alerts.domain.contracts import mrr_by_day
from alerts.domain.past import Floats, Past, trend
from common.catalogue.signal_figures import SIGNAL_FIGURES
from common.figures.mrr import Change

ANSWER_IS_VALID_FOR_DAYS = 180
_OF_THE_SEGMENT = frozenset({"segment_login_trend", "login_trend_vs_segment"})
# What a replay by days can't say.
NOT_REPLAYED = frozenset(
    {
        "last_activity_at",
        "age_days",
        "days_to_renewal",
        "days_to_notice",
        "health",
        "health_band",
        "renewals_kept",
    }
    | {"mrr_change_365d", "renewal_risk"}
    | SIGNAL_FIGURES.keys()
)


@dataclass(frozen=True, slots=True)
class TraitDays:
    """An account's traits by day: each entry holds from its day on."""

    stretches: Sequence[tuple[int, Mapping[str, Any]]]

    @staticmethod
    def of(history: Sequence[tuple[datetime, str, Any]], ends: Sequence[datetime]) -> "TraitDays":
        """`history` in order within each name; what was said at the very end of a day is of the next."""
        at_days = np.searchsorted(
            np.array([end.timestamp() for end in ends]), [at.timestamp() for at, _, _ in history], "right"
        )
        found: list[tuple[int, Mapping[str, Any]]] = [(0, {})]
        traits: dict[str, Any] = {}
        for n in np.argsort(at_days, kind="stable").tolist():
            _, name, value = history[n]
            traits = {key: known for key, known in traits.items() if key != name}
            if value is not None:
                traits[name] = value
            found.append((int(at_days[n]), traits))
        return TraitDays(found)

    def on(self, day: int) -> Mapping[str, Any]:
        low, high = 0, len(self.stretches)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.stretches[middle][0] <= day else (low, middle)
        return self.stretches[low][1]

    def pieces(self, name: str, days: int) -> Iterator[tuple[Any, int, int]]:
        """Values of one trait with the days [from, to) that each held; unknown ones are left out."""
        for n, (start, traits) in enumerate(self.stretches):
            end = self.stretches[n + 1][0] if n + 1 < len(self.stretches) else days
            if start < min(end, days) and traits.get(name) is not None:
                yield traits[name], start, min(end, days)


@dataclass
class SegmentTrends:
    """How user-days moved in each segment, every account counted in the segment that it had on the day."""

    days: int
    _sums: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def add(self, past: Past, traits: TraitDays) -> None:
        recent, base = past.user_days()
        for segment, start, end in traits.pieces("segment", self.days):
            of = self._sums.setdefault(str(segment), (np.zeros(self.days), np.zeros(self.days)))
            of[0][start:end] += recent[start:end]
            of[1][start:end] += base[start:end]

    def of(self, traits: TraitDays) -> Floats:
        """Of the segment that an account had on each day; NaN without one."""
        found = np.full(self.days, np.nan)
        for segment, start, end in traits.pieces("segment", self.days):
            if str(segment) in self._sums:
                recent, base = self._sums[str(segment)]
                found[start:end] = trend(recent[start:end], base[start:end])
        return found


def needs_segments(names: frozenset[str]) -> bool:
    return bool(names & _OF_THE_SEGMENT)


@dataclass(frozen=True, slots=True)
class AccountDays:
    """What was true of an account on a day, by the figures that were asked for."""

    columns: Mapping[str, Sequence[float | int | None]]
    traits: TraitDays

    def on(self, day: int) -> tuple[dict[str, Any], Mapping[str, Any]]:
        traits = self.traits.on(day)
        figures: dict[str, Any] = {name: column[day] for name, column in self.columns.items()}
        figures["stage"], figures["segment"] = traits.get("stage"), traits.get("segment")
        return figures, traits


def account_days(
    past: Past,
    traits: TraitDays,
    changes: Sequence[Change],
    answers: Sequence[tuple[datetime, Decimal]],
    segments: SegmentTrends,
    ends: Sequence[datetime],
    names: frozenset[str],
) -> AccountDays:
    """The figures `names` and what they need, for every day."""
    columns = past.figures(names)
    if needs_segments(names):
        of_segment = segments.of(traits)
        columns["segment_login_trend"] = of_segment
        columns["login_trend_vs_segment"] = trend(*past.user_days()) - of_segment
    if "nps_latest" in names:
        columns["nps_latest"] = latest_answers(answers, ends)
    if "mrr" in names:
        columns["mrr"] = np.array(mrr_by_day(changes, ends), np.float64)
    return AccountDays(
        {name: [_number(value) for value in column.tolist()] for name, column in columns.items()}, traits
    )


def latest_answers(answers: Sequence[tuple[datetime, Decimal]], ends: Sequence[datetime]) -> Floats:
    """The latest score of the last 180 days, at the end of each; `answers` in order."""
    found = np.full(len(ends), np.nan)
    for at, score in answers:
        day = next((n for n, end in enumerate(ends) if at < end), len(ends))
        found[day : day + ANSWER_IS_VALID_FOR_DAYS] = float(score)
    return found


def _number(value: float) -> float | int | None:
    """Whole numbers as such, so that evidence reads as it does live."""
    if value != value:  # noqa: PLR0124 - NaN, at the price of a comparison
        return None
    return int(value) if value.is_integer() else value


def first_day(past: Past) -> int:
    """The first day on which anything was known of the account; beyond the last one when nothing ever was."""
    return int(past.events.known.min(initial=past.days))
