"""The other figures of the pack, on a generated year: logins, complaints, trends, NPS; internal people left out."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.client import Client
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.reference.activity import Activity
from tests.reference.calendar import Calendar
from tests.reference.events import Event, Json, events_of
from tests.reference.surveys import nps_on, relationship_answers

ZONE = "Asia/Kolkata"
FIRST, END = date(2025, 1, 1), date(2026, 2, 1)
TYPES = (
    "user.logged_in",
    "user.logged_in",
    "feature.used",
    "complaint.filed",
    "invoice.paid",
    "brewery.opened",
)


@dataclass(frozen=True)
class World:
    client: Client
    events: list[Event]
    expected: Activity

    @property
    def calendar(self) -> Calendar:
        return self.expected.calendar


def body(
    rng: random.Random, number: int, event_type: str, account: str, user: str | None, **data: object
) -> Json:
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(380 * 86_400))
    return {
        "specversion": "1.0", "id": str(number), "source": rng.choice(("/app", "/crm")), "type": event_type,
        "subject": account, "time": at.isoformat(), "data": {**({"user": user} if user else {}), **data},
    }  # fmt: skip


def fields(rng: random.Random, event_type: str, number: int) -> dict[str, object]:
    by_type: dict[str, dict[str, object]] = {
        "feature.used": {"feature": rng.choice(("export", "share"))},
        "complaint.filed": {"complaint": f"c{number}", "severity": "high"},
        "invoice.paid": {"invoice": f"i{number}", "amount": "10.00", "currency": "EUR"},
    }
    return by_type.get(event_type, {})


def survey(rng: random.Random, number: int, account: str, user: str) -> Json:
    kind = rng.choice(("nps", "nps", "nps", "csat"))
    score = rng.randrange(11) if kind == "nps" else rng.randrange(1, 6)
    extra: dict[str, object] = {"transactional": True} if rng.random() < 0.2 else {}
    return body(
        rng, number, "survey.responded", account, user, survey=f"s{number}", kind=kind, score=score, **extra
    )


def mark(rng: random.Random, number: int, account: str, user: str, internal: bool | None) -> Json:
    return body(rng, number, "user.updated", account, user, traits={"is_internal": internal})


def world_of(seed: int) -> list[Json]:
    """Some people are internal from late on, some only for a while; a tenth of the events comes twice."""
    rng = random.Random(seed)
    bodies: list[Json] = []
    for number in range(4000):
        account, user = f"acct-{rng.randrange(25)}", f"user-{int(rng.paretovariate(1)) % 12}"
        draw = rng.random()
        if draw < 0.03:
            bodies.append(mark(rng, number, account, user, rng.choice((True, True, False, None))))
        elif draw < 0.2:
            bodies.append(survey(rng, number, account, user))
        else:
            kind = rng.choice(TYPES)
            named = user if rng.random() < 0.9 or kind == "user.logged_in" else None
            bodies.append(body(rng, number, kind, account, named, **fields(rng, kind, number)))
    bodies += rng.sample(bodies, 400)
    rng.shuffle(bodies)
    return bodies


@pytest.fixture(scope="module")
def world(stack: Stack, new_tenant: Callable[..., Tenant]) -> World:
    tenant = new_tenant("figures", {"settings.yaml": f"timezone: {ZONE}\n"})
    bodies = world_of(11)
    tenant.client.post_all(bodies, batch=250)
    stack.wait_applied()
    events = events_of(bodies)
    return World(tenant.client, events, Activity(events, Calendar(ZoneInfo(ZONE))))


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize(
    ("metric", "method"),
    [("portal_logins", "portal_logins"), ("complaints", "complaints_filed"), ("events", "events")],
)
def test_counts_are_equal_at_every_grain(world: World, metric: str, method: str, grain: str) -> None:
    count: Callable[[date, date], int] = getattr(world.expected, method)
    expected = {
        world.calendar.start_of(bucket): count(first, end)
        for bucket, (first, end) in world.calendar.buckets(FIRST, END, grain).items()
    }
    assert world.client.series(metric, FIRST, END, grain) == expected


@pytest.mark.parametrize("window", [1, 7, 28])
@pytest.mark.parametrize("who", ["users", "accounts"])
def test_active_figures_leave_internal_people_out(world: World, who: str, window: int) -> None:
    active = world.expected.active_users if who == "users" else world.expected.active_accounts
    expected = {world.calendar.start_of(day): active(day, window) for day in world.calendar.days(FIRST, END)}
    assert world.client.series(f"active_{who}_{window}d", FIRST, END, "day") == expected


@pytest.mark.parametrize("metric", ["stickiness", "login_trend", "portal_logins_per_day"])
def test_ratios_are_equal_on_every_day(world: World, metric: str) -> None:
    found = world.client.series(metric, FIRST, END, "day")
    for day in world.calendar.days(FIRST, END):
        exact = getattr(world.expected, metric)(day)
        near = None if exact is None else pytest.approx(float(exact), rel=1e-12, abs=1e-15)
        assert found[world.calendar.start_of(day)] == near, day


@pytest.mark.parametrize("grain", ["day", "month"])
def test_nps_takes_everybodys_latest_relationship_answer(world: World, grain: str) -> None:
    answers = relationship_answers(world.events)
    rows = {row.bucket: row for row in world.client.query("nps", FIRST, END, grain)}
    buckets = world.calendar.buckets(FIRST, END, grain)
    assert len(rows) == len(buckets)
    for bucket, (_, end) in buckets.items():
        exact = nps_on(answers, world.calendar, end - date.resolution)
        row = rows[world.calendar.start_of(bucket)]
        assert (row.numerator, row.denominator) == (exact.promoters - exact.detractors, exact.answers), bucket
        if exact.value is None:
            assert row.value is None
        else:
            scale = 100 if row.raw["unit"] == "points" else 1
            assert row.value == pytest.approx(float(exact.value) * scale, rel=1e-12, abs=1e-12), bucket


def test_accounts_add_up_to_the_whole(world: World) -> None:
    accounts = sorted({event.account for event in world.events})
    each = [world.client.figure("events", FIRST, END, accounts=[account]).value for account in accounts]
    assert sum(each) == world.client.figure("events", FIRST, END).value
