"""How many warnings there would have been: by week, and for each of the people who look after accounts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Load:
    """Of one owner; None for accounts that have none. `per_week` is the mean over all weeks of the range."""

    owner: str | None
    warnings: int
    per_week: float
    busiest_week: int


def week_of(day: date) -> date:
    """Its Monday."""
    return day - timedelta(days=day.weekday())


def by_week(days: Iterable[date], start: date, end: date) -> list[tuple[date, int]]:
    """Every week that the range touches, those without any too."""
    counts = Counter(week_of(day) for day in days)
    weeks = (week_of(end) - week_of(start)) // WEEK + 1
    return [(week, counts[week]) for week in (week_of(start) + n * WEEK for n in range(weeks))]


def loads(warnings: Iterable[tuple[str | None, date]], start: date, end: date) -> list[Load]:
    """Who has most comes first. `warnings`: owner and day of each."""
    weeks = ((end - start).days + 1) / 7
    by_owner: dict[str | None, Counter[date]] = {}
    for owner, day in warnings:
        by_owner.setdefault(owner, Counter())[week_of(day)] += 1
    found = [Load(o, c.total(), c.total() / weeks, max(c.values())) for o, c in by_owner.items()]
    return sorted(found, key=lambda load: (-load.warnings, load.owner or ""))
