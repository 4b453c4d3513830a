"""The demo's customers, told through the engine: every figure equals plain code over the raw events, and is nothing where nothing was told."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from tests.conftest import PostgresServer
from tests.integration.figures import companies
from tests.integration.figures import test_adoption as adoption
from tests.integration.figures import test_economics as economics
from tests.integration.figures import test_lifecycles as lifecycles
from tests.integration.figures import test_revenue_histories as revenue
from tests.integration.figures.stories import NOW, as_events
from tests.integration.kpi_engine.figures_stage import Ev, Stage
from tests.reference.activity import Activity
from tests.reference.adoption import Adoption
from tests.reference.calendar import Calendar
from tests.reference.contacts import is_covered
from tests.reference.economics import Economics
from tests.reference.events import Event
from tests.reference.lifecycles import Lifecycles
from tests.reference.renewals import Renewals
from tests.reference.surveys import nps_on, relationship_answers

from bellwether.story import world as worlds
from bellwether.story.history import history
from common.catalogue import Catalogue
from common.clock import FixedClock
from common.figures import Figure, Query, query

SEED, EVERY, BATCH = 7, 50, 4_000
BERLIN = lifecycles.BERLIN
# Risk and health are kept by the engine's account states, which have no part here.
UNTOLD = ("renewal_mrr_at_risk", "risk_resolution_rate")
CONTRACTS = tuple(name for name in economics.METRICS if name not in UNTOLD)
LIFECYCLES = lifecycles.METRICS
MOVES = {
    "mrr": "end", "mrr_new": "new", "mrr_reactivation": "reactivation", "mrr_expansion": "expansion", "mrr_contraction": "contraction",
    "mrr_churned": "churned", "net_new_mrr": "net_new", "nrr": "nrr", "grr": "grr", "logo_churn": "logo_churn",
}  # fmt: skip
USE = (
    "events", "portal_logins", "portal_logins_per_day", "complaints", "reviews_held", "failed_invoices", "stickiness", "login_trend",
    "active_users_1d", "active_users_7d", "active_users_28d", "active_accounts_1d", "active_accounts_7d", "active_accounts_28d",
    "nps", "nps_accounts", "paying_accounts", "csm_coverage",
)  # fmt: skip


def told(now: datetime) -> list[Ev]:
    """The year before `now` of every fiftieth customer, the cast among them."""
    world = worlds.build(SEED, now.date())
    some = tuple(
        account
        for n, account in enumerate(world.accounts)
        if n % EVERY == 0 or account.role is not worlds.Role.BACKGROUND
    )
    bodies = (json.loads(event.body()) for event in history(replace(world, accounts=some), now))
    return [_event(body) for body in bodies]


def _event(body: dict[str, Any]) -> Ev:
    data = dict(body["data"])
    user = data.pop("user", None)
    at = datetime.fromisoformat(body["time"])
    return Ev(body["type"], at, body["id"], body["subject"], user, data, body["source"])


@pytest.fixture(scope="module")
def happened() -> list[Ev]:
    return told(NOW)


@pytest.fixture(scope="module")
def events(happened: list[Ev]) -> list[Event]:
    return as_events(happened)


@pytest.fixture(scope="module")
def stage(
    postgres_server: PostgresServer, migrated_template: str, base_pack: Catalogue, happened: list[Ev]
) -> Iterator[Stage]:
    """With all of it on; nobody here writes more."""
    name = f"story_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    local = base_pack.settings.model_copy(update={"timezone": "Europe/Berlin"})
    made = Stage(
        postgres_server.database_url(name), base_pack.model_copy(update={"settings": local}), FixedClock(NOW)
    )
    for start in range(0, len(happened), BATCH):
        assert not made.write(happened[start : start + BATCH]).rejected
    yield made
    made.close()
    postgres_server.drop(name)


def ask(stage: Stage, metrics: tuple[str, ...], start: date, **parts: Any) -> list[Figure]:
    made = Query(metrics, start, NOW.date(), **{"grain": "month", "limit": 10_000, **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


def ends(figure: Figure) -> tuple[datetime, datetime]:
    start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
    return start, end


def test_lifecycles_of_the_story_are_what_was_told(stage: Stage, events: list[Event]) -> None:
    plain = Lifecycles(events, Calendar(BERLIN), NOW, lifecycles.HOURS)
    values = set()
    for by in (None, "segment"):
        first, groups = date(NOW.year - 1, 9, 1), (by,) if by else ()
        for figure in ask(stage, LIFECYCLES, first, grain="quarter", group_by=groups):
            start, end = ends(figure)
            group = figure.group.get(by) if by else None
            lifecycles.compare(figure, lifecycles.Expected(plain, by, group, start, end), begun=start <= NOW)
            values |= {figure.metric} if figure.value else set()
    assert values >= {"tickets_opened", "first_response_time", "complaint_resolution_time"}


def test_the_storys_adoption_is_what_was_told(stage: Stage, events: list[Event]) -> None:
    calendar = Calendar(BERLIN)
    traits = Lifecycles(events, calendar, NOW + adoption.DAY)
    plain, values = Adoption(events, calendar, traits, NOW), set()
    for by in (None, "segment"):
        for figure in ask(stage, adoption.METRICS, date(NOW.year - 1, 12, 1), group_by=(by,) if by else ()):
            day = calendar.day_of(ends(figure)[1] - companies.INSTANT)
            wanted = adoption.expected(plain, figure.metric, day, by, figure.group.get(by or ""))
            assert adoption.shown(figure) == wanted, figure
            values |= {figure.metric} if figure.value else set()
    assert values == set(adoption.METRICS)


def test_the_storys_contracts_are_worth_what_was_told(stage: Stage, events: list[Event]) -> None:
    plain, values = Economics(events, Calendar(BERLIN), NOW), set()
    for by, metrics in ((None, CONTRACTS), ("segment", tuple({*CONTRACTS} & {*economics.SLICED}))):
        for figure in ask(stage, metrics, date(NOW.year, 1, 1), group_by=(by,) if by else ()):
            start, end = ends(figure)
            group = figure.group.get(by) if by else None
            economics.Expected(plain, {}, by, group, start, end, {}).compare(figure)
            values |= {figure.metric} if figure.value else set()
    assert values >= {"seats_used", "ltv", "complaints_per_100_accounts"}


def test_the_storys_revenue_is_what_was_told(stage: Stage, events: list[Event]) -> None:
    plain, traits = Renewals(events, NOW), Lifecycles(events, Calendar(BERLIN), NOW)
    values = set()
    for figure in ask(stage, (*revenue.METRICS, *MOVES), date(NOW.year, 1, 1)):
        start, end = ends(figure)
        if figure.metric in MOVES:
            wanted = getattr(plain.revenue.period(start, end), MOVES[figure.metric])
            assert figure.value == (float(wanted) if isinstance(wanted, Fraction) else wanted), figure
        else:
            wanted = revenue.Expected(plain, traits, None, None).of(figure.metric, start, end)
            ranged = figure.metric.startswith("renewal")
            assert wanted == ((figure.value, figure.low, figure.high) if ranged else figure.value), figure
        values |= {figure.metric} if figure.value else set()
    assert values >= {"mrr_churned", "grr_12m", "renewal_rate", "committed_mrr"}


def test_the_storys_use_is_what_was_told(stage: Stage, events: list[Event]) -> None:
    told, values = Told(events), set()
    for figure in ask(stage, USE, date(NOW.year - 1, 12, 1)):
        wanted = told.value(figure.metric, *ends(figure))
        assert figure.value == (float(wanted) if isinstance(wanted, Fraction) else wanted), (figure, wanted)
        values |= {figure.metric} if figure.value else set()
    assert values == {*USE} - {"failed_invoices"}


class Told:
    """What was told of use, opinions and care, of all customers together."""

    def __init__(self, events: list[Event]) -> None:
        self.events, self.calendar = events, Calendar(BERLIN)
        self.activity = Activity(events, self.calendar)
        self.answers = relationship_answers(events)
        self.traits = Lifecycles(events, self.calendar, NOW)
        self.revenue = Renewals(events, NOW).revenue
        self.contacts = [event for event in events if event.type == "activity.logged"]

    def value(self, metric: str, start: datetime, end: datetime) -> Any:
        first, day = self.calendar.day_of(start), self.calendar.day_of(end - companies.INSTANT)
        name, _, days = metric.rpartition("_")
        if name in ("active_users", "active_accounts"):
            return getattr(self.activity, name)(day, int(days.removesuffix("d")))
        if metric in ("events", "portal_logins"):
            return getattr(self.activity, metric)(first, day + adoption.DAY)
        if metric in ("stickiness", "portal_logins_per_day", "login_trend"):
            return getattr(self.activity, metric)(day)
        if metric.startswith("nps"):
            return self.nps(day) if metric == "nps" else self.nps_accounts(day)
        if metric == "paying_accounts":
            return sum(self.revenue.account_mrr(account, end) > 0 for account in self.revenue.steps)
        if metric == "csm_coverage":
            return self.covered(end)
        return self.counted(metric, start, end)

    def counted(self, metric: str, start: datetime, end: datetime) -> int:
        wanted = {
            "complaints": "complaint.filed",
            "reviews_held": "activity.logged",
            "failed_invoices": "invoice.failed",
        }
        return sum(
            event.type == wanted[metric] and (metric != "reviews_held" or event.data["kind"] == "review")
            for event in self.events
            if start <= event.at < end
        )

    def nps(self, day: date) -> Fraction | None:
        value = nps_on(self.answers, self.calendar, day).value
        return None if value is None else 100 * value

    def nps_accounts(self, day: date) -> Fraction | None:
        by_account = {
            a: [e for e in self.answers if e.account == a] for a in {e.account for e in self.answers}
        }
        each = [nps_on(its, self.calendar, day) for its in by_account.values()]
        nets = [one.promoters - one.detractors for one in each if one.answers]
        return Fraction(100 * sum((net > 0) - (net < 0) for net in nets), len(nets)) if nets else None

    def covered(self, at: datetime) -> Fraction | None:
        accounts = {event.account for event in self.events}
        judged = [is_covered(self.contacts, self.calendar, self.traits, account, at) for account in accounts]
        owned = len(judged) - judged.count(None)
        return Fraction(judged.count(True), owned) if owned else None


def test_what_the_story_does_not_tell_of_is_nothing(stage: Stage) -> None:
    compared = {*LIFECYCLES, *adoption.METRICS, *CONTRACTS, *revenue.METRICS, *MOVES, *USE}
    rest = tuple(stage.catalogue.metrics.keys() - compared)
    assert {figure.metric for figure in ask(stage, rest, date(NOW.year, 1, 1)) if figure.value} == set()
