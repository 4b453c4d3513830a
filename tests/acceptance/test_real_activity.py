"""Fourteen years of real work, loaded as a user loads a file: every day's figures equal an independent recomputation."""

import gzip
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.acceptance.webhooks import WebhookReceiver
from tests.reference.activity import Activity
from tests.reference.calendar import Calendar
from tests.reference.events import Event, Json, events_of, read_file

FIRST, END = date(2012, 9, 1), date(2026, 10, 1)
WINDOWS = (1, 7, 28)
GRAINS = ("day", "week", "month", "quarter", "year", "total")
EVENT_TYPES = """
- {name: change.authored, description: A change to a project was written, activity: true}
- {name: change.merged, description: A change to a project was taken in, activity: true}
"""


@dataclass(frozen=True)
class Loaded:
    """A tenant that was given the file, and what its figures have to be."""

    tenant: Tenant
    events: list[Event]
    expected: Activity
    receiver: WebhookReceiver
    file: Path


@pytest.fixture(scope="module")
def hooks() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


def settings(zone: str, week_start: str = "monday") -> str:
    return f"timezone: {zone}\nweek_start: {week_start}\n"


def shuffled(bodies: list[Json], to: Path) -> Path:
    lines = [json.dumps(body).encode() for body in random.Random(20_639).sample(bodies, len(bodies))]
    to.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))
    return to


def load(stack: Stack, tenant: Tenant, file: Path) -> None:
    """Always from the file's start: where an earlier load got to is forgotten."""
    state = file.parent / "state"
    shutil.rmtree(state, ignore_errors=True)
    stack.run(
        "load", str(file),
        BELLWETHER_INGEST_KEY=tenant.keys["ingest"], BELLWETHER_ADMIN_KEY=tenant.keys["admin"],
        BELLWETHER_READ_KEY=tenant.keys["read"], XDG_STATE_HOME=str(state),
    )  # fmt: skip
    stack.wait_applied()


@pytest.fixture(scope="module", params=["UTC", "America/St_Johns"])
def loaded(
    request: pytest.FixtureRequest,
    stack: Stack,
    new_tenant: Callable[..., Tenant],
    real_activity: Path,
    hooks: WebhookReceiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Loaded:
    """In the order it was recorded under UTC; in any order under a zone with half hours and daylight saving."""
    zone = str(request.param)
    bodies = read_file(real_activity)
    directory = tmp_path_factory.mktemp("activity")
    week_start = "monday" if zone == "UTC" else "sunday"
    slug = f"activity-{zone.lower().replace('/', '-').replace('_', '-')}"
    tenant = new_tenant(
        slug,
        {
            "settings.yaml": settings(zone, week_start),
            "event-types/changes.yaml": EVENT_TYPES,
            "receivers.yaml": hooks.overlay(),
        },
    )
    if zone == "UTC":
        file = directory / real_activity.name
        shutil.copy(real_activity, file)
    else:
        file = shuffled(bodies, directory / "shuffled.ndjson.gz")
    load(stack, tenant, file)
    calendar = Calendar(ZoneInfo(zone), week_start=0 if week_start == "monday" else 6)
    events = events_of(bodies)
    return Loaded(tenant, events, Activity(events, calendar), hooks, file)


def counted(loaded: Loaded, grain: str) -> dict[datetime, int]:
    calendar = loaded.expected.calendar
    return {
        calendar.start_of(bucket): loaded.expected.events(first, end)
        for bucket, (first, end) in calendar.buckets(FIRST, END, grain).items()
    }


@pytest.mark.parametrize("grain", GRAINS)
def test_events_equal_the_recomputation(loaded: Loaded, grain: str) -> None:
    """Page by page as they come by default."""
    assert loaded.tenant.client.series("events", FIRST, END, grain, limit=1_000) == counted(loaded, grain)


def test_every_event_is_counted_in_the_whole(loaded: Loaded) -> None:
    assert loaded.tenant.client.figure("events", FIRST, END).value == loaded.expected.total == 20_639


def test_events_equal_in_every_local_hour(loaded: Loaded) -> None:
    """A question a year, because one holds at most 10,000 buckets. Every hour is there, the empty ones too. Where no clock changes
    and no offset is half an hour, one year stands for the others."""
    calendar = loaded.expected.calendar
    years = list(calendar.buckets(FIRST, END, "year").values())
    if str(calendar.zone) == "UTC":
        ((first, end),) = years[8:9]
        hours = {hour: loaded.expected.hours[hour] for hour in calendar.hours(first, end)}
        assert loaded.tenant.client.series("events", first, end, "hour") == hours
        assert sum(hours.values()) > 1_000
        return
    counted_hours = 0
    for first, end in years:
        expected = {hour: loaded.expected.hours[hour] for hour in calendar.hours(first, end)}
        assert loaded.tenant.client.series("events", first, end, "hour") == expected, first
        counted_hours += sum(expected.values())
    assert counted_hours == loaded.expected.total


def test_events_of_every_account_equal_in_every_year(loaded: Loaded) -> None:
    calendar = loaded.expected.calendar
    counts = Counter((e.account, calendar.bucket_day(calendar.day_of(e.at), "year")) for e in loaded.events)
    starts = {calendar.start_of(day) for day in calendar.buckets(FIRST, END, "year")}
    rows = loaded.tenant.client.query("events", FIRST, END, "year", group_by=["account"])
    found = {(row.raw["group"]["account"], row.bucket): row.value for row in rows}
    assert len(found) == len(rows) == len(starts) * len({account for account, _ in counts})
    assert {place: n for place, n in found.items() if n} == {
        (account, calendar.start_of(year)): n for (account, year), n in counts.items()
    }


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("window", WINDOWS)
def test_active_people_and_accounts_equal_on_every_day(loaded: Loaded, window: int, grain: str) -> None:
    """At a coarser grain than the day it is the figure of the bucket's last day."""
    expected = loaded.expected
    buckets = expected.calendar.buckets(FIRST, END, grain).items()
    for who, active in (("users", expected.active_users), ("accounts", expected.active_accounts)):
        figures = {
            expected.calendar.start_of(bucket): active(stop - date.resolution, window)
            for bucket, (_, stop) in buckets
        }
        metric = f"active_{who}_{window}d"
        assert loaded.tenant.client.series(metric, FIRST, END, grain) == figures, metric


def test_stickiness_equals_on_every_day_with_its_parts(loaded: Loaded) -> None:
    def parts(day: date) -> tuple[Fraction, int]:
        return Fraction(loaded.expected.user_days(day, 28), 28), loaded.expected.active_users(day, 28)

    assert_ratios(loaded, "stickiness", loaded.expected.stickiness, parts)


def test_login_trend_equals_on_every_day_with_its_parts(loaded: Loaded) -> None:
    def parts(day: date) -> tuple[Fraction, int]:
        before = day - timedelta(days=28)
        return Fraction(loaded.expected.user_days(day, 28)), loaded.expected.user_days(before, 28)

    assert_ratios(loaded, "login_trend", loaded.expected.login_trend, parts)


def assert_ratios(
    loaded: Loaded,
    metric: str,
    ratio: Callable[[date], Fraction | None],
    parts: Callable[[date], tuple[Fraction, int]],
) -> None:
    """To the last bit: a ratio is divided once, from whole numbers."""
    calendar = loaded.expected.calendar
    found = {row.bucket: row for row in loaded.tenant.client.query(metric, FIRST, END, "day")}
    assert len(found) == (END - FIRST).days
    for day in calendar.days(FIRST, END):
        row, exact = found[calendar.start_of(day)], ratio(day)
        assert row.value == (None if exact is None else float(exact)), day
        numerator, denominator = parts(day)
        assert (row.numerator, row.denominator) == (float(numerator), denominator), day


def test_silence_equals_the_recomputation_at_every_quarters_end(loaded: Loaded) -> None:
    calendar = loaded.expected.calendar
    silence = Silence(loaded.events, calendar)
    found = {row.bucket: row for row in loaded.tenant.client.query("activity_churn", FIRST, END, "quarter")}
    for first, (_, end) in calendar.buckets(FIRST, END, "quarter").items():
        row = found.pop(calendar.start_of(first))
        gone, then = silence.on(end - date.resolution)
        assert (row.numerator, row.denominator) == (gone, then), end
        assert row.value == (gone / then if then else None), end
    assert not found
    assert max(gone for gone, _ in silence.seen.values()) > 10, "many fall silent, or nothing was tested"


class Silence:
    """Accounts that were active N to 2N days ago, and those of them not since; N is 14 days, or 3 times an account's usual gap."""

    def __init__(self, events: list[Event], calendar: Calendar) -> None:
        found: dict[str, set[int]] = {}
        for event in events:
            found.setdefault(event.account, set()).add(calendar.day_of(event.at).toordinal())
        self.days = [sorted(days) for days in found.values()]
        self.seen: dict[date, tuple[int, int]] = {}

    def on(self, day: date) -> tuple[int, int]:
        today = day.toordinal()
        then = gone = 0
        for days in self.days:
            recent = [d for d in days if today - 180 < d <= today]
            gaps = [later - earlier for earlier, later in pairwise(recent)]
            span = max(14, ceil(3 * Fraction(median(gaps)))) if gaps else 14
            ages = [today - d for d in days if 0 <= today - d < 2 * span]
            was = any(age >= span for age in ages)
            then += was
            gone += was and not any(age < span for age in ages)
        self.seen[day] = (gone, then)
        return gone, then


OF_ACTIVITY = {
    *(f"active_{who}_{days}d" for who in ("users", "accounts") for days in WINDOWS),
    "events", "stickiness", "login_trend", "login_trend_vs_segment", "activity_churn",
}  # fmt: skip


def test_what_nothing_was_said_about_is_zero_or_unknown(loaded: Loaded) -> None:
    """Where logins, money, surveys and tickets were never sent no figure is made up."""
    client = loaded.tenant.client
    names = sorted(metric["name"] for metric in client.get("/v1/metrics")["data"])
    rows = [
        row
        for at in range(0, len(names), 10)
        for row in client.query(names[at : at + 10], FIRST, END, "year")
    ]
    assert {row.metric for row in rows} == set(names)
    said = {row.metric for row in rows if float(row.value or 0)}
    assert said <= OF_ACTIVITY
    assert {"events", "active_users_28d", "stickiness", "activity_churn"} <= said


def test_loading_it_twice_changes_nothing(loaded: Loaded, stack: Stack) -> None:
    load(stack, loaded.tenant, loaded.file)
    assert loaded.tenant.client.figure("events", FIRST, END).value == loaded.expected.total
    assert loaded.tenant.client.series("events", FIRST, END, "day") == counted(loaded, "day")


def test_nobody_was_warned_because_of_history(loaded: Loaded) -> None:
    assert loaded.tenant.client.get("/v1/notifications")["data"] == []
    assert loaded.receiver.deliveries == []
    assert loaded.receiver.unsigned == []


def test_what_is_shown_says_as_of_when_and_whether_it_is_complete(loaded: Loaded) -> None:
    row = loaded.tenant.client.figure("events", FIRST, date(2026, 9, 1))
    assert row.raw["complete"] is True
    assert datetime.fromisoformat(row.raw["as_of"]) <= datetime.now(UTC)
