"""What is true of one account now: its figures as an account page and the rules see them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median

from tests.reference.activity import LEAST_USER_DAYS_IN_BASE, Activity, is_activity
from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted, without_internal

GAP_DAYS = 180
BASE_WEEKS = 12


@dataclass(frozen=True)
class AccountFigures:
    """Windows of people end with the last finished local day, windows of complaints with today."""

    user_days_28d: int
    user_days_base: int
    login_trend: Fraction | None
    complaints_7d: int
    complaints_28d: int
    complaints_base: Fraction
    last_activity_at: datetime | None
    days_silent: int | None
    usual_gap_days: float | None


def account_figures(
    arrived: Iterable[Event], calendar: Calendar, account: str, now: datetime
) -> AccountFigures:
    events = [event for event in arrived if event.account == account]
    activity = Activity(events, calendar)
    today = calendar.day_of(now)
    yesterday = today - timedelta(days=1)
    recent, base = activity.user_days(yesterday, 28), activity.user_days(yesterday - timedelta(days=28), 28)
    tomorrow = today + timedelta(days=1)
    week_ago = tomorrow - timedelta(days=7)
    instants = [e.at for e in without_internal(accepted(events)) if is_activity(e.type)]
    last = max(instants, default=None)
    return AccountFigures(
        user_days_28d=recent,
        user_days_base=base,
        login_trend=Fraction(recent, base) - 1 if base >= LEAST_USER_DAYS_IN_BASE else None,
        complaints_7d=activity.complaints_filed(week_ago, tomorrow),
        complaints_28d=activity.complaints_filed(tomorrow - timedelta(days=28), tomorrow),
        complaints_base=Fraction(
            activity.complaints_filed(week_ago - timedelta(weeks=BASE_WEEKS), week_ago), BASE_WEEKS
        ),
        last_activity_at=last,
        days_silent=(today - calendar.day_of(last)).days if last else None,
        usual_gap_days=_usual_gap({calendar.day_of(at) for at in instants}, today),
    )


def _usual_gap(days: set[date], today: date) -> float | None:
    """The median distance between neighbouring active days of the last 180."""
    ordered = sorted(day for day in days if today - timedelta(days=GAP_DAYS) < day <= today)
    gaps = [(later - day).days for day, later in pairwise(ordered)]
    return float(median(gaps)) if gaps else None
