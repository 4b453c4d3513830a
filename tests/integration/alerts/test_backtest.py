"""A rule replayed over what is stored: against the engine's own figures, against a slow reader of the events, and on the demo's story."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, takewhile
from typing import Any

import pytest
from tests.integration.alerts.past_stage import ACCOUNTS, CATALOGUE, DAY, START, PastStage, told
from tests.integration.alerts.slow_replay import episodes
from tests.integration.kpi_engine.figures_stage import Ev

from alerts.adapters.definitions import compile_rule
from alerts.adapters.history import PostgresHistory
from alerts.domain.account_days import REPLAYED, Asked
from alerts.domain.accuracy import Verdict
from alerts.domain.signal_days import counted_by
from alerts.use_cases.backtest import Backtest, Question, Replayed
from alerts.use_cases.replaying import days_of
from bellwether.story.event import StoryEvent
from bellwether.story.history import history
from bellwether.story.live import live
from bellwether.story.world import Role, World, build
from common.catalogue import cel
from common.db.pool import Pool, open_pool
from common.signals.judging import figures_read

# Those of which a slow reader knows what they say.
JUDGED = ("account_silent", "complaints_rose", "usage_fell")
RULES = {name: compile_rule(CATALOGUE.rules[name], CATALOGUE.signals) for name in JUDGED}
SIGNALS = [signal for signal in CATALOGUE.signals.values() if REPLAYED.issuperset(figures_read(signal))]
DAYS = 100
END = START + DAYS * DAY
HORIZON = timedelta(days=90)
# What the figures of a day are made of beside text.
NUMBERS = frozenset(name for name, kind in cel.ACCOUNT_FIGURES.items() if kind == "number") & REPLAYED


@pytest.fixture
def stage(postgres_url: str) -> Iterator[PastStage]:
    made = PastStage(postgres_url)
    yield made
    made.close()


@pytest.fixture
def pool(postgres_url: str) -> Iterator[Pool]:
    made = open_pool(postgres_url, "backtest", min_size=1, max_size=2)
    yield made
    made.close()


def replayed(pool: Pool, stage: PastStage, rule: str, now: datetime, start: date | None = None) -> Replayed:
    question = Question(RULES[rule], start, None, HORIZON)
    return Backtest(PostgresHistory(pool)).run(stage.tenant_id, CATALOGUE, question, now)


def last_instant(day: int) -> datetime:
    return START + (day + 1) * DAY - timedelta(microseconds=1)


def test_every_past_day_says_what_the_engine_said_on_it(stage: PastStage, pool: Pool) -> None:
    """Late events among them: the engine computes each day from what had come by then."""
    said: dict[tuple[str, int], tuple[dict[str, Any], dict[str, Any]]] = {}
    arrivals = told(DAYS)
    by_day = {day: list(group) for day, group in groupby(arrivals, key=lambda one: (one[0] - START).days)}
    for day in range(DAYS):
        stage.arrive_each(by_day.get(day, []))
        for name, its in stage.figures(list(ACCOUNTS), last_instant(day)).items():
            said[name, day] = its
    measures = counted_by(SIGNALS) | {"key_users", "active_users"}
    past = PostgresHistory(pool).read(stage.tenant_id, CATALOGUE, last_instant(DAYS - 1), measures)
    assert past is not None
    assert (past.known.by_arrival, past.known.assumed) == (len([a for a in arrivals if a[0] < END]), 0)
    compared, on = 0, Counter[str]()
    for one, past_days in days_of(past, Asked(NUMBERS, SIGNALS, CATALOGUE.measures)):
        for day in range(DAYS):
            figures, signals = said[one.name, day]
            found = past_days.on(day)[0]
            for figure in sorted(NUMBERS | {"segment", "stage"}):
                wanted = figures.get(figure)
                where: tuple[object, ...] = (one.name, day, figure)
                assert (found[figure] is None) == (wanted is None), (*where, found[figure], wanted)
                assert found[figure] == (
                    pytest.approx(wanted, abs=1e-9) if figure in NUMBERS and wanted is not None else wanted
                ), where
                compared += wanted is not None
            for signal in SIGNALS:
                wanted, is_on = signals[signal.name], found[f"s.{signal.name}"]
                where = (one.name, day, signal.name, wanted, found["s"][signal.name])
                assert is_on is {"on": True, "off": False}.get(wanted["state"]), where
                if is_on is not None:
                    shown = found["s"][signal.name]
                    for part in ("value", "baseline", "unusual"):
                        assert (part in shown) == (part in wanted), where
                        assert part not in wanted or shown[part] == pytest.approx(wanted[part], rel=1e-5)
                    on[signal.name] += is_on
    assert compared > len(ACCOUNTS) * DAYS * len(NUMBERS) / 3
    assert on.total() > DAYS
    assert min(on["champion_lost"], on["nps_falling"], on["silence"]) > 0


def test_a_replay_finds_the_episodes_that_a_slow_reader_of_the_events_finds(
    stage: PastStage, pool: Pool
) -> None:
    arrivals = [(at, event) for at, event in told(DAYS) if at < END]
    for _, group in groupby(arrivals, key=lambda one: one[0].date()):
        stage.arrive_each([(at.replace(minute=59, second=59), event) for at, event in group])
    for rule in RULES:
        done = replayed(pool, stage, rule, last_instant(DAYS - 1))
        found = [(one.account, one.from_day, one.to_day) for one in done.warned]
        assert sorted(found, key=str) == sorted(episodes(rule, arrivals, DAYS), key=str), rule
        assert found, rule


def test_a_history_that_came_in_a_load_is_taken_as_known_when_it_happened(
    stage: PastStage, pool: Pool
) -> None:
    events = [event for _, event in told(DAYS)]
    stage.arrive(events, END)
    not_known = replayed(pool, stage, "account_silent", END + DAY)
    assert not_known.warned == []
    stage.loaded(END - timedelta(hours=1), END + timedelta(hours=1))
    done = replayed(pool, stage, "account_silent", END + DAY)
    assert done.known.assumed > 0
    assert "gone" in {one.account for one in done.warned}


def as_ev(event: StoryEvent) -> Ev:
    data = {name: value for name, value in event.data.items() if name != "user"}
    user = event.data.get("user")
    return Ev(event.type, event.at, event.id, event.account, None if user is None else str(user), data)


ANCHOR = date(2026, 4, 15)
NOON = datetime(2026, 4, 15, 13, 30, tzinfo=UTC)
AFTERWARDS = NOON + timedelta(days=100)


def story(world: World) -> list[Ev]:
    """The five characters and a dozen others: half a year before the story's day and what becomes of them after it."""
    cast = {world.account(role).slug: role for role in Role if role is not Role.BACKGROUND}
    calm = [
        a.slug
        for a in world.accounts
        if a.role is Role.BACKGROUND and a.closed is None and a.segment != "small"
    ]
    kept = {*cast, *calm[:12]}
    leaving = {world.account(role).slug for role in (Role.LOUD, Role.SILENT)}
    said = datetime.combine(ANCHOR + timedelta(days=15), datetime.min.time(), UTC)
    since = NOON - timedelta(days=150)
    facts = [
        e
        for e in history(world, since)
        if e.account in kept and not e.type.startswith(("user.logged", "feature."))
    ]
    lived = [e for e in history(world, AFTERWARDS, since) if e.account in kept]
    today = takewhile(lambda event: event.at < NOON + timedelta(minutes=2), live(world, NOON))
    complaints = [e for e in today if e.type == "complaint.filed"]
    found = [as_ev(e) for e in [*facts, *lived, *complaints]]
    found = [
        e for e in found if not (e.account in leaving and e.at > said and e.type.startswith("subscription."))
    ]
    for slug in leaving:
        subscription = next(
            e.data["subscription"] for e in found if e.account == slug and e.type == "subscription.started"
        )
        ends = (said + timedelta(days=60)).isoformat()
        found.append(
            Ev(
                "subscription.cancelled",
                said,
                f"end-{slug}",
                slug,
                None,
                {"subscription": subscription, "effective_at": ends},
            )
        )
    return sorted(found, key=lambda event: event.at)


def test_the_demo_s_five_characters_are_judged_as_they_should_be(stage: PastStage, pool: Pool) -> None:
    world = build(7, ANCHOR)
    slugs = {role: world.account(role).slug for role in Role if role is not Role.BACKGROUND}
    stage.arrive(story(world), AFTERWARDS)
    stage.loaded(AFTERWARDS - timedelta(hours=1), AFTERWARDS + timedelta(hours=1))
    start = ANCHOR - timedelta(days=90)
    done = {name: replayed(pool, stage, name, AFTERWARDS, start) for name in RULES}

    def of(rule: str, verdict: Verdict) -> set[str]:
        return {one.account for one in done[rule].warned if one.verdict is verdict}

    assert of("complaints_rose", Verdict.CAUGHT) == {slugs[Role.LOUD]}
    assert of("usage_fell", Verdict.CAUGHT) >= {slugs[Role.SILENT]}
    # Its break holds Good Friday and Easter Monday, on which nobody expects it: that is no silence, but a fall that means nothing.
    assert slugs[Role.HOLIDAY] not in {one.account for one in done["account_silent"].warned}
    assert slugs[Role.HOLIDAY] in of("usage_fell", Verdict.FALSE)
    for rule, found in done.items():
        assert slugs[Role.UNFORESEEN] in {one.account for one in found.missed}, rule
        assert slugs[Role.UNFORESEEN] not in {one.account for one in found.warned}, rule
        assert slugs[Role.EXPANDING] not in of(rule, Verdict.CAUGHT), rule
    [silent] = [
        w
        for w in done["usage_fell"].warned
        if w.verdict is Verdict.CAUGHT and w.account == slugs[Role.SILENT]
    ]
    assert silent.days_before is not None
    assert silent.days_before > 14
    assert silent.evidence.startswith("Active use is down ")
