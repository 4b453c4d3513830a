"""What an account's people said and did at the end of every day, as the engine says it of now: champions, answers, surveys."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import numpy as np

from alerts.domain.past import Booleans, Events, Floats
from alerts.domain.step_days import days_at
from common.context.quiet import quiet_between
from common.signals.said import (
    ANSWERS_COUNT_DAYS,
    CHAMPION_SEEN_DAYS,
    REMEMBERED,
    STEPS_COUNT,
    SURVEYS,
    Answer,
    Step,
    is_away,
    is_habit,
    nps_change,
    usual_gap,
)

OF_ANSWERS = frozenset({"days_since_answer", "nps_change"})
OF_SURVEYS = frozenset({"days_since_survey", "days_not_asked"})
OF_CHAMPIONS = frozenset({"champions", "champions_lost"})
Traits = Sequence[tuple[datetime, str, Any]]
_INSTANT = timedelta(microseconds=1)


class Days(Protocol):
    """Local days by number, as `account_days.Calendar`."""

    @property
    def first_day(self) -> date: ...
    @property
    def ends(self) -> Sequence[datetime]: ...


def answer_figures(answers: Sequence[Answer], ends: Sequence[datetime]) -> dict[str, Floats]:
    """`answers` in order."""
    since, change = np.full(len(ends), np.nan), np.full(len(ends), np.nan)
    days = days_at([one.at for one in answers], ends).tolist()
    for day in days:
        held = since[day : day + ANSWERS_COUNT_DAYS + 1]
        held[:] = np.arange(len(held))
    if len({one.person for one in answers}) < len(answers):
        for day in range(days[1], len(ends)):
            its = answers[bisect_left(days, day - ANSWERS_COUNT_DAYS) : bisect_right(days, day)]
            told = nps_change(its, ends[day] - _INSTANT)
            change[day] = np.nan if told is None else told
    return {"days_since_answer": since, "nps_change": change}


def days_since_survey(steps: Sequence[Step], ends: Sequence[datetime]) -> Floats:
    """Since the latest that was sent or answered. `steps` in order."""
    found = np.full(len(ends), np.nan)
    for one, day in zip(steps, days_at([its.at for its in steps], ends).tolist(), strict=True):
        found[day:] = np.nan
        held = found[day : bisect_right(ends, one.at + STEPS_COUNT[SURVEYS] + _INSTANT)]
        held[:] = np.arange(len(held))
    return found


def champion_figures(
    champions: Mapping[int, Traits], events: Events, quiet: Collection[date], calendar: Days
) -> dict[str, Floats]:
    """`champions`: of everybody who was ever called one, what was said of them, in order within each name."""
    days = len(calendar.ends)
    known, counted, gone = (np.zeros(days) for _ in range(3))
    for person, told in champions.items():
        still, left, remembered = _said(told, calendar.ends)
        has_habit, away = _seen(events, person, quiet, calendar)
        its = still & (~left | remembered)
        known += its
        counted += its & (left | has_habit)
        gone += its & (left | away)
    return {
        "champions": np.where(known > 0, counted, np.nan),
        "champions_lost": np.where(counted > 0, gone, np.nan),
    }


def _said(told: Traits, ends: Sequence[datetime]) -> tuple[Booleans, Booleans, Booleans]:
    """On which days a person was called a champion, was said to have left, and that not too long ago."""
    called = {name: np.zeros(len(ends), np.bool_) for name in ("champion", "role", "left")}
    remembered = np.zeros(len(ends), np.bool_)
    for at, name, value in told:
        day = bisect_right(ends, at)
        called[name][day:] = str(value).lower() == "champion" if name == "role" else value is True
        if name == "left":
            remembered[day:] = False
            remembered[day : bisect_left(ends, at + REMEMBERED + _INSTANT)] = value is True
    return called["champion"] | called["role"], called["left"], remembered


def _seen(events: Events, person: int, quiet: Collection[date], calendar: Days) -> tuple[Booleans, Booleans]:
    """On which days a person had been there often enough to have a habit, and was away for far longer than usual."""
    its = events.is_use & (events.person == person)
    known_by: dict[int, int] = {}
    for day, known in zip(events.day[its].tolist(), events.known[its].tolist(), strict=True):
        known_by[day] = min(known_by.get(day, known), known)
    seen = sorted(known_by)
    is_late = any(known > day for day, known in known_by.items())
    has_habit, away = (np.zeros(len(calendar.ends), np.bool_) for _ in range(2))
    for today in range(len(calendar.ends)):
        days = seen[bisect_right(seen, today - CHAMPION_SEEN_DAYS) : bisect_right(seen, today)]
        if is_late:
            days = [day for day in days if known_by[day] <= today]
        has_habit[today] = is_habit(days)
        if is_away(days, usual_gap(days), today - days[-1] if days else 0):
            last, now = (calendar.first_day + timedelta(days=day) for day in (days[-1], today))
            away[today] = is_away(days, usual_gap(days), (now - last).days - quiet_between(quiet, last, now))
    return has_habit, away
