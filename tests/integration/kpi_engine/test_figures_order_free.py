"""The same events in any order and any batches leave the same tables, and these equal plain arithmetic over all events."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_stage import Ev, Stage, cells, split
from tests.integration.kpi_engine.plain_figures import PASSIVE, PlainFigures

from common.catalogue.models import Catalogue, EventType, Measure, Settings
from common.clock import FixedClock

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Around a clock change in the zone below, then further and further away.
AROUND = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
ZONE = "Europe/Berlin"


def measure(name: str, agg: str, **more: Any) -> Measure:
    return Measure.model_validate({"name": name, "agg": agg, **more})


CATALOGUE = Catalogue(
    settings=Settings(timezone=ZONE),
    event_types={name: EventType(name=name, activity=False) for name in PASSIVE},
    measures={
        made.name: made
        for made in (
            measure("events", "count", event_types=("*",), grain="hour", exclude_internal=False),
            measure("portal_logins", "count", event_types=("user.logged_in",), grain="hour"),
            measure("minutes", "sum", event_types=("feature.used",), field="data.value", scale=2),
            measure(
                "exports", "count", event_types=("feature.used",), where="event.data.feature == 'export'"
            ),
            measure("active_users", "distinct", activity=True, windows=(7, 28)),
            measure(
                "features", "distinct", event_types=("feature.used",), field="data.feature", windows=(7,)
            ),
            measure("active_accounts", "active_accounts", windows=(7, 28)),
            measure("seats", "last", event_types=("seats.counted",), field="data.seats"),
            measure("nps", "nps"),
            measure("mrr", "mrr"),
        )
    },
)

accounts = st.sampled_from(["acme", "globex"])
users = st.sampled_from(["ann", "bob"])
moments = st.one_of(
    st.integers(0, 5 * 24).map(lambda hours: AROUND + timedelta(minutes=20 * hours)),
    st.integers(-40, 200).map(lambda days: AROUND + timedelta(days=days)),
)


@st.composite
def events(draw: st.DrawFn) -> tuple[str, datetime, str, str | None, dict[str, Any]]:
    kind = draw(
        st.sampled_from(
            ["user.logged_in", "feature.used", "user.updated", "survey.responded", "seats.counted", "ping"]
        )
    )
    at, account, user = draw(moments), draw(accounts), draw(users)
    if kind == "ping":
        return kind, at, draw(st.sampled_from(["", account])), draw(st.none() | users), {}
    if kind == "feature.used":
        data = {"feature": draw(st.sampled_from(["export", "import"]))}
        value = draw(st.none() | st.decimals("-5", "5", places=2).map(str))
        return kind, at, account, draw(st.none() | users), {**data, **({"value": value} if value else {})}
    if kind == "user.updated":
        return (
            kind,
            at,
            account,
            user,
            {"traits": {"is_internal": draw(st.sampled_from([True, False, None]))}},
        )
    if kind == "survey.responded":
        score, transactional = draw(st.integers(0, 10)), draw(st.booleans())
        return kind, at, account, user, {
            "survey": "s", "kind": "nps", "score": score, "transactional": transactional,
        }  # fmt: skip
    if kind == "seats.counted":
        return kind, at, account, user, {"seats": draw(st.integers(0, 99))}
    return kind, at, account, user, {}


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, CATALOGUE, FixedClock(NOW))
    yield made
    made.close()


def numbered(drawn: Sequence[tuple[str, datetime, str, str | None, dict[str, Any]]]) -> list[Ev]:
    return [
        Ev(kind, at, f"e{index}", account, user if account else None, data)
        for index, (kind, at, account, user, data) in enumerate(drawn)
    ]


@given(
    drawn=st.lists(events(), min_size=1, max_size=30),
    shuffle=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(0, 100), max_size=6),
    raw_first=st.booleans(),
)
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_and_any_batches_give_what_plain_arithmetic_gives(
    stage: Stage, drawn: list[Any], shuffle: Any, cuts: list[int], raw_first: bool
) -> None:
    happened = numbered(drawn)
    arriving = list(happened)
    shuffle.shuffle(arriving)
    stage.reset()
    for batch in split(arriving, cuts):
        stage.write(batch, raw_first=raw_first)
    plain = PlainFigures(happened, ZoneInfo(ZONE))
    assert cells(stage, "measure_hour") == plain.measure_hour
    assert cells(stage, "measure_day") == plain.measure_day
    assert cells(stage, "total_hour") == plain.totals(plain.measure_hour)
    assert cells(stage, "total_day") == plain.totals(plain.measure_day)
    assert seats(stage) == plain.last_seats
    assert traits(stage) == plain.traits
    assert last_activity(stage) == plain.last_activity()
    assert internal(stage) == plain.internal


def seats(stage: Stage) -> dict[tuple[str, Any], Any]:
    rows = stage.rows(
        "select a.name, v.day, v.value from engine.last_value v join engine.account a on a.id = v.account_id"
    )
    return {(account, day): value for account, day, value in rows}


def traits(stage: Stage) -> set[tuple[Any, ...]]:
    rows = stage.rows(
        """select a.name, coalesce(p.name, ''), t.name, t.at, t.value::text from engine.trait t
           join engine.account a on a.id = t.account_id left join engine.person p on p.id = t.person_id"""
    )
    return set(rows)


def last_activity(stage: Stage) -> dict[str, datetime | None]:
    rows = stage.rows(
        "select a.name, s.last_activity_at from engine.account_seen s join engine.account a on a.id = s.account_id"
    )
    return dict(rows)


def internal(stage: Stage) -> set[tuple[str, str]]:
    rows = stage.rows(
        "select a.name, p.name from engine.person p join engine.account a on a.id = p.account_id where p.is_internal"
    )
    return set(rows)
