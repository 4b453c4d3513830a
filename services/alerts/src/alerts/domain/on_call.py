"""Who is on call: one person a week in turn, unless an override or a leave says otherwise; and to whom an unanswered page goes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from alerts.domain.people import Team
from alerts.domain.workdays import Calendar

WEEK = timedelta(weeks=1)
Because = Literal["rotation", "override", "stand-in"]


@dataclass(frozen=True)
class Rotation:
    """Shifts begin on the weekday of `starts_on` at `hand_over` by the rotation's clock; the first person's on that day."""

    name: str
    people: tuple[str, ...]
    calendar: Calendar
    starts_on: date
    hand_over: time
    escalate_after: timedelta
    default: tuple[str, ...]

    def starts_at(self, number: int) -> datetime:
        return self.calendar.at(self.starts_on + number * WEEK, self.hand_over)

    def number_at(self, now: datetime) -> int:
        """Of the shift that holds `now`; negative before the first."""
        number = (self.calendar.day_of(now) - self.starts_on) // WEEK
        if self.starts_at(number) > now:
            number -= 1
        return number


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody else is on call from `starts_at` until just before `ends_at`. Of several the one made last counts."""

    id: str
    rotation: str
    person: str
    starts_at: datetime
    ends_at: datetime
    comment: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    person: str
    because: Because
    starts_at: datetime
    ends_at: datetime


def on_call(rotation: Rotation, overrides: Sequence[Override], team: Team, now: datetime) -> Duty:
    """Who is paged now, and from when until when they are."""
    number = rotation.number_at(now)
    starts_at, ends_at = rotation.starts_at(number), rotation.starts_at(number + 1)
    mine = [one for one in overrides if one.rotation == rotation.name]
    current = [one for one in mine if one.starts_at <= now < one.ends_at]
    edges = {edge for one in mine for edge in (one.starts_at, one.ends_at)}
    begins = max([starts_at, *(edge for edge in edges if edge <= now)])
    ends = min([ends_at, *(edge for edge in edges if edge > now)])
    if current:
        return Duty(max(current, key=lambda one: (one.created_at, one.id)).person, "override", begins, ends)
    planned = rotation.people[number % len(rotation.people)]
    person = team.stand_in(planned, now)
    if person == planned and team.leave_of(planned, now) is not None:
        person = _next(rotation, number, team, now, planned) or planned
    return Duty(person, "rotation" if person == planned else "stand-in", begins, ends)


def coming(
    rotation: Rotation, overrides: Sequence[Override], team: Team, now: datetime, weeks: int
) -> list[Duty]:
    """Who is on call from now on, without gaps; leaves change hands at the start of a day of the rotation."""
    end = now + weeks * WEEK
    edges = {now, *_days(rotation, team, now, end)}
    edges |= {rotation.starts_at(rotation.number_at(now) + n) for n in range(1, weeks + 1)}
    edges |= {edge for one in overrides for edge in (one.starts_at, one.ends_at)}
    ordered = sorted(edge for edge in edges if now <= edge < end)
    found: list[Duty] = []
    for starts_at, ends_at in zip(ordered, [*ordered[1:], end], strict=True):
        duty = on_call(rotation, overrides, team, starts_at)
        if found and (found[-1].person, found[-1].because) == (duty.person, duty.because):
            found[-1] = Duty(duty.person, duty.because, found[-1].starts_at, ends_at)
        else:
            found.append(Duty(duty.person, duty.because, starts_at, ends_at))
    return found


def _days(rotation: Rotation, team: Team, now: datetime, end: datetime) -> set[datetime]:
    """Where somebody leaves or comes back, by their own clock."""
    found = set()
    for leave in team.leaves:
        if leave.person in rotation.people and leave.person in team.people:
            calendar = team.people[leave.person].calendar
            found |= {calendar.start_of(leave.first), calendar.start_of(leave.last + timedelta(days=1))}
    return {edge for edge in found if now <= edge < end}


def _next(rotation: Rotation, number: int, team: Team, now: datetime, besides: str) -> str | None:
    count = len(rotation.people)
    following = (rotation.people[(number + n) % count] for n in range(1, count))
    return next((name for name in following if name != besides and team.leave_of(name, now) is None), None)


@dataclass(frozen=True, slots=True)
class Page:
    """One step of paging a rotation about a case. `person` None: the default receivers. `due_at` None: nobody else is left."""

    case_id: str
    tenant_id: int
    rotation: str
    begun_at: datetime
    step: int
    person: str | None
    paged_at: datetime
    due_at: datetime | None


def first_page(case_id: str, tenant_id: int, rotation: Rotation, duty: Duty, now: datetime) -> Page:
    return Page(case_id, tenant_id, rotation.name, now, 0, duty.person, now, now + rotation.escalate_after)


def next_page(page: Page, rotation: Rotation, team: Team, now: datetime) -> Page:
    """Where a page goes that nobody acknowledged in time: to the next person who isn't away, then to the default."""
    second = None
    if page.step == 0 and page.person is not None:
        second = _next(rotation, rotation.number_at(now), team, now, page.person)
    if second is not None:
        due_at = now + rotation.escalate_after
        return Page(page.case_id, page.tenant_id, rotation.name, page.begun_at, 1, second, now, due_at)
    return Page(page.case_id, page.tenant_id, rotation.name, page.begun_at, 2, None, now, None)
