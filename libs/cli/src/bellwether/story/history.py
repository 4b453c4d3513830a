"""The year before the anchor day, and the days after it when a world is visited again later."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Final

from bellwether.story import rhythm
from bellwether.story.event import StoryEvent
from bellwether.story.facts import facts
from bellwether.story.world import HISTORY_DAYS, Account, Person, Role, World

# On their days people turn up nearly always, the fewer they are the more; chance would otherwise look like news.
_MISSES: Final = 0.01
_MISSES_AT_MOST: Final = 0.06
_SILENT_FADES_FROM_DAYS: Final = 63
_SILENT_FADES_TO: Final = 0.12
_HOLIDAY_DAYS: Final = 18
_LOUD_USES: Final = 0.88
_LEAVER_FADES_FROM_DAYS: Final = 60


def history(world: World, until: datetime, since: datetime | None = None) -> Iterator[StoryEvent]:
    """Every event with since <= time < until, sorted by time, then id. What lies before the year is how accounts came about."""
    dated = sorted(
        chain.from_iterable(facts(world, account) for account in world.accounts), key=lambda e: e.order
    )
    first = world.anchor - timedelta(days=HISTORY_DAYS)
    begin = max(first, since.date()) if since else first
    yield from _between([e for e in dated if e.at.date() < begin], since, until)
    later = [e for e in dated if e.at.date() >= begin]
    at = 0
    for day in _days(begin, until.date()):
        of_day = [event for account in world.accounts for event in use_on(world, account, day)]
        while at < len(later) and later[at].at.date() <= day:
            of_day.append(later[at])
            at += 1
        yield from _between(sorted(of_day, key=lambda e: e.order), since, until)


def _between(events: list[StoryEvent], since: datetime | None, until: datetime) -> Iterator[StoryEvent]:
    return (event for event in events if (since is None or event.at >= since) and event.at < until)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def use_on(world: World, account: Account, day: date) -> list[StoryEvent]:
    """Log-ins and features used, in no order."""
    if day < account.since or (account.closed is not None and day >= account.closed):
        return []
    share = (
        (1 - min(_MISSES_AT_MOST, _MISSES * len(account.people)))
        * rhythm.share(account.region, day)
        * appetite(world, account, day)
    )
    if share <= 0:
        return []
    rng = world.rng("use", account.slug, day)
    events: list[StoryEvent] = []
    for person in account.people_on(day):
        comes = day.weekday() in person.weekdays or (day.weekday() >= 5 and rng.random() < 0.5)
        if comes and rng.random() < share:
            minute = rng.randint(8 * 60, 16 * 60)
            events += visit(world, account, person, day, minute, rng.choices((0, 1, 2, 3), (3, 4, 2, 1))[0])
    return events


def visit(
    world: World, account: Account, person: Person, day: date, local_minute: int, uses: int
) -> list[StoryEvent]:
    start = datetime.combine(day, time(), UTC) + timedelta(
        minutes=local_minute - 60 * rhythm.UTC_OFFSET_HOURS[account.region]
    )
    prefix = f"{world.name}-{account.slug}-{day:%Y%m%d}-{person.id}"
    events = [StoryEvent(start, f"{prefix}-in", "user.logged_in", account.slug, {"user": person.id})]
    for number in range(uses):
        used = person.features[(day.toordinal() + number) % len(person.features)]
        at = start + timedelta(minutes=3 + 11 * number, seconds=7 * len(person.id))
        data = {"user": person.id, "feature": used}
        events.append(StoryEvent(at, f"{prefix}-{number}", "feature.used", account.slug, data))
    return events


def appetite(world: World, account: Account, day: date) -> float:
    """How much of its normal use the account still has that day: the plot of the characters, 0 to 1."""
    ago = (world.anchor - day).days
    match account.role:
        case Role.SILENT:
            if ago >= _SILENT_FADES_FROM_DAYS:
                return 1.0
            return _SILENT_FADES_TO + (1 - _SILENT_FADES_TO) * max(ago, 0) / _SILENT_FADES_FROM_DAYS
        case Role.HOLIDAY:
            return 0.0 if 0 <= ago < _HOLIDAY_DAYS else 1.0
        case Role.LOUD:
            return _LOUD_USES if ago < _SILENT_FADES_FROM_DAYS else 1.0
        case Role.BACKGROUND if account.closed is not None and account.mood < 5:
            left = (account.closed - day).days
            return min(1.0, max(0.2, left / _LEAVER_FADES_FROM_DAYS))
        case _:
            return 1.0
