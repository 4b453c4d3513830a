"""What looks like customers who leave and isn't: nothing is sent of it; and of the same thing when it is real, something is."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.whole import Whole, at, every_workday, whole_of
from tests.integration.alerts.world import SECRET, World

from common.catalogue.models import Receiver, Route, Routing, Settings
from common.catalogue.people import Leave, Person, Team

DAY, WEEK = timedelta(days=1), timedelta(days=7)
COMPANY = {f"account-{n}": [f"ann-{n}", f"bob-{n}", f"cid-{n}"] for n in range(5)}
LOGIN, USED = "user.logged_in", "feature.used"


@pytest.fixture
def whole(world: World, new_watcher: Callable[[], Watcher]) -> Iterator[Whole]:
    with whole_of(world, new_watcher) as made:
        yield made


def of(*accounts: str) -> dict[str, list[str]]:
    return {name: COMPANY[name] for name in accounts}


def live_since(
    whole: Whole,
    last_day: str,
    people: Mapping[str, list[str]],
    traits: Mapping[str, Mapping[str, str]] | None = None,
    since: str = "2025-11-03",
) -> None:
    """History until the day before the last one, which then happens live. `traits`: by account."""
    last, first = at(last_day), at(since)
    born = [(first, name, "account.created", {"traits": its}) for name, its in (traits or {}).items()]
    whole.go_to(last + timedelta(hours=6))
    whole.load([*born, *every_workday(first, last - DAY, people)])
    whole.go_to(last + timedelta(hours=10))
    whole.send(every_workday(last, last, people))
    whole.settle()


def test_a_year_loaded_at_once_sends_nothing_and_a_complaint_after_it_does(whole: Whole) -> None:
    whole.go_to(at("2026-03-03 12:00"))
    people = of("account-1", "account-2", "account-3")
    year = [*every_workday(at("2025-03-03"), at("2026-02-10"), people)]
    year += [(at("2026-03-03 08:00"), "account-1", "complaint.filed", {}) for _ in range(6)]
    whole.load(year)
    assert whole.figures("account-2")["days_silent"] == 21
    whole.send([(whole.world.now, "account-1", LOGIN, {"user": "ann-1"})])
    whole.settle()
    assert whole.notices == []
    assert whole.tracking() == []
    whole.send([(whole.world.now, "account-3", "complaint.filed", {}) for _ in range(4)])
    whole.settle()
    assert len(whole.notices) == 1


def test_who_falls_silent_after_a_load_and_never_comes_back_is_told(whole: Whole) -> None:
    whole.go_to(at("2026-03-03 12:00"))
    whole.load(every_workday(at("2025-12-01"), at("2026-03-03"), of("account-1", "account-3")))
    time_passes(whole, "2026-03-03", (at("2026-03-03 08:00") + day * DAY for day in (13, 16)))
    assert whole.notices == ["case.opened"]


def test_a_weekend_and_a_monday_morning_are_no_silence_but_a_monday_noon_without_events_is_a_fault(
    whole: Whole,
) -> None:
    whole.go_to(at("2026-02-27 18:00"))
    # One who comes from Monday to Wednesday was last there on Monday a week ago: no weekend brings more silence without an alarm.
    early = every_workday(at("2025-12-01"), at("2026-02-16"), {"early": ["zoe"]})
    whole.load(
        [
            *every_workday(at("2025-12-01"), at("2026-02-27"), COMPANY),
            *(one for one in early if one[0].weekday() < 3),
        ]
    )
    whole.usual_arrivals(at("2025-12-22 00:00"), at("2026-02-28 00:00"), LOGIN, "report.viewed")
    friday = whole.figures("early")
    assert (friday["days_silent"], friday["usual_gap_days"]) == (11, 1)
    for moment in ("2026-02-28 12:05", "2026-03-02 00:05", "2026-03-02 08:05"):
        whole.go_to(at(moment))
        whole.settle()
    assert whole.notices == []
    assert whole.figures("early")["days_silent"] == 14
    whole.go_to(at("2026-03-02 12:05"))
    whole.settle()
    assert whole.notices == ["tracking.broken"]
    assert whole.tracking() == [("tenant", "*", "broken")]


def renewal_due(whole: Whole, account: str, last_day: str) -> None:
    """A year's term of which notice is possible for 40 days more, and which is lost as readily as most."""
    last = at(last_day)
    said = {
        "subscription": "s1", "mrr": "500", "currency": "EUR",
        "term_end": (last + 70 * DAY).isoformat(), "notice_deadline": (last + 40 * DAY).isoformat(),
    }  # fmt: skip
    whole.send([(last - 60 * DAY, account, "subscription.started", said)], source="billing")
    whole.settle()


def time_passes(whole: Whole, last_day: str, moments: Iterable[datetime]) -> None:
    """One account is at work all along, so the company's events arrive."""
    since = at(last_day) + DAY
    for moment in moments:
        whole.go_to(moment)
        whole.send(every_workday(since, moment, of("account-3"), hour=6))
        whole.settle()
        since = moment + DAY


def test_public_holidays_of_its_country_are_no_silence_of_an_account(whole: Whole) -> None:
    people = of("account-1", "account-2", "account-3")
    live_since(whole, "2025-12-19", people, {"account-1": {"country": "DE"}}, since="2025-11-03")
    renewal_due(whole, "account-1", "2025-12-19")
    time_passes(whole, "2025-12-19", (at("2025-12-19 08:00") + day * DAY for day in (14, 15, 16)))
    assert whole.figures("account-1")["days_silent"] == 16
    assert whole.figures("account-1")["quiet_days"] == 3
    assert {case["account"] for case in whole.world.cases()} == {"account-2"}
    assert whole.notices == ["case.opened"]


def test_what_people_note_is_no_silence_and_costs_neither_risk_nor_health(whole: Whole) -> None:
    seats = {"account-1": {"seats": "3"}}
    live_since(whole, "2026-02-13", of("account-1", "account-2", "account-3"), seats)
    renewal_due(whole, "account-1", "2026-02-13")
    whole.world.connection.execute(
        "insert into control.annotation (id, tenant_id, starts_at, ends_at, kind, text, author, accounts, created_at) "
        "values (gen_random_uuid(), %s, '2026-02-16', '2026-03-09', 'holiday', 'Closed', 'Maya', '{account-1}', now())",
        (whole.world.tenant_id,),
    )
    time_passes(whole, "2026-02-13", (at("2026-02-01 08:00") + day * DAY for day in (26, 27, 28, 29, 36)))
    assert {case["account"] for case in whole.world.cases()} == {"account-2"}
    away = whole.figures("account-1")
    assert (away["days_silent"], away["quiet_days"], away["quiet_28d"]) == (24, 21, 21)
    assert away["renewal_risk"] < 0.15, "that of most, which is 0.12"
    assert away["health_band"] == "good"


def test_one_of_two_users_on_holiday_is_no_fall_but_half_of_many_are(whole: Whole) -> None:
    few = {"duo": ["ann", "bob"]}
    many = {"large": [f"p{n}" for n in range(16)], **COMPANY}
    small = {name: {"segment": "small"} for name in {**few, **many}}
    live_since(whole, "2026-02-13", {**few, **many}, small)
    left = {"duo": ["ann"], "large": many["large"][:4], **COMPANY}
    for number in range(28):
        day = at("2026-02-16") + number * DAY
        if day.weekday() < 5:
            whole.go_to(day + timedelta(hours=12))
            whole.send(every_workday(day, day, left if number < 14 else {**left, **few}))
            whole.settle()
    assert {case["account"] for case in whole.world.cases()} == {"large"}
    assert "case.opened" in whole.notices


@pytest.mark.parametrize(
    ("zone", "last_seen", "too_early", "in_time"),
    [
        # 13 hours ahead: it was active on what is its 16th already.
        ("Pacific/Auckland", "2026-02-15 12:00", "2026-03-02 10:50", "2026-03-02 11:10"),
        # Clocks go forward on the 29th: midnight is an hour earlier by UTC from then on.
        ("Europe/Berlin", "2026-03-20 22:30", "2026-04-03 21:50", "2026-04-03 22:10"),
        # And back on the 26th of October, an hour later.
        ("Europe/Berlin", "2025-10-17 21:30", "2025-10-31 22:50", "2025-10-31 23:10"),
    ],
)
def test_days_end_when_they_end_where_the_company_is(
    whole: Whole, zone: str, last_seen: str, too_early: str, in_time: str
) -> None:
    whole.works_under(settings=Settings(timezone=zone))
    last = at(last_seen)
    whole.go_to(last - DAY)
    whole.load([(last - n * DAY, "account-1", LOGIN, {"user": "ann"}) for n in range(1, 90)])
    whole.go_to(last)
    whole.send([(last, "account-1", LOGIN, {"user": "ann"})])
    whole.settle()
    for moment in (at(too_early) - DAY, at(too_early), at(in_time)):
        assert whole.notices == []
        whole.go_to(moment)
        whole.send([(moment, "account-3", LOGIN, {"user": "bob"})])
        whole.settle()
    assert whole.notices == ["case.opened"]


@pytest.mark.parametrize("is_renamed", [True, False])
def test_a_renamed_event_is_one_notice_and_no_fall_of_what_it_measured(
    whole: Whole, is_renamed: bool
) -> None:
    whole.go_to(at("2026-02-16 07:00"))
    used: list[Any] = [*every_workday(at("2025-11-03"), at("2026-02-13"), COMPANY, USED, 10)]
    whole.load([*every_workday(at("2025-11-03"), at("2026-02-13"), COMPANY), *used])
    kinds = (LOGIN, "report.viewed", "file.shared")
    whole.usual_arrivals(at("2025-12-15 00:00"), at("2026-02-16 00:00"), *kinds, USED)
    monday, end = at("2026-02-16 00:00"), at("2026-03-06 18:00")
    # From Monday on the feature's event has another name; or only one account stopped using it.
    whole.usual_arrivals(monday, end, *kinds, "feature.opened" if is_renamed else USED)
    others = {} if is_renamed else {name: users for name, users in COMPANY.items() if name != "account-1"}
    for today in (monday + day * DAY for day in range(19) if day % 7 < 5):
        whole.go_to(today + timedelta(hours=12, minutes=5))
        whole.send(every_workday(today, today, COMPANY))
        whole.send(every_workday(today, today, others, USED, 10))
        whole.settle()
    told = [notice for notice in whole.notices if notice != "case.resolved"]
    if is_renamed:
        assert told == ["tracking.broken"]
        assert (
            "feature.opened began at the same accounts" in whole.told("tracking.broken")[0]["data"]["message"]
        )
        assert whole.world.cases() == []
    else:
        assert told[0] == "case.opened"
        assert {case["account"] for case in whole.world.cases()} == {"account-1"}


def test_half_of_the_events_lost_on_their_way_are_a_fault_and_half_of_the_people_on_a_day_off_are_not(
    whole: Whole,
) -> None:
    people = {f"account-{n}": [f"p{n}{k}" for k in range(5)] for n in range(5)}
    first, off, usual, lossy = (
        at(f"{day} 00:00") for day in ("2026-01-12", "2026-03-03", "2026-03-04", "2026-03-05")
    )
    whole.go_to(off)
    whole.load(one for hour in range(9, 14) for one in every_workday(first, off - DAY, people, USED, hour))
    whole.usual_arrivals(first, off, LOGIN, USED)
    # Everybody does two of five things on the last day; on the first only one account is there, and does all five.
    for day, there, things, each in (
        (off, of("account-1"), 5, 1),
        (usual, people, 5, 4),
        (lossy, people, 2, 1),
    ):
        assert whole.notices == []
        whole.usual_arrivals(day, day + DAY, LOGIN, USED, each=each)
        whole.go_to(day + timedelta(hours=20))
        whole.send(one for hour in range(9, 9 + things) for one in every_workday(day, day, there, USED, hour))
        whole.go_to(day + timedelta(hours=24, minutes=5))
        whole.settle()
    assert whole.tracking() == [("tenant", "*", "broken")]
    assert whole.notices == ["tracking.broken"]
    assert "only" in whole.told("tracking.broken")[0]["data"]["message"]


def test_an_outage_is_told_once_and_what_came_of_it_is_taken_back(whole: Whole) -> None:
    live_since(whole, "2026-02-13", of("account-1"), since="2026-01-05")
    whole.go_to(at("2026-02-16 10:00"))
    whole.send(every_workday(at("2026-02-16"), at("2026-02-16"), of("account-2")))
    whole.settle()
    whole.usual_arrivals(at("2025-12-22 00:00"), at("2026-02-28 00:00"), LOGIN, "report.viewed")
    whole.go_to(at("2026-02-27 12:05"))
    whole.send(every_workday(at("2026-02-17"), at("2026-02-27"), of("account-2")))
    for moment in ("2026-02-27 12:05", "2026-02-28 00:05"):
        whole.go_to(at(moment))
        whole.settle()
    assert whole.notices == ["case.opened"], "account-1 has been silent for 15 days"
    # Nothing comes on Monday: what was silent since Friday evening may not be.
    for moment in ("2026-03-02 12:05", "2026-03-03 00:05", "2026-03-03 07:00"):
        whole.go_to(at(moment))
        whole.settle()
    assert whole.world.alerts() == [("account_silent", "withdrawn", "tracking-broken")]
    assert sorted(whole.notices[1:]) == ["alert.withdrawn", "tracking.broken"]
    assert "1 warning that came of it was taken back" in whole.told("tracking.broken")[0]["data"]["message"]
    # On Tuesday all comes again. The days in between count for nobody's silence.
    whole.usual_arrivals(at("2026-03-03 08:00"), at("2026-03-05 18:00"), LOGIN, "report.viewed")
    whole.go_to(at("2026-03-03 12:05"))
    whole.send(every_workday(at("2026-03-03"), at("2026-03-03"), of("account-2")))
    whole.settle()
    assert whole.tracking() == [("tenant", "*", "ok")]
    assert whole.notices[-1] == "tracking.mended"
    whole.go_to(at("2026-03-05 12:05"))
    whole.settle()
    assert [case["account"] for case in whole.world.cases() if case["status"] == "open"] == ["account-1"]
    assert whole.figures("account-1")["quiet_days"] == 5
    assert whole.notices[-1] == "case.opened"
    assert whole.notices.count("tracking.broken") == whole.notices.count("tracking.mended") == 1


def test_what_is_not_sent_any_more_is_not_said_to_come_again(whole: Whole) -> None:
    monday = at("2026-03-02 08:00")
    whole.go_to(monday - DAY)
    whole.usual_arrivals(at("2026-01-05 00:00"), monday + DAY, LOGIN)
    whole.usual_arrivals(at("2026-01-05 00:00"), monday, USED)
    for hour in (8, 14):
        whole.go_to(monday.replace(hour=hour, minute=5))
        whole.send(every_workday(monday - 3 * DAY, monday - 3 * DAY, of("account-1")))
        whole.settle()
    assert whole.tracking() == [("type", USED, "broken")]
    row = (whole.world.tenant_id, USED, whole.world.now)
    whole.connection.execute("insert into control.tracking_retired values (%s, 'type', %s, %s, 'maya')", row)
    whole.go_to(monday.replace(hour=15, minute=5))
    whole.settle()
    assert whole.notices == ["tracking.broken", "tracking.mended"]
    told = whole.told("tracking.mended")[0]["data"]
    assert told["subject"] == f"No longer waited for: {USED}"
    assert "they are not sent any more" in told["message"]


def test_the_owner_on_leave_hears_nothing_and_who_stands_in_does(whole: Whole) -> None:
    desks = [
        Receiver(name=name, kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
        for name in ("maya", "tom")
    ]
    leave = Leave(first=date(2026, 2, 20), last=date(2026, 3, 10))
    people = (
        Person(name="Maya", receiver="maya", deputy="Tom", leave=(leave,)),
        Person(name="Tom", receiver="tom"),
    )
    routing = Routing(receivers=tuple(desks), routes=(Route(receivers=(), owner=True),))
    whole.go_to(at("2026-02-13 05:00"))
    whole.works_under(routing, team=Team(people=people))
    owned = {"account-1": {"owner": "Maya"}, "account-2": {"owner": "Maya"}}
    live_since(whole, "2026-02-13", of("account-1", "account-2"), owned)
    for moment, account in (("2026-02-17 10:00", "account-1"), ("2026-02-24 10:00", "account-2")):
        whole.go_to(at(moment))
        whole.send([(whole.world.now, account, "complaint.filed", {}) for _ in range(5)])
        whole.settle()
    told = whole.world.rows(
        "select c.account, n.receiver from alerts.notification n join alerts.v_case c on c.id = n.case_id "
        "where n.type = 'case.opened' order by 1"
    )
    assert told == [("account-1", "maya"), ("account-2", "tom")]
