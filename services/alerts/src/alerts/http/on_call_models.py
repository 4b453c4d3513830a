"""Rotations, people and mute times as the routes take and show them."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from alerts.http.case_models import Day
from alerts.http.models import ActedBy, Comment, ShortText

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Instant = Annotated[
    AwareDatetime,
    Field(ge=dt.datetime(2000, 1, 1, tzinfo=dt.UTC), le=dt.datetime(2200, 1, 1, tzinfo=dt.UTC)),
]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class DutyView(BaseModel):
    person: str
    because: Literal["rotation", "override", "stand-in"]
    starts_at: dt.datetime
    ends_at: dt.datetime


class OverrideView(BaseModel):
    id: str
    rotation: str
    person: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    comment: str | None
    created_by: str
    created_at: dt.datetime


class RotationView(BaseModel):
    name: str
    people: tuple[str, ...]
    timezone: str
    escalate_after_seconds: float
    default: tuple[str, ...] = Field(
        description="receivers that hear when neither of two people acknowledged"
    )
    now: DutyView
    coming: list[DutyView] = Field(description="from now on, without gaps")
    overrides: list[OverrideView]


class OnCallView(BaseModel):
    data: list[RotationView]


class NewOverride(ActedBy):
    rotation: ShortText
    person: ShortText
    starts_at: Instant | None = Field(default=None, description="now when absent")
    ends_at: Instant
    comment: Comment | None = None


class NewLeave(ActedBy):
    first: Day
    last: Day = Field(description="the last day they are away")
    deputy: ShortText | None = Field(default=None, description="instead of their usual one")


class LeaveView(BaseModel):
    id: str | None = Field(description="null: it stands in people.yaml")
    first: dt.date
    last: dt.date
    deputy: str | None
    created_by: str | None


class PersonView(BaseModel):
    name: str
    timezone: str
    weekdays: list[Weekday]
    receiver: str | None
    digest_at: str | None
    deputy: str | None
    is_away: bool
    away_until: dt.date | None = Field(description="the last day of it, by their clock")
    stand_in: str | None
    leaves: list[LeaveView]


class PeopleView(BaseModel):
    data: list[PersonView]


class NewMuteTime(ActedBy):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    weekdays: tuple[Weekday, ...] = Field(min_length=1, description="on which it begins")
    begins: TimeOfDay
    ends: TimeOfDay = Field(description="at or before `begins`: on the next day")
    hard_too: bool = False


class MuteTimeView(BaseModel):
    id: str | None = Field(description="null: it stands in alerting.yaml")
    name: str
    weekdays: list[Weekday]
    begins: str
    ends: str
    hard_too: bool
    until: dt.datetime | None = Field(description="when it ends, while it keeps news back now")
    created_by: str | None


class MuteTimesView(BaseModel):
    data: list[MuteTimeView]
