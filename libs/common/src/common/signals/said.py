"""What signals read of an account beside counts, how far back it counts, and from when on it says something: the engine asks it of now,
a replay of every day of the past.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median

from common.numbers import plain

TICKETS, INVOICES, SURVEYS, PLANS = "tickets", "invoices", "surveys", "success_plans"
# How far back steps are read, by measure; tickets for four times the 28 days that are compared with the rest.
STEPS_COUNT: Mapping[str, timedelta] = {
    TICKETS: timedelta(days=120),
    INVOICES: timedelta(days=90),
    SURVEYS: timedelta(days=800),
    PLANS: timedelta(days=1100),
}
ANSWERS_COUNT_DAYS = 365
RECENT = timedelta(days=28)
# Fewer tickets before the last 28 days have no usual time.
LEAST_TICKETS = 5
# The steps that end a ticket's waits, what it waits for first: once it is resolved, nobody waits for an answer.
TICKET_WAITS: Mapping[str, Sequence[str]] = {
    "first_response": ("first_responded", "resolved"),
    "resolution": ("resolved",),
}
SEATS_CHANGED = timedelta(days=90)
# Of how many days, today included, those on which a champion was seen are looked at.
CHAMPION_SEEN_DAYS = 180
# Champions are quiet after so many days, and so many of their own usual gaps.
QUIET_DAYS, QUIET_GAPS = 21, 3
# Who was seen on fewer days has no habit that could be broken, and is forgotten half a year after leaving.
LEAST_SEEN_DAYS, REMEMBERED = 4, timedelta(days=180)
_CHANGE_COUNTS = timedelta(days=180)
_MOST = 1e15


@dataclass(frozen=True, slots=True)
class Step:
    """`entity`: the invoice, the goal, the ticket. Labels as text."""

    entity: str
    step: str
    at: datetime
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    person: int
    at: datetime
    score: float


def seats_of(
    told: Iterable[tuple[datetime, float | None]], sold: Iterable[tuple[datetime, Decimal]], now: datetime
) -> tuple[float, float] | None:
    """An account's seats, and those of 90 days before, else the first that were known; None where it has none.

    `told`: what its trait says from an instant on, None where that is no number; `sold`: by how many the seats of its running
    subscriptions change. Both in order and up to now. What the trait says holds, else what subscriptions say.
    """
    turns = [*((at, number, None) for at, number in told), *((at, None, change) for at, change in sold)]
    says: float | None = None
    total = Decimal(0)
    known: dict[datetime, float | None] = {}
    for at, number, change in sorted(turns, key=lambda turn: turn[0]):
        if change is None:
            says = number
        else:
            total += change
        known[at] = says if says is not None else float(total) or None
    ever = [(at, number) for at, number in known.items() if number is not None]
    seats = next(reversed(known.values()), None)
    if seats is None or seats <= 0:
        return None
    before = [number for at, number in ever if at <= now - SEATS_CHANGED]
    return seats, before[-1] if before else ever[0][1]


def usual_gap(active_days: Sequence[int]) -> float | None:
    """The median distance in days between active days; unknown with fewer than two."""
    gaps = [after - before for before, after in pairwise(active_days)]
    return median(gaps) if gaps else None


def is_habit(seen: Sequence[int]) -> bool:
    return len(seen) >= LEAST_SEEN_DAYS


def is_away(seen: Sequence[int], gap: float | None, days: int) -> bool:
    """Whether a person who was seen on these days, and not for so many since, is gone by their own habit."""
    return is_habit(seen) and gap is not None and days > max(QUIET_DAYS, QUIET_GAPS * gap)


def nps_change(answers: Iterable[Answer], now: datetime) -> float | None:
    """A person's change is that of their last two answers; who answered once has none. `answers` in order, none after `now`."""
    by_person: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_person[answer.person].append(answer)
    changes = [
        its[-1].score - its[-2].score
        for its in by_person.values()
        if len(its) > 1 and its[-1].at > now - _CHANGE_COUNTS
    ]
    return sum(changes) / len(changes) if changes else None


def number_of(text: str | None) -> float | None:
    """None for what is no number, or none that anybody means."""
    number = plain(text)
    return float(number) if number is not None and abs(number) < _MOST else None
