"""What an account's invoices, success plans and tickets said at the end of every day, as the engine says it of now."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from alerts.domain.past import Booleans, Floats, Int64s
from common.contracts.instants import microseconds
from common.signals.said import (
    INVOICES,
    LEAST_TICKETS,
    PLANS,
    RECENT,
    STEPS_COUNT,
    TICKET_WAITS,
    TICKETS,
    Step,
    number_of,
)

OF_INVOICES = frozenset({"invoices_failed"})
OF_PLANS = frozenset({"plan_progress", "plan_expected", "days_since_plan_reached"})
OF_TICKETS = frozenset(
    {"tickets_28d", *(f"{name}_{part}" for name in TICKET_WAITS for part in ("hours", "usual"))}
)
_INSTANT = timedelta(microseconds=1)
# Bounds the memory that an account with many tickets takes.
_DAYS_AT_ONCE = 28
_HOUR = timedelta(hours=1) // _INSTANT
_NEVER = np.iinfo(np.int64).max


class Days(Protocol):
    """Local days by number, as `account_days.Calendar`."""

    @property
    def ends(self) -> Sequence[datetime]: ...
    def number(self, said: object) -> int | None: ...


def days_at(instants: Sequence[datetime], ends: Sequence[datetime]) -> Int64s:
    """The numbers of their days; what was said at the very end of a day is of the next."""
    return np.array([bisect_right(ends, at) for at in instants], np.int64)


def invoices_failed(steps: Sequence[Step], ends: Sequence[datetime]) -> Floats:
    """How many invoices were last told of as failed, within 90 days. `steps` in order."""
    found = np.zeros(len(ends))
    following: dict[str, int] = {}
    for one, day in zip(
        reversed(steps), days_at([its.at for its in steps], ends)[::-1].tolist(), strict=True
    ):
        until = min(
            bisect_right(ends, one.at + STEPS_COUNT[INVOICES] + _INSTANT),
            following.get(one.entity, len(ends)),
        )
        if one.step == "failed":
            found[day:until] += 1
        following[one.entity] = day
    return found


def plan_figures(steps: Sequence[Step], calendar: Days) -> dict[str, Floats]:
    """Of the plan that was set last. `steps` in order."""
    ends, instants = calendar.ends, [one.at for one in steps]
    found = {name: np.full(len(ends), np.nan) for name in OF_PLANS}
    known, plan = (0, 0), None
    for day in range(bisect_right(ends, instants[0]) if instants else len(ends), len(ends)):
        now = ends[day] - _INSTANT
        window = (bisect_left(instants, now - STEPS_COUNT[PLANS]), bisect_right(instants, now))
        if window != known:
            known, plan = window, _Plan.of(steps[slice(*window)], calendar)
        if plan is not None:
            found["plan_progress"][day] = plan.progress
            found["plan_expected"][day] = plan.expected(day)
            found["days_since_plan_reached"][day] = day - plan.reached
    return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """`reached`: on which day its target was reached first; NaN where it was not, as `due` without a date."""

    start: int
    due: float
    progress: float
    reached: float

    @staticmethod
    def of(steps: Sequence[Step], calendar: Days) -> "_Plan | None":
        last = next((one for one in reversed(steps) if one.step == "set"), None)
        target = number_of(last.labels.get("target")) if last is not None else None
        begin = (number_of(last.labels.get("baseline")) if last is not None else None) or 0.0
        if last is None or target is None or target == begin:
            return None
        mine = [one for one in steps if one.entity == last.entity]
        told = [(one.at, its) for one in mine if (its := number_of(one.labels.get("value"))) is not None]
        shares = [(at, (value - begin) / (target - begin)) for at, value in told]
        reached = [at for at, share in shares if share >= 1][:1]
        start = next(one.at for one in mine if one.step == "set")
        due = calendar.number(last.labels.get("due"))
        [started, *days] = days_at([start, *reached], calendar.ends).tolist()
        return _Plan(
            started,
            np.nan if due is None else due,
            shares[-1][1] if shares else 0.0,
            days[0] if days else np.nan,
        )

    def expected(self, day: int) -> float:
        length = self.due - self.start
        if length != length:  # noqa: PLR0124 - NaN, at the price of a comparison
            return np.nan
        return 1.0 if length <= 0 else min(max((day - self.start) / length, 0.0), 1.0)


def ticket_figures(steps: Sequence[Step], ends: Sequence[datetime]) -> dict[str, Floats]:
    """How many were opened in 28 days, and how long half of them waited, and of those before; one that waits still, until then."""
    found = {name: np.full(len(ends), np.nan) for name in OF_TICKETS} | {"tickets_28d": np.zeros(len(ends))}
    first: dict[tuple[str, str], int] = {}
    for one in steps:
        first.setdefault((one.entity, one.step), microseconds(one.at))
    tickets = sorted((at, entity) for (entity, step), at in first.items() if step == "opened")
    if not tickets:
        return found
    opened = np.array([at for at, _ in tickets], np.int64)
    now = np.array([microseconds(end) - 1 for end in ends], np.int64)
    for name, its_ends in TICKET_WAITS.items():
        done = np.array(
            [min(first.get((entity, step), _NEVER) for step in its_ends) for _, entity in tickets], np.int64
        )
        told = np.array([microseconds(one.at) for one in steps if one.step == its_ends[0]], np.int64)
        # Once told of, it is known that there are such times.
        since = np.searchsorted(told, now - STEPS_COUNT[TICKETS] // _INSTANT)
        is_known = np.searchsorted(told, now, "right") > since
        for begin in range(0, len(now), _DAYS_AT_ONCE):
            days = slice(begin, begin + _DAYS_AT_ONCE)
            low = np.searchsorted(opened, now[days][0] - STEPS_COUNT[TICKETS] // _INSTANT)
            near = slice(low, np.searchsorted(opened, now[days][-1], "right"))
            ago = now[days, None] - opened[near]
            is_recent = (ago >= 0) & (ago < RECENT // _INSTANT)
            is_earlier = (ago >= RECENT // _INSTANT) & (ago <= STEPS_COUNT[TICKETS] // _INSTANT)
            # As everywhere, an end before the start took no time.
            hours = np.maximum(np.minimum(done[near], now[days, None]) - opened[near], 0) / _HOUR
            found["tickets_28d"][days] = is_recent.sum(axis=1)
            for part, its, least in (("hours", is_recent, 1), ("usual", is_earlier, LEAST_TICKETS)):
                medians = _medians(hours, its, least)
                found[f"{name}_{part}"][days] = np.where(is_known[days], medians, np.nan)
    return found


def _medians(values: Floats, its: Booleans, least: int) -> Floats:
    """Of each row, over `its`; NaN where they are fewer."""
    counts = its.sum(axis=1)
    if not counts.any():
        return np.full(len(values), np.nan)
    ordered, row = np.sort(np.where(its, values, np.inf), axis=1), np.arange(len(values))
    below, above = np.maximum(counts - 1, 0) // 2, np.minimum(counts // 2, its.shape[1] - 1)
    middle = (ordered[row, below] + ordered[row, above]) / 2
    return np.where(counts >= least, middle, np.nan)
