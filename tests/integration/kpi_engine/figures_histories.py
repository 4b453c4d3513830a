"""Random histories of a small tenant, and the catalogue they are counted by."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_stage import Ev
from tests.integration.kpi_engine.plain_figures import PASSIVE

from common.catalogue.models import Catalogue, EventType, Measure, Settings

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
            measure("spent", "sum", event_types=("feature.used",), field="data.value", scale=2, grain="hour"),
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


def numbered(drawn: Sequence[tuple[str, datetime, str, str | None, dict[str, Any]]]) -> list[Ev]:
    return [
        Ev(kind, at, f"e{index}", account, user if account else None, data)
        for index, (kind, at, account, user, data) in enumerate(drawn)
    ]
