"""Adoption through the engine: worked examples on the edges, and every figure against plain code over the raw events."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.conftest import Known, Stages
from tests.integration.figures.stories import as_events
from tests.integration.figures.test_figures_match_the_oracle import ZONES
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.adoption import Adoption
from tests.reference.calendar import Calendar
from tests.reference.lifecycles import Lifecycles

from common.catalogue import Catalogue
from common.figures import Figure, Query, query

DAY = timedelta(days=1)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
METRICS = ("value_active_accounts", "adoption_rate", "adopted_accounts", "seats_used", "activity_churn")


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    local = base_pack.settings.model_copy(update={"timezone": "Europe/Berlin"})
    return stages(base_pack.model_copy(update={"settings": local}), NOW)


def ask(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(metrics, **{"grain": "day", **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


def on(stage: Stage, metric: str, day: date) -> Figure:
    (figure,) = ask(stage, metric, start=day, end=day + DAY)
    return figure


def used(n: int, day: date, user: str | None, account: str = "acme") -> Ev:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return Ev("feature.used", at, f"u{n}", account, user, {"feature": "export"})


def seats(n: int, number: Any, account: str = "acme") -> Ev:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Ev("account.updated", at, f"s{n}", account, None, {"traits": {"seats": number}})


def test_value_needs_five_actions_by_two_people_in_twenty_eight_days(stage: Stage) -> None:
    first = date(2026, 5, 1)
    stage.write([used(n, first, "ann") for n in range(4)])
    stage.write([used(9, first + DAY, None)])
    assert on(stage, "value_active_accounts", first + DAY).value == 0
    stage.write([used(10, first + DAY, "bob")])
    assert on(stage, "value_active_accounts", first + DAY).value == 1
    assert on(stage, "value_active_accounts", first + 27 * DAY).value == 1
    assert on(stage, "value_active_accounts", first + 28 * DAY).value == 0


def test_people_are_counted_against_the_seats_of_accounts_that_have_some(stage: Stage) -> None:
    day = date(2026, 5, 1)
    stage.write([seats(1, 4), seats(2, 0, "bolt"), seats(3, "6", "core"), seats(4, "many", "dune")])
    stage.write([used(n, day, user, account) for n, (user, account) in enumerate(
        [("ann", "acme"), ("bob", "acme"), ("eve", "bolt"), ("eve", "dune"), ("eve", "core")]
    )])  # fmt: skip
    rate = on(stage, "adoption_rate", day)
    assert (rate.value, rate.numerator, rate.denominator) == (0.3, 3, 10)
    assert on(stage, "adoption_rate", day + 28 * DAY).value == 0


@pytest.mark.parametrize("told", ["1e400", "1e4000000", "3/4", "-inf", "1_0", 1e300, 10**18])
def test_seats_that_are_no_plain_number_are_as_if_not_told(stage: Stage, told: object) -> None:
    day = date(2026, 5, 1)
    stage.write([seats(1, 4), seats(2, told, "bolt"), used(1, day, "ann"), used(2, day, "bob", "bolt")])
    rate = on(stage, "adoption_rate", day)
    assert (rate.value, rate.numerator, rate.denominator) == (0.25, 1, 4)
    assert on(stage, "seats_used", day).value == 1
    assert on(stage, "adopted_accounts", day).value == 0


def test_an_account_is_adopted_with_half_its_seats_in_three_of_four_weeks(stage: Stage) -> None:
    day = date(2026, 5, 28)
    stage.write([seats(1, 3)])
    events = [
        used(10 * week + n, day - 7 * week * DAY, user) for week in (0, 2, 3) for n, user in enumerate("ab")
    ]
    stage.write(events[:-1])
    assert on(stage, "adopted_accounts", day).value == 0
    stage.write(events[-1:])
    assert on(stage, "adopted_accounts", day).value == 1
    assert on(stage, "adopted_accounts", day - DAY).value == 0


def test_silence_is_measured_by_the_accounts_own_rhythm(stage: Stage) -> None:
    first = date(2026, 1, 5)
    stage.write([used(n, first + n * DAY, "ann", "daily") for n in range(40)])
    stage.write([used(n, first + 10 * n * DAY, "ann", "slow") for n in range(5)])
    last = first + 40 * DAY
    # Daily: silent after 14 days. Every ten days: after 30.
    churn = [on(stage, "activity_churn", last + n * DAY) for n in (12, 13, 26, 27, 29, 30)]
    assert [(figure.numerator, figure.denominator) for figure in churn] == [
        (0, 2),
        (1, 2),
        (1, 2),
        (0, 1),
        (0, 1),
        (1, 1),
    ]


def test_a_closed_account_has_no_seats_until_it_is_created_again(stage: Stage) -> None:
    day = date(2026, 5, 8)
    closed = datetime(2026, 5, 10, 9, tzinfo=UTC)
    stage.write([Ev("account.created", closed + 5 * DAY, "again", "acme")])
    weekly = [used(10 * n + k, day - 7 * n * DAY, user) for n in range(4) for k, user in enumerate("ab")]
    stage.write([seats(1, 2), seats(2, 8, "bolt"), *weekly])
    stage.write([Ev("account.updated", closed + 2 * DAY, "late", "acme", None, {"traits": {"seats": 3}})])
    stage.write([Ev("account.closed", closed, "end", "acme", None, {"reason": "moved"})])
    told = {
        back: (on(stage, "adoption_rate", at).denominator, on(stage, "seats_used", at).value)
        for back in (-1, 0, 1, 5, 6)
        for at in [closed.date() + back * DAY]
    }
    assert told == {-1: (10, 2), 0: (10, 2), 1: (8, 0), 5: (8, 0), 6: (11, 2)}
    adopted = [on(stage, "adopted_accounts", closed.date() + n * DAY).value for n in (0, 1, 6)]
    assert adopted == [1, 0, 1]


def sold(n: int, kind: str, at: datetime, subscription: str = "s", **more: Any) -> Ev:
    fee = {} if kind == "cancelled" else {"mrr": "0", "currency": "EUR"}
    return Ev(
        f"subscription.{kind}", at, f"b{n}", "acme", None, {"subscription": subscription, **fee, **more}
    )


def test_where_the_trait_says_no_seats_those_of_running_subscriptions_count(stage: Stage) -> None:
    start, day = datetime(2026, 5, 1, 9, tzinfo=UTC), date(2026, 5, 1)

    def told(*days: int) -> list[Any]:
        return [on(stage, "adoption_rate", day + n * DAY).denominator for n in days]

    stage.write([sold(6, "cancelled", start + 20 * DAY, effective_at=(start + 30 * DAY).isoformat())])
    stage.write([sold(3, "changed", start + 10 * DAY, seats=8), used(1, day, "ann")])
    stage.write([sold(1, "started", start, seats=5), sold(2, "started", start + 5 * DAY, "t", seats=2.5)])
    stage.write(
        [sold(4, "changed", start + 12 * DAY), sold(5, "changed", start + 14 * DAY, "t", seats="many")]
    )
    assert told(0, 1, 5, 6, 11, 15, 30) == [0, 5, 5, 7.5, 10.5, 10.5, 10.5]
    assert told(31) == [2.5]
    stage.write([Ev("account.updated", start + 2 * DAY, "t1", "acme", None, {"traits": {"seats": 4}})])
    stage.write([Ev("account.updated", start + 8 * DAY, "t2", "acme", None, {"traits": {"seats": None}})])
    assert told(2, 3, 8, 9, 11) == [5, 4, 4, 7.5, 10.5]
    assert on(stage, "seats_used", day + 9 * DAY).value == 1
    assert on(stage, "feature_breadth", day + 9 * DAY).denominator == 0


SUBSCRIBED = tuple(f"subscription.{kind}" for kind in ("started", "changed", "renewed", "cancelled"))
subscribed = st.fixed_dictionaries(
    {"subscription": st.sampled_from(["s", "t"])},
    optional={
        "seats": st.sampled_from([1, 2, 2.5, 0, "x", None, -1]),
        "effective_at": st.sampled_from([(NOW - n * DAY).isoformat() for n in (50, 28, 14, 3)]),
        "term_end": st.sampled_from([(NOW - n * DAY).isoformat() for n in (40, 29, 14, -20)]),
    },
)


@st.composite
def lives(draw: st.DrawFn) -> tuple[str, datetime, str, str | None, dict[str, Any]]:
    told = [
        "user.logged_in",
        "account.updated",
        "user.updated",
        "account.created",
        "account.closed",
        *SUBSCRIBED,
    ]
    kind = draw(st.sampled_from(["feature.used"] * 8 + told))
    at = (
        NOW
        - draw(st.integers(0, 75)) * DAY
        - timedelta(hours=draw(st.sampled_from([0, 2, 6, 12, 14, 15, 22])))
    )
    user: str | None = draw(st.sampled_from(["ann", "bob", "eve", None]))
    data: dict[str, Any] = {}
    if kind == "account.updated":
        seats_told = st.sampled_from([1, 2, 3, 4.5, 0, None, "x", True])
        data = {
            "traits": draw(
                st.fixed_dictionaries(
                    {}, optional={"seats": seats_told, "segment": st.sampled_from(["a", "b"])}
                )
            )
        }
    elif kind == "user.updated":
        user, data = user or "ann", {"traits": {"is_internal": draw(st.booleans())}}
    elif kind == "feature.used":
        data = {"feature": "export"}
    elif kind in SUBSCRIBED:
        user, data = None, draw(subscribed)
        data |= {"mrr": "10", "currency": "EUR"} if kind != "subscription.cancelled" else {}
    elif kind == "user.logged_in":
        user = user or "bob"
    else:
        user = None
    return kind, at, draw(st.sampled_from(["acme", "bolt"])), user, data


def regulars() -> list[Ev]:
    """Somebody who uses half the seats each week, and an account that fell silent three weeks ago."""

    def at(back: int) -> date:
        return (NOW - back * DAY).date()

    weekly = [used(n, at(back), "kim", "core") for n, back in enumerate((1, 8, 15, 22, 29))]
    return [seats(1, 2, "core"), *weekly, used(9, at(21), "kim", "dune")]


@given(
    drawn=st.lists(lives(), min_size=20, max_size=60),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    by=st.sampled_from([None, "segment", "account"]),
    grain=st.sampled_from(["week", "day"]),
    zone=st.sampled_from(ZONES),
)
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_of_adoption_equals_the_reference(
    stage: Stage, known: Known, drawn: list[Any], seed: int, cuts: list[int], by: str | None, grain: str, zone: str
) -> None:  # fmt: skip
    happened = [
        Ev(kind, at, f"e{n}", account, user, data) for n, (kind, at, account, user, data) in enumerate(drawn)
    ]
    happened += regulars()
    arriving = list(happened)
    random.Random(seed).shuffle(arriving)
    local = stage.catalogue.settings.model_copy(update={"timezone": zone})
    stage.reset(stage.catalogue.model_copy(update={"settings": local}))
    for batch in split(arriving, cuts):
        if batch:
            stage.write(batch)
    calendar = Calendar(ZoneInfo(zone))
    traits = Lifecycles(as_events(happened), calendar, NOW + DAY)
    plain = Adoption(as_events(happened), calendar, traits, NOW)
    span = {"start": date(2026, 6, 1), "end": date(2026, 7, 2)} if grain == "week" else {
        "start": date(2026, 6, 24), "end": date(2026, 7, 2)
    }  # fmt: skip
    for figure in ask(stage, *METRICS, grain=grain, group_by=(by,) if by else (), limit=10_000, **span):
        day = calendar.day_of(datetime.fromisoformat(figure.end) - timedelta(microseconds=1))
        known(figure)
        assert shown(figure) == expected(plain, figure.metric, day, by, figure.group.get(by or "")), figure


def shown(figure: Figure) -> Any:
    return (figure.value, figure.numerator, figure.denominator) if figure.unit == "ratio" else figure.value


def expected(plain: Adoption, metric: str, day: date, by: str | None, group: Any) -> Any:
    start = plain.calendar.start_of(day)

    def place(account: str) -> Any:
        if by is None or by == "account":
            return by and account
        return plain.traits.trait(account, by, start)

    members = [account for account in plain.accounts if place(account) == group]
    if metric == "value_active_accounts":
        return sum(plain.is_value_active(account, day) for account in members)
    if metric == "adopted_accounts":
        return sum(plain.is_adopted(account, day) for account in members)
    if metric == "activity_churn":
        judged = [plain.silence(account, day) for account in members]
        part, whole = sum(gone for _, gone in judged), sum(then for then, _ in judged)
        return (part / whole if whole else None), part, whole
    seated = [(account, number) for account in members if (number := plain.seats(account, day))]
    people = sum(plain.people(account, day, 28) for account, _ in seated)
    if metric == "seats_used":
        return sum(min(number, plain.people(account, day, 28)) for account, number in seated)
    total = sum(number for _, number in seated)
    return (float(people / total) if total else None), people, total
