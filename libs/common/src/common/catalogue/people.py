"""The people who look after accounts (`people.yaml`) and who of them is on call (`on-call.yaml`)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from common.catalogue.alerting import TimeOfDay, Weekday
from common.catalogue.base import Model, Name

Day = Annotated[dt.date, Field(ge=dt.date(2000, 1, 1), le=dt.date(2200, 1, 1))]
HolidayCalendar = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]


class Leave(Model):
    """Days on which somebody is away, the last one included."""

    first: Day
    last: Day
    deputy: str | None = None
    """Instead of the person's usual one."""


class Person(Model):
    """`name` is what the trait `owner` says of their accounts."""

    name: str = Field(min_length=1, max_length=200)
    receiver: Name | None = None
    """Where notices to this person go; none: nowhere but the shared ones."""
    timezone: str | None = None
    """By default that of the settings."""
    digest_at: TimeOfDay | None = None
    """By default that of `alerting.yaml`."""
    weekdays: tuple[Weekday, ...] | None = None
    """On which they work; by default those of the company's business hours."""
    holidays: tuple[HolidayCalendar, ...] | None = None
    """Calendars of public holidays that they keep, `DE` or `US-CA`; by default all holidays of the company."""
    deputy: str | None = None
    leave: tuple[Leave, ...] = ()


class Team(Model):
    people: tuple[Person, ...] = ()


class Rotation(Model):
    """One person a week, in turn. The weekday of `starts_on` is that of every hand-over; the first person begins then."""

    name: Name
    people: tuple[str, ...] = Field(min_length=1, max_length=100)
    starts_on: Day
    hand_over: TimeOfDay = "09:00"
    timezone: str | None = None
    """By default that of the settings."""
    escalate_after_minutes: int = Field(ge=1, le=10_080)
    """A page that nobody acknowledged for so long goes to the next person, and after as long again to `default`."""
    default: tuple[Name, ...] = Field(min_length=1)
    """Receivers that hear when neither acknowledged."""


class OnCall(Model):
    rotations: tuple[Rotation, ...] = ()
