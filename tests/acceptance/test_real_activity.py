"""Fourteen years of real work, loaded as a user loads a file: every day's figures equal an independent recomputation."""

import gzip
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.acceptance.webhooks import WebhookReceiver
from tests.reference.activity import Activity
from tests.reference.calendar import Calendar
from tests.reference.events import Json, events_of, read_file

FIRST, END = date(2012, 9, 1), date(2026, 10, 1)
WINDOWS = (1, 7, 28)
EVENT_TYPES = """
- {name: change.authored, description: A change to a project was written, activity: true}
- {name: change.merged, description: A change to a project was taken in, activity: true}
"""


@dataclass(frozen=True)
class Loaded:
    """A tenant that was given the file, and what its figures have to be."""

    tenant: Tenant
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
    return Loaded(tenant, Activity(events_of(bodies), calendar), hooks, file)


def counted(loaded: Loaded, grain: str) -> dict[datetime, int]:
    calendar = loaded.expected.calendar
    return {
        calendar.start_of(bucket): loaded.expected.events(first, end)
        for bucket, (first, end) in calendar.buckets(FIRST, END, grain).items()
    }


@pytest.mark.parametrize("grain", ["day", "month", "quarter", "year"])
def test_events_equal_the_recomputation(loaded: Loaded, grain: str) -> None:
    assert loaded.tenant.client.series("events", FIRST, END, grain) == counted(loaded, grain)


def test_every_event_is_counted_in_the_whole(loaded: Loaded) -> None:
    assert loaded.tenant.client.figure("events", FIRST, END).value == loaded.expected.total == 20_639


def test_events_of_a_year_equal_by_local_hour(loaded: Loaded) -> None:
    first, end = date(2023, 1, 1), date(2024, 1, 1)
    calendar = loaded.expected.calendar
    begin, stop = calendar.start_of(first), calendar.start_of(end)
    expected = {hour: n for hour, n in loaded.expected.hours.items() if begin <= hour < stop}
    found = loaded.tenant.client.series("events", first, end, "hour")
    assert {hour: n for hour, n in found.items() if n} == expected
    assert len(found) == 365 * 24


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("who", ["users", "accounts"])
def test_active_people_and_accounts_equal_on_every_day(loaded: Loaded, who: str, window: int) -> None:
    expected = loaded.expected
    active = expected.active_users if who == "users" else expected.active_accounts
    days = {
        expected.calendar.start_of(day): active(day, window) for day in expected.calendar.days(FIRST, END)
    }
    assert loaded.tenant.client.series(f"active_{who}_{window}d", FIRST, END, "day") == days


@pytest.mark.parametrize("grain", ["week", "month"])
def test_at_a_coarser_grain_it_is_the_figure_of_the_last_day(loaded: Loaded, grain: str) -> None:
    calendar = loaded.expected.calendar
    first = calendar.bucket_day(date(2013, 1, 7), grain)
    end = calendar.bucket_day(date(2026, 9, 7), grain)
    days = {
        calendar.start_of(bucket): loaded.expected.active_users(stop - date.resolution, 28)
        for bucket, (_, stop) in calendar.buckets(first, end, grain).items()
    }
    assert loaded.tenant.client.series("active_users_28d", first, end, grain) == days


def test_stickiness_equals_on_every_day(loaded: Loaded) -> None:
    calendar = loaded.expected.calendar
    found = loaded.tenant.client.series("stickiness", FIRST, END, "day")
    assert len(found) == (END - FIRST).days
    for day in calendar.days(FIRST, END):
        exact = loaded.expected.stickiness(day)
        assert found[calendar.start_of(day)] == (
            None if exact is None else pytest.approx(float(exact), rel=1e-12)
        )


def test_login_trend_equals_on_every_day(loaded: Loaded) -> None:
    calendar = loaded.expected.calendar
    found = loaded.tenant.client.series("login_trend", FIRST, END, "day")
    for day in calendar.days(FIRST, END):
        exact = loaded.expected.login_trend(day)
        near = None if exact is None else pytest.approx(float(exact), rel=1e-12, abs=1e-15)
        assert found[calendar.start_of(day)] == near, day


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
