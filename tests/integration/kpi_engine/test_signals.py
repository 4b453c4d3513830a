"""Signals from stored events: within the same computation, against plain counting, and without a word where data is missing."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.catalogue import load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from kpi_engine.adapters.state_store import PostgresStateStore
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.use_cases.account_states import AccountStates

# Lord Howe turns its clocks by half an hour; on 2026-04-05 back to UTC+10:30.
ZONE = "Australia/Lord_Howe"
NOW = datetime(2026, 4, 8, 3, tzinfo=UTC)
TODAY = date(2026, 4, 8)
DAY = timedelta(days=1)
PACK = load(base_pack())
CATALOGUE = PACK.model_copy(
    update={"version": 1, "settings": PACK.settings.model_copy(update={"timezone": ZONE})}
)


class Told:
    """Writes events, computes states, and tells what is said of an account."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.states = stage, AccountStates(PostgresStateStore())
        self._count = 0
        stage.conn.execute(
            "insert into engine.progress (topic, partition, partitions) select 't', p, 6 from generate_series(0, 5) p"
        )

    def event(self, kind: str, account: str, at: datetime, user: str | None = None, /, **data: Any) -> Ev:
        self._count += 1
        return Ev(kind, at, f"e{self._count}", account, user, data)

    def write(self, kind: str, account: str, at: datetime, user: str | None = None, /, **data: Any) -> None:
        self.stage.write([self.event(kind, account, at, user, **data)])

    def signals(self, account: str, now: datetime = NOW) -> dict[str, Any]:
        stage = self.stage
        accounts = [stage.account(account)]
        with stage.conn.transaction():
            self.states.compute(stage.conn, stage.tenant_id, stage.catalogue, accounts, now, now)
        row = stage.conn.execute(
            "select signals from published.account_state where account_id = %s", accounts
        ).fetchone()
        assert row is not None
        found: dict[str, Any] = row[0]
        return found

    def state(self, name: str, account: str, now: datetime = NOW) -> tuple[Any, ...]:
        said = self.signals(account, now)[name]
        return tuple(said.get(part) for part in ("state", "value", "baseline", "since"))


@pytest.fixture
def told(postgres_url: str) -> Iterator[Told]:
    stage = Stage(postgres_url, CATALOGUE, FixedClock(NOW))
    yield Told(stage)
    stage.close()


def test_a_fall_of_use_is_of_finished_local_days_whenever_it_is_learnt(told: Told) -> None:
    """Everybody logs in in the first and the last second of each local day, also of that on which clocks turned by half an hour."""
    local = LocalTime(ZONE)
    events = [told.event("account.created", "acme", NOW - 150 * DAY, traits={"segment": "smb"})]
    for back in range(1, 113):
        start, end = local.start_of(TODAY - back * DAY), local.start_of(TODAY - (back - 1) * DAY)
        for user in range(4 if back > 28 else 1):
            both = (start, end - timedelta(seconds=1))
            events += [told.event("user.logged_in", "acme", at, f"u{user}") for at in both]
    told.stage.write(events)
    said = told.signals("acme")["use_fell"]
    assert (said["state"], said["value"], said["baseline"], said["since"]) == ("on", 28, 112, "2026-04-08")
    assert said["unusual"] < 0.001
    told.write("user.logged_in", "acme", NOW, "today")
    assert told.state("use_fell", "acme")[1] == 28
    told.write("user.logged_in", "acme", NOW - 3 * DAY, "late")
    # A day of one person went into the base, and one of today's and the late one are in the window.
    assert told.state("use_fell", "acme", NOW + DAY) == ("on", 29, 111, "2026-04-08")
    later = told.signals("acme", NOW + 6 * DAY)["use_fell"]
    assert (later["state"], later["why"], later["since"]) == ("stale", "source-quiet", "2026-04-08")


def test_what_happens_turns_its_signal_on_in_the_next_computation_and_off_again(told: Told) -> None:
    created = NOW - 300 * DAY
    told.write(
        "account.created", "acme", created, traits={"seats": 10, "owner": "ann", "renewal_at": "2026-09-01"}
    )
    told.write("subscription.started", "acme", created, subscription="s", mrr="100", currency="EUR")
    assert {name for name, its in told.signals("acme").items() if its["state"] == "off"} == {
        *("mrr_fell", "notice_given", "notice_near", "owner_changed", "seats_given_up"),
    }
    assert {its["why"] for its in told.signals("acme").values() if its["state"] != "off"} == {"never-seen"}

    told.write("feature.used", "acme", NOW, "bob", feature="cancel_page")
    assert told.state("leaving_steps", "acme") == ("on", 1, 0, "2026-04-08T03:00:00Z")

    told.write("invoice.failed", "acme", NOW - DAY, invoice="i1", amount="100", currency="EUR")
    assert told.state("invoice_failed", "acme") == ("on", 1, None, "2026-04-07T03:00:00Z")
    told.write("invoice.paid", "acme", NOW, invoice="i1", amount="100", currency="EUR")
    assert told.state("invoice_failed", "acme") == ("off", 0, None, None)

    told.write("survey.responded", "acme", NOW - 90 * DAY, "bob", survey="x", kind="nps", score=9)
    assert told.state("nps_falling", "acme")[0] == "no-data"
    told.write("survey.responded", "acme", NOW, "bob", survey="x", kind="nps", score=6)
    assert told.state("nps_poor", "acme") == ("on", 6, None, "2026-04-08T03:00:00Z")
    assert told.state("nps_falling", "acme")[:2] == ("on", -3)

    told.write("account.updated", "acme", NOW - DAY, traits={"owner": "eve", "seats": 6})
    assert told.state("owner_changed", "acme") == ("on", 1, None, "2026-04-07T03:00:00Z")
    assert told.state("seats_given_up", "acme")[:3] == ("on", 6, 10)

    told.write(
        "success_plan.set", "acme", NOW - 90 * DAY, goal="g", baseline="0", target="100", due="2026-05-08"
    )
    told.write("success_plan.progressed", "acme", NOW - 9 * DAY, goal="g", value="30")
    assert told.state("plan_behind", "acme")[:3] == ("on", 0.3, 0.75)
    told.write("success_plan.progressed", "acme", NOW, goal="g", value="100")
    assert (told.state("plan_behind", "acme")[0], told.state("plan_reached", "acme")[0]) == ("off", "on")

    told.write("subscription.cancelled", "acme", NOW - DAY, subscription="s", effective_at="2026-06-01")
    assert told.state("notice_given", "acme") == ("on", 100, 100, "2026-04-07T03:00:00Z")
    told.write("account.closed", "acme", NOW)
    assert {its["state"] for its in told.signals("acme").values()} == {"off"}


def test_seats_are_those_of_running_subscriptions_where_the_trait_says_none(told: Told) -> None:
    fee = {"mrr": "10", "currency": "EUR"}
    told.write("account.created", "acme", NOW - 400 * DAY)
    assert told.state("seats_given_up", "acme")[0] == "no-data"
    told.write("subscription.started", "acme", NOW - 300 * DAY, subscription="s", seats=10, **fee)
    assert told.state("seats_given_up", "acme")[:3] == ("off", 10, 10)
    told.write("subscription.started", "acme", NOW - 200 * DAY, subscription="t", seats=4, **fee)
    told.write("subscription.changed", "acme", NOW - 9 * DAY, subscription="s", seats=8, **fee)
    assert told.state("seats_given_up", "acme")[:3] == ("on", 12, 14)
    told.write("subscription.cancelled", "acme", NOW - 8 * DAY, subscription="t")
    assert told.state("seats_given_up", "acme")[:3] == ("on", 8, 14)
    told.write("account.updated", "acme", NOW - 7 * DAY, traits={"seats": 20})
    assert told.state("seats_given_up", "acme")[:3] == ("off", 20, 14)
    told.write("account.updated", "acme", NOW - 6 * DAY, traits={"seats": None})
    assert told.state("seats_given_up", "acme")[:3] == ("on", 8, 14)


def test_what_is_known_and_unremarkable_is_off_and_what_is_missing_is_not(told: Told) -> None:
    """A company that sends everything, an account of which nothing but its beginning is known, and one that began last month."""
    for kind, user, data in (
        ("user.logged_in", "u", {}),
        ("user.created", "u", {"traits": {"champion": True}}),
        ("survey.responded", "u", {"survey": "s", "kind": "nps", "score": 8}),
        ("success_plan.set", None, {"goal": "g", "baseline": "0", "target": "9", "due": "2026-09-01"}),
        ("feature.used", "u", {"feature": "f"}),
        ("complaint.filed", None, {"complaint": "c"}),
        ("ticket.opened", None, {"ticket": "t"}),
        ("ticket.resolved", None, {"ticket": "t"}),
        ("invoice.paid", None, {"invoice": "i", "amount": "1", "currency": "EUR"}),
        (
            "subscription.started",
            None,
            {"subscription": "x", "mrr": "9", "currency": "EUR", "term_end": "2026-12-31"},
        ),
        ("account.updated", None, {"traits": {"owner": "ann", "seats": 5}}),
    ):
        told.write(kind, "new", NOW - DAY, user, **data)
    told.write("account.created", "bare", NOW - 300 * DAY, traits={"plan": "free"})
    new = told.signals("new")
    assert {name: its["why"] for name, its in new.items() if its["state"] != "off"} == {
        **dict.fromkeys(("use_fell", "use_dropped", "key_features_fell", "use_rose"), "too-little"),
        **dict.fromkeys(("champion_lost", "nps_falling", "silence"), "too-little"),
        "leaving_steps": "never-seen",
    }
    bare = told.signals("bare")
    assert bare["survey_overdue"] == bare["survey_overdue"] | {"state": "on", "value": 300}
    unknown = {name for name, its in bare.items() if its.get("why") == "unknown"}
    assert unknown >= {
        "owner_changed",
        "seats_given_up",
        "notice_near",
        "notice_given",
        "nps_poor",
        "silence",
        "plan_behind",
    }


def test_a_champion_is_lost_by_leaving_and_by_silence_of_their_own(told: Told) -> None:
    days = [told.event("user.logged_in", "acme", NOW - n * DAY, who) for who, first in (("ann", 30), ("bob", 1), ("eve", 30)) for n in range(first, 60)]  # fmt: skip
    marks = [
        told.event("user.created", "acme", NOW - 90 * DAY, who, traits={"champion": True})
        for who in ("ann", "bob")
    ]
    told.stage.write([*days, *marks])
    assert told.state("champion_lost", "acme") == ("on", 1, 2, "2026-03-09")
    told.write("user.left", "acme", NOW - 2 * DAY, "bob")
    assert told.state("champion_lost", "acme") == ("on", 2, 2, "2026-04-06")
    told.write("user.updated", "acme", NOW - DAY, "ann", traits={"champion": False})
    told.write("user.updated", "acme", NOW - DAY, "bob", traits={"champion": False})
    assert told.state("champion_lost", "acme")[0] == "no-data"


def test_tickets_that_wait_are_counted_with_the_time_they_have_waited(told: Told) -> None:
    events = []
    for n in range(9):
        opened = NOW - (100 - 8 * n) * DAY
        events.append(told.event("ticket.opened", "acme", opened, ticket=f"old{n}"))
        events.append(
            told.event("ticket.first_responded", "acme", opened + timedelta(hours=4), ticket=f"old{n}")
        )
    events += [
        told.event("ticket.opened", "acme", NOW - timedelta(hours=20 + n), ticket=f"new{n}") for n in range(3)
    ]
    told.stage.write(events)
    said = told.signals("acme")
    assert [said["first_responses_slow"].get(part) for part in ("state", "value", "baseline")] == [
        "on",
        21,
        4,
    ]
    assert (said["resolutions_slow"]["state"], said["tickets_rose"]["state"]) == ("no-data", "off")
    told.stage.write([told.event("ticket.opened", "acme", NOW, ticket=f"more{n}") for n in range(4)])
    assert told.state("tickets_rose", "acme")[:2] == ("on", 7)


def test_tickets_resolved_without_an_answer_wait_for_none(told: Told) -> None:
    """Found by the customers themselves within the hour, weeks ago: nobody has waited for us since."""
    events = []
    for n in range(9):
        opened = NOW - (100 - 8 * n) * DAY
        answered = opened + timedelta(hours=4)
        events.append(told.event("ticket.opened", "acme", opened, ticket=f"old{n}"))
        events.append(told.event("ticket.first_responded", "acme", answered, ticket=f"old{n}"))
    for n in range(3):
        opened = NOW - (10 + n) * DAY
        events.append(told.event("ticket.opened", "acme", opened, ticket=f"new{n}"))
        events.append(told.event("ticket.resolved", "acme", opened + timedelta(hours=1), ticket=f"new{n}"))
    told.stage.write(events)
    said = told.signals("acme")["first_responses_slow"]
    assert [said.get(part) for part in ("state", "value", "baseline")] == ["off", 1, 4]


def test_an_answer_dated_before_its_ticket_took_no_time(told: Told) -> None:
    """Clocks of two systems differ: as in all figures, an end before the start is no negative time."""
    for ticket, hours in (("a", -400), ("b", -300), ("c", 4)):
        opened = NOW - 2 * DAY
        told.write("ticket.opened", "acme", opened, ticket=ticket)
        told.write("ticket.first_responded", "acme", opened + timedelta(hours=hours), ticket=ticket)
    told.signals("acme")
    said = told.stage.rows("select figures -> 'first_response_hours' from published.account_state")
    assert said == [(0,)]


def test_our_own_people_answer_tickets_and_open_none(told: Told) -> None:
    events = [told.event("user.updated", "acme", NOW - 200 * DAY, "agent", traits={"is_internal": True})]
    for n in range(9):
        opened = NOW - (100 - 8 * n) * DAY
        answered, ticket = opened + timedelta(hours=4), f"old{n}"
        events.append(told.event("ticket.opened", "acme", opened, "bob", ticket=ticket))
        events.append(told.event("ticket.first_responded", "acme", answered, "agent", ticket=ticket))
    new = NOW - timedelta(hours=20)
    events += [told.event("ticket.opened", "acme", new, "agent", ticket=f"new{n}") for n in range(3)]
    told.stage.write(events)
    assert told.signals("acme")["first_responses_slow"]["state"] == "off"
    told.write("user.updated", "acme", NOW - 199 * DAY, "agent", traits={"is_internal": False})
    assert told.state("first_responses_slow", "acme")[0] == "on"


def test_what_happens_in_the_same_weeks_every_year_is_no_fall(told: Told) -> None:
    """A business that is quiet every spring, one that was not there a year ago, and one that is quiet for the first time."""
    local, events = LocalTime(ZONE), []
    for account, first, quiet in (
        ("seasonal", 478, (364, 0)),
        ("young", 300, (364, 0)),
        ("steady", 478, (0,)),
    ):
        events.append(told.event("account.created", account, NOW - first * DAY, traits={"segment": account}))
        for back in [day for day in (*range(1, 113), *range(365, 477)) if day < first]:
            people = 1 if any(ago < back <= ago + 28 for ago in quiet) else 4
            at = local.start_of(TODAY - back * DAY)
            events += [told.event("user.logged_in", account, at, f"u{n}") for n in range(people)]
    told.stage.write(events)
    said = {account: told.signals(account)["use_fell"] for account in ("seasonal", "young", "steady")}
    assert {account: (its["state"], its.get("why")) for account, its in said.items()} == {
        "seasonal": ("off", "last-year"),
        "young": ("on", None),
        "steady": ("on", None),
    }
    assert said["seasonal"]["last_year"] == pytest.approx((28 + 10) / (112 + 10), abs=1e-6)
    assert ("last_year" in said["young"], said["steady"]["last_year"]) == (False, 1)


def test_what_was_not_said_for_want_of_data_is_said_when_the_data_come(told: Told) -> None:
    """As in a load: an account computed when the company's newest day was long ago, and others' events after it."""
    told.write("account.created", "acme", NOW - 150 * DAY)
    for back in range(20, 120):
        told.write("user.logged_in", "acme", NOW - back * DAY, "ada")
    said = told.signals("acme")["silence"]
    assert (said["state"], said["why"]) == ("stale", "source-quiet")
    told.write("user.logged_in", "other", NOW - DAY, "bob")
    stage = told.stage
    assert told.states.overtake(stage.conn, stage.tenant_id, stage.catalogue, NOW) == 1
    assert told.state("silence", "acme")[0] == "on"
    assert told.states.overtake(stage.conn, stage.tenant_id, stage.catalogue, NOW) == 0
