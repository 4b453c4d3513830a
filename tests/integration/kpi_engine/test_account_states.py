"""What is true of an account now: against plain arithmetic, as days pass, and as revenue lapses."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_histories import AROUND, CATALOGUE, NOW, ZONE, events, numbered
from tests.integration.kpi_engine.figures_stage import Ev, Stage, partition_of
from tests.integration.kpi_engine.plain_figures import DAY, PlainFigures

from common.catalogue import load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from kpi_engine.adapters.state_queries import DUE
from kpi_engine.adapters.state_store import PostgresStateStore
from kpi_engine.use_cases.account_states import AccountStates

TODAY = NOW.astimezone(ZoneInfo(ZONE)).date()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def stage(postgres_url: str, clock: FixedClock) -> Iterator[Stage]:
    made = Stage(postgres_url, CATALOGUE, clock)
    yield made
    made.close()


class Teller:
    """Computes states on the stage and tells what they say."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.states = AccountStates(PostgresStateStore())

    def compute(self, now: datetime, *names: str) -> int:
        accounts = [self.stage.account(name) for name in names]
        with self.stage.conn.transaction():
            return self.states.compute(
                self.stage.conn, self.stage.tenant_id, self.stage.catalogue, accounts, now, now
            )

    def state(self, name: str) -> dict[str, Any]:
        cursor = self.stage.conn.execute(
            "select s.* from engine.account_state s where account_id = %s", (self.stage.account(name),)
        )
        row = cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        return dict(zip([column.name for column in cursor.description], row, strict=True))

    def figures(self, name: str, now: datetime = NOW) -> dict[str, Any]:
        self.compute(now, name)
        figures = self.state(name)["figures"]
        assert isinstance(figures, dict)
        return figures


@pytest.fixture
def teller(stage: Stage) -> Teller:
    return Teller(stage)


def logins(account: str, user: str, *days: date) -> list[Ev]:
    return [
        Ev("user.logged_in", datetime(day.year, day.month, day.day, 12, tzinfo=UTC), f"{account}-{user}-{day}", account, user)
        for day in days
    ]  # fmt: skip


def expected(plain: PlainFigures, account: str, today: date) -> dict[str, Any]:
    """Straight from the sums and sets of plain arithmetic."""
    tomorrow = today + DAY

    def days(measure: str, first: date, end: date) -> int:
        return sum(
            v for (m, a, d), v in plain.days.items() if (m, a) == (measure, account) and first <= d < end
        )

    recent = days("active_users", today - 28 * DAY, today)
    base = days("active_users", today - 56 * DAY, today - 28 * DAY)
    active = sorted(
        d
        for (m, a, d), v in plain.days.items()
        if (m, a) == ("active_accounts", account) and v and today - 180 * DAY < d <= today
    )
    gaps = [(after - before).days for before, after in pairwise(active)]
    last = plain.last_activity().get(account)
    return {
        "events_28d": sum(
            1 for e in plain.events if e.account == account and plain.day(e.at) > today - 28 * DAY
        ),
        "active_users_7d": days("active_users_7d", date.min, tomorrow),
        "active_users_28d": days("active_users_28d", date.min, tomorrow),
        "user_days_28d": recent,
        "user_days_base": base,
        "login_trend": pytest.approx(recent / base - 1) if base >= 8 else None,
        "days_silent": max((today - plain.day(last)).days, 0) if last else None,
        "usual_gap_days": median(gaps) if gaps else None,
        "complaints_7d": None,
        "mrr": 0,
    }


@given(drawn=st.lists(events(), min_size=1, max_size=60), later_days=st.integers(-20, 60))
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_figures_equal_plain_arithmetic(stage: Stage, drawn: list[Any], later_days: int) -> None:
    now = AROUND + timedelta(days=later_days, hours=5)
    happened = [event for event in numbered(drawn) if event.at <= now]
    stage.reset()
    stage.write(happened)
    plain = PlainFigures(happened, ZoneInfo(ZONE))
    today = plain.day(now)
    for account in {event.account for event in happened if event.account}:
        figures = Teller(stage).figures(account, now)
        wanted = expected(plain, account, today)
        assert {name: figures[name] for name in wanted} == wanted


def test_a_trend_is_told_apart_from_that_of_the_segment(stage: Stage, teller: Teller) -> None:
    before, after = TODAY - 40 * DAY, TODAY - 20 * DAY
    segment = {"traits": {"segment": "smb"}}
    stage.write(
        [
            Ev("account.updated", NOW - 90 * DAY, "1", "falls", data=segment),
            Ev("account.updated", NOW - 90 * DAY, "2", "holds", data=segment),
            *logins("falls", "ann", *(before + i * DAY for i in range(10))),
            *logins("falls", "ann", *(after + i * DAY for i in range(5))),
            *logins("holds", "bob", *(before + i * DAY for i in range(10))),
            *logins("holds", "bob", *(after + i * DAY for i in range(10))),
            Ev("account.updated", NOW - 30 * DAY, "3", "new", data=segment),
            *logins("new", "eve", *(after + i * DAY for i in range(15))),
        ]
    )
    figures = teller.figures("falls")
    assert figures["segment"] == "smb"
    assert figures["login_trend"] == pytest.approx(-0.5)
    assert figures["segment_login_trend"] == pytest.approx(-0.25)
    assert figures["login_trend_vs_segment"] == pytest.approx(-0.25)
    figures = teller.figures("new")
    assert (figures["login_trend"], figures["segment_login_trend"]) == (None, pytest.approx(-0.25))


def test_traits_are_the_latest_ones_and_null_clears(stage: Stage, teller: Teller) -> None:
    stage.write(
        [
            Ev("account.updated", NOW - DAY, "2", "acme", data={"traits": {"plan": "pro", "stage": None}}),
            Ev("account.created", NOW - 2 * DAY, "1", "acme", data={"traits": {"plan": "free", "stage": "trial", "seats": 5}}),
        ]
    )  # fmt: skip
    teller.compute(NOW, "acme")
    state = teller.state("acme")
    assert state["traits"] == {"plan": "pro", "seats": 5}
    assert state["figures"]["stage"] is None


def test_a_closed_account_says_when_and_why(stage: Stage, teller: Teller) -> None:
    at = NOW - DAY
    stage.write([Ev("account.closed", at, "1", "acme", data={"reason": "went bust"})])
    teller.compute(NOW, "acme")
    traits = teller.state("acme")["traits"]
    assert traits["closed"] is True
    assert traits["closed_reason"] == "went bust"
    assert datetime.fromisoformat(traits["closed_at"]) == at
    stage.write(
        [Ev("account.updated", NOW - timedelta(hours=2), "2", "acme", data={"traits": {"plan": "pro"}})]
    )
    teller.compute(NOW, "acme")
    assert teller.state("acme")["traits"]["closed"] is True
    stage.write([Ev("account.created", NOW - timedelta(hours=1), "3", "acme")])
    teller.compute(NOW, "acme")
    assert teller.state("acme")["traits"] == {"plan": "pro"}


def test_the_latest_answer_of_somebody_who_counts_is_shown(stage: Stage, teller: Teller) -> None:
    answer = {"survey": "s", "kind": "nps"}
    stage.write(
        [
            Ev("survey.responded", NOW - 9 * DAY, "1", "acme", "ann", {**answer, "score": 9}),
            Ev("survey.responded", NOW - 8 * DAY, "2", "acme", "bob", {**answer, "score": 3}),
            Ev("survey.responded", NOW - 7 * DAY, "3", "acme", "eve", {**answer, "score": 0, "transactional": True}),
        ]
    )  # fmt: skip
    assert teller.figures("acme")["nps_latest"] == 3
    stage.write([Ev("user.updated", NOW, "4", "acme", "bob", {"traits": {"is_internal": True}})])
    assert teller.figures("acme")["nps_latest"] == 9


def subscribed(at: datetime, mrr: str, **more: Any) -> dict[str, Any]:
    return {"subscription": "s1", "mrr": mrr, "currency": "EUR", **more}


def test_revenue_announced_for_later_is_due_then(stage: Stage, teller: Teller) -> None:
    soon = NOW + timedelta(hours=1)
    stage.write(
        [
            Ev("subscription.started", NOW - DAY, "1", "acme", data=subscribed(NOW, "100.10")),
            Ev("subscription.changed", NOW - DAY, "2", "acme", data=subscribed(NOW, "250.25", effective_at=soon.isoformat())),
        ]
    )  # fmt: skip
    assert teller.figures("acme")["mrr"] == pytest.approx(100.10)
    assert teller.state("acme")["due_at"] == soon
    assert teller.figures("acme", soon + timedelta(seconds=1))["mrr"] == pytest.approx(250.25)


def test_who_pays_in_another_currency_is_due_when_rates_are_told(stage: Stage, teller: Teller) -> None:
    names, partitions = ("acme", "globex"), [partition_of("acme"), partition_of("globex")]
    paid = {"acme": subscribed(NOW, "100", currency="USD"), "globex": subscribed(NOW, "100")}
    stage.write([Ev("subscription.started", NOW - DAY, name, name, data=paid[name]) for name in names])
    teller.compute(NOW, *names)
    assert (teller.state("acme")["mrr"], teller.figures("acme")["mrr"]) == (None, None)

    def due() -> list[int]:
        found = teller.states.due(stage.conn, NOW, 10, partitions)
        teller.compute(
            NOW, *(name for name in names if stage.account(name) in {account for _, account, _ in found})
        )
        return [account for _, account, _ in found]

    for rate in ("0.9", "0.8"):
        assert due() == []
        tell_dollars(stage, rate)
        assert due() == [stage.account("acme")]
        assert teller.state("acme")["mrr"] == 100 * Decimal(rate)
    teller.states = AccountStates(PostgresStateStore())
    assert due() == [stage.account("acme")], "an engine that begins can't know what was told before"
    assert due() == []


def tell_dollars(stage: Stage, rate: str) -> None:
    """As `bellwether import rates` does."""
    with stage.conn.transaction():
        stage.conn.execute(
            """
            with made as (
              insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run)
              values (gen_random_uuid(), %(tenant)s, 'rates', 'f', now(), 'k', false) returning id
            ), told as (update control.tenant set rates_told = rates_told + 1 where id = %(tenant)s)
            insert into control.rate select %(tenant)s, 'EUR', 'USD', '2026-01-01', %(rate)s, id from made
            on conflict (tenant_id, quote, currency, day) do update set rate = excluded.rate
            """,
            {"tenant": stage.tenant_id, "rate": rate},
        )


def test_a_term_that_lapsed_is_churn_dated_to_its_end(stage: Stage, teller: Teller) -> None:
    term_end = NOW + 5 * DAY
    stage.write(
        [Ev("subscription.started", NOW - DAY, "1", "acme", data=subscribed(NOW, "100", term_end=term_end.isoformat()))]
    )  # fmt: skip
    steps = "select at, delta from engine.mrr_change order by at"
    overdue = term_end + 29 * DAY
    assert teller.figures("acme", overdue)["mrr"] == 100
    assert stage.rows(steps) == [(NOW - DAY, 100)]
    lapsed = term_end + 30 * DAY
    assert teller.figures("acme", lapsed)["mrr"] == 0
    assert stage.rows(steps) == [(NOW - DAY, 100), (term_end, -100)]


def test_every_account_is_due_again_at_the_next_local_midnight(stage: Stage, teller: Teller) -> None:
    stage.write(logins("acme", "ann", TODAY) + logins("globex", "bob", TODAY))
    teller.compute(NOW, "acme", "globex")
    midnight = datetime(2026, 11, 21, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
    assert teller.state("acme")["due_at"] == midnight
    partitions = [partition_of("acme")]
    conn, states = stage.conn, teller.states
    assert states.due(conn, midnight - timedelta(seconds=1), 10, partitions) == []
    assert states.due(conn, midnight, 10, partitions) == [
        (stage.tenant_id, stage.account("acme"), *partitions)
    ]
    assert len(states.due(conn, midnight, 10, [*partitions, partition_of("globex")])) == 2


@pytest.mark.parametrize("analysed", [False, True])
def test_who_is_due_is_found_without_looking_at_everybody(stage: Stage, analysed: bool) -> None:
    """At midnight all accounts are due, and they are asked for a few hundred at a time."""
    stage.conn.execute(
        """with made as (insert into engine.account (tenant_id, name, partition)
                        select %(tenant)s, 'n' || n, n %% 6 from generate_series(1, 20000) n returning id)
           insert into engine.account_state (account_id, tenant_id, computed_at, due_at)
           select id, %(tenant)s, now(), %(now)s - id * interval '1 second' from made""",
        {"tenant": stage.tenant_id, "now": NOW},
    )
    if analysed:
        stage.conn.execute("analyze engine.account, engine.account_state")
    everybody = stage.rows(
        "select s.tenant_id, s.account_id, a.partition from engine.account_state s join engine.account a on a.id = s.account_id"
        " order by due_at"
    )
    for partitions in ([0, 1, 2, 3, 4, 5], [1, 3], [4], []):
        found = PostgresStateStore().due(stage.conn, NOW, 200, partitions)
        mine = [row for row in everybody if row[2] in partitions]
        assert found == mine[: len(found)]
        assert min(len(mine), 50) <= len(found) <= 200
    asked = {"now": NOW, "looked": 800}
    row = stage.conn.execute(b"explain (analyze, buffers, format json) " + DUE.encode(), asked).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    # Each of the 800 that are looked at costs the pages of its rows and of an index.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 6_000


def test_silence_grows_without_events(stage: Stage, teller: Teller) -> None:
    stage.write(logins("acme", "ann", TODAY - 14 * DAY, TODAY - 7 * DAY, TODAY))
    assert teller.figures("acme")["days_silent"] == 0
    assert teller.figures("acme", NOW + 10 * DAY)["days_silent"] == 10
    assert teller.figures("acme")["usual_gap_days"] == 7
    assert teller.figures("acme", NOW + 10 * DAY)["active_users_7d"] == 0
    assert teller.figures("acme", NOW + 10 * DAY)["active_users_28d"] == 1


def test_complaints_are_compared_with_the_mean_week_of_the_twelve_before(
    stage: Stage, teller: Teller
) -> None:
    stage.reset(load(base_pack()))
    back = [0, 6, 7, 27, 28, 90, 91]
    stage.write([Ev("complaint.filed", NOW - days * DAY, str(days), "acme", "ann") for days in back])
    figures = teller.figures("acme")
    assert figures["complaints_7d"] == 2
    assert figures["complaints_28d"] == 4
    assert figures["complaints_base"] == pytest.approx(4 / 12)
    assert figures["events_28d"] == 4
