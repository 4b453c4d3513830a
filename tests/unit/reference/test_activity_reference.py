"""The reference itself, by examples small enough to count on one's fingers."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.reference.activity import Activity
from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted, event_of, internal_people
from tests.reference.surveys import nps_on, relationship_answers

UTC_CALENDAR = Calendar(ZoneInfo("UTC"))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ZONES = ("UTC", "America/St_Johns", "Asia/Kolkata", "Europe/Berlin", "Pacific/Auckland", "America/Santiago")


def seen(
    day: int, user: str | None = "u1", account: str = "acme", kind: str = "feature.used", **data: object
) -> Event:
    at = NOON + timedelta(days=day)
    fields = {**({"user": user} if user else {}), **data}
    return Event(account, "/app", f"{account}-{day}-{user}-{kind}", kind, at, user, fields)


def on(day: int) -> date:
    return (NOON + timedelta(days=day)).date()


def test_a_person_covers_the_day_and_the_window_after_it_and_no_more() -> None:
    activity = Activity([seen(0)], UTC_CALENDAR)
    assert [activity.active_users(on(d), 7) for d in (-1, 0, 6, 7)] == [0, 1, 1, 0]
    assert [activity.active_users(on(d), 28) for d in (-1, 0, 27, 28)] == [0, 1, 1, 0]


def test_the_same_person_in_two_accounts_is_two_users() -> None:
    activity = Activity([seen(0), seen(0, account="globex")], UTC_CALENDAR)
    assert activity.active_users(on(0), 1) == 2


def test_events_counts_every_type_once_and_activity_only_some() -> None:
    twice = seen(0)
    activity = Activity([twice, twice, seen(0, None, kind="invoice.paid")], UTC_CALENDAR)
    assert activity.events(on(0), on(1)) == 2
    assert activity.active_accounts(on(0), 1) == 1
    unknown = Activity([seen(0, None, kind="brewery.opened")], UTC_CALENDAR)
    assert (unknown.active_accounts(on(0), 1), unknown.active_users(on(0), 1)) == (1, 0)


def test_the_first_of_an_identity_wins() -> None:
    first, second = seen(0), seen(0)
    assert accepted([first, second])[0] is first


def test_events_from_the_future_or_another_century_are_not_accepted() -> None:
    stamp = NOON
    times = (
        NOON + timedelta(minutes=5),
        NOON + timedelta(minutes=5, microseconds=1),
        datetime(1999, 12, 31, tzinfo=UTC),
    )
    events = [Event("a", "/s", str(n), "x", at, ingested_at=stamp) for n, at in enumerate(times)]
    assert [e.id for e in accepted(events)] == ["0"]


def test_internal_people_count_nowhere_but_in_events() -> None:
    mark = seen(9, "bot", kind="user.updated", traits={"is_internal": True})
    events = [
        seen(0, "bot"),
        seen(0, "bot", kind="user.logged_in"),
        seen(0, "bot", kind="complaint.filed"),
        mark,
    ]
    activity = Activity(events, UTC_CALENDAR)
    assert activity.events(on(0), on(10)) == 4
    assert activity.active_users(on(0), 28) == activity.active_accounts(on(0), 28) == 0
    assert activity.portal_logins(on(0), on(10)) == activity.complaints_filed(on(0), on(10)) == 0


def test_the_last_mark_by_event_time_stands_however_it_arrived() -> None:
    marked = seen(1, "bot", kind="user.updated", traits={"is_internal": True})
    cleared = seen(2, "bot", kind="user.updated", traits={"is_internal": None})
    assert internal_people([cleared, marked]) == internal_people([marked, cleared]) == set()


def test_stickiness_is_the_mean_day_over_the_month() -> None:
    activity = Activity([seen(d) for d in range(14)] + [seen(0, "u2")], UTC_CALENDAR)
    assert activity.stickiness(on(27)) == Fraction(15, 28) / 2
    assert activity.stickiness(on(60)) is None


def test_logins_per_day_is_a_mean_of_seven_days() -> None:
    activity = Activity([seen(d, kind="user.logged_in") for d in (0, 1, 2)], UTC_CALENDAR)
    assert activity.portal_logins_per_day(on(2)) == Fraction(3, 7)
    assert activity.portal_logins_per_day(on(8)) == Fraction(1, 7)


def test_a_trend_wants_eight_user_days_in_its_base() -> None:
    seven, eight = [seen(d) for d in range(7)], [seen(d) for d in range(8)]
    later = [seen(40), seen(41)]
    assert Activity([*seven, *later], UTC_CALENDAR).login_trend(on(55)) is None
    assert Activity([*eight, *later], UTC_CALENDAR).login_trend(on(55)) == Fraction(2, 8) - 1


def test_days_follow_the_zone_of_the_tenant() -> None:
    late_evening = event_of(
        {"source": "/s", "id": "1", "type": "x", "subject": "a", "time": "2026-03-02T23:30:00-05:00"}
    )
    new_york = Activity([late_evening], Calendar(ZoneInfo("America/New_York")))
    assert (new_york.events(on(0), on(1)), new_york.events(on(1), on(2))) == (1, 0)
    kolkata = Calendar(ZoneInfo("Asia/Kolkata"))
    assert kolkata.hour_of(late_evening.at) == datetime(2026, 3, 3, 4, 30, tzinfo=UTC)


@given(
    st.floats(0, 15 * 365.0),
    st.sampled_from(ZONES),
    st.integers(0, 6),
    st.integers(1, 12),
)
def test_an_instant_lies_inside_every_bucket_it_belongs_to(
    days: float, zone: str, week_start: int, fiscal_month: int
) -> None:
    at = datetime(2012, 1, 1, tzinfo=UTC) + timedelta(days=days)
    calendar = Calendar(ZoneInfo(zone), week_start, fiscal_month)
    day = calendar.day_of(at)
    assert calendar.start_of(day) <= at < calendar.start_of(day + timedelta(days=1))
    assert timedelta(0) <= at - calendar.hour_of(at) < timedelta(hours=1)
    for grain in ("day", "week", "month", "quarter", "year"):
        bucket = calendar.bucket_day(day, grain)
        assert bucket <= day
        assert calendar.bucket_day(bucket, grain) == bucket
    assert calendar.bucket_day(day, "week").weekday() == week_start
    assert calendar.bucket_day(day, "year").month == fiscal_month


def answer(day: int, score: int, user: str = "u1", survey_kind: str = "nps", **data: object) -> Event:
    at = NOON + timedelta(days=day)
    fields = {"user": user, "survey": f"s{day}", "score": score, "kind": survey_kind, **data}
    return Event("acme", "/survey", f"{user}-{day}", "survey.responded", at, user, fields)


def test_nps_takes_the_latest_relationship_answer_of_180_days() -> None:
    answers = relationship_answers(
        [
            answer(0, 10),
            answer(30, 3),
            answer(0, 9, "u2"),
            answer(1, 7, "u3"),
            answer(2, 0, "u4", transactional=True),
            answer(2, 1, "u5", survey_kind="csat"),
        ]
    )
    early, late = nps_on(answers, UTC_CALENDAR, on(29)), nps_on(answers, UTC_CALENDAR, on(30))
    assert (early.promoters, early.detractors, early.answers) == (2, 0, 3)
    assert (late.promoters, late.detractors, late.answers, late.value) == (1, 1, 3, Fraction(0))
    assert nps_on(answers, UTC_CALENDAR, on(179)).answers == 3
    assert nps_on(answers, UTC_CALENDAR, on(180)).answers == 2
    assert nps_on(answers, UTC_CALENDAR, on(210)).value is None
