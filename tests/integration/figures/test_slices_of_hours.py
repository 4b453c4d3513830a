"""What is kept by hour lies in the slice of its own local day: wherever a range ends, and where midnight comes twice."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage
from tests.reference.calendar import Calendar

from common.catalogue import Catalogue
from common.figures import Query, query

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
# In Havana and on the Azores clocks go back from one o'clock to midnight.
CHANGES = {
    "America/Havana": datetime(2025, 11, 2, 5, tzinfo=UTC),
    "Atlantic/Azores": datetime(2025, 10, 26, 1, tzinfo=UTC),
    "Asia/Kathmandu": datetime(2026, 2, 1, 18, 15, tzinfo=UTC),
}
HOURS = st.integers(-60, 60)
Plans = Mapping[str, list[tuple[datetime, str]]]


@pytest.fixture(scope="module")
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


def in_zone(catalogue: Catalogue, zone: str) -> Catalogue:
    return catalogue.model_copy(update={"settings": catalogue.settings.model_copy(update={"timezone": zone})})


def plan_of(said: list[tuple[datetime, str]], day_start: datetime) -> str | None:
    return next((plan for at, plan in sorted(said, reverse=True) if at < day_start), None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(sorted(CHANGES)),
    grain=st.sampled_from(("hour", "day", "total")),
    ends=st.tuples(HOURS, HOURS).filter(lambda ends: ends[0] < ends[1]),
    logins=st.lists(st.tuples(st.sampled_from("ab"), HOURS), min_size=1, max_size=30),
    changes=st.lists(st.tuples(st.sampled_from("ab"), HOURS, st.sampled_from("xyz")), max_size=6, unique_by=lambda said: said[:2]),
)  # fmt: skip
def test_every_hour_lies_in_the_slice_of_its_day(
    stage: Stage, base_pack: Catalogue, zone: str, grain: str, ends: tuple[int, int],
    logins: list[tuple[str, int]], changes: list[tuple[str, int, str]],
) -> None:  # fmt: skip
    calendar, middle = Calendar(ZoneInfo(zone)), CHANGES[zone]

    def at(hours: int) -> datetime:
        return middle + hours * timedelta(hours=1)

    stage.reset(in_zone(base_pack, zone))
    half = timedelta(minutes=20)
    stage.write([Ev("user.logged_in", at(hours) + half, f"l{n}", account, "ada") for n, (account, hours) in enumerate(logins)])  # fmt: skip
    stage.write([Ev("account.updated", at(hours), f"t{n}", account, data={"traits": {"plan": plan}}) for n, (account, hours, plan) in enumerate(changes)])  # fmt: skip
    said: Plans = {name: [(at(hours), plan) for account, hours, plan in changes if account == name] for name in "ab"}  # fmt: skip
    # The ends of a question are widened to whole local hours.
    first, last = calendar.hour_of(at(ends[0])), calendar.hour_of(at(ends[1]) - half) + timedelta(hours=1)
    expected: Counter[tuple[str | None, date | datetime | None]] = Counter()
    for account, hours in logins:
        done = at(hours) + half
        if first <= done < last:
            plan = plan_of(said[account], calendar.start_of(calendar.day_of(done)))
            bucket = {"hour": calendar.hour_of(done), "day": calendar.day_of(done), "total": None}[grain]
            expected[plan, bucket] += 1
    asked = Query(("portal_logins",), first, last, grain, ("plan",), contributing=True)  # type: ignore[arg-type]
    found: Counter[tuple[object, date | datetime | None]] = Counter()
    for figure in query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW).figures:
        begins = datetime.fromisoformat(figure.bucket)
        bucket = {"hour": begins.astimezone(UTC), "day": begins.date(), "total": None}[grain]
        found[figure.group["plan"], bucket] += int(figure.value or 0)
    assert +found == expected
