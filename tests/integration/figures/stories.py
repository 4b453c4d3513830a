"""Random histories of what accounts, tickets, complaints and surveys go through, often exactly on an edge."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_stage import Ev
from tests.reference.events import Event

NOW = datetime(2026, 6, 15, 11, 30, tzinfo=UTC)
# A clock change of Europe/Berlin lies in it, and matured and young cohorts of 14, 30 and 90 days.
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)

accounts = st.sampled_from(["acme", "bolt", "core"])
people = st.sampled_from([None, "ann", "bob", "eve"])
moments = st.one_of(
    st.integers(-10, 115 * 4).map(lambda n: FIRST + n * timedelta(hours=6)),
    st.integers(0, 110 * 24 * 60).map(lambda n: FIRST + n * timedelta(minutes=1, microseconds=1)),
    st.sampled_from([NOW, NOW - 14 * DAY, NOW - 30 * DAY, NOW - timedelta(microseconds=1)]),
    # So far apart that one is exactly on the edge of another's 14, 30, 60 or 90 days.
    st.sampled_from([0, 14, 30, 60, 90]).map(lambda n: FIRST - timedelta(hours=1) + n * DAY),
)
KINDS = (
    "account.created",
    "account.updated",
    "onboarding.milestone_reached",
    "feature.used",
    "ticket.opened",
    "ticket.opened",
    "ticket.first_responded",
    "ticket.resolved",
    "ticket.resolved",
    "complaint.filed",
    "complaint.resolved",
    "survey.sent",
    "survey.responded",
    "user.updated",
)
Drawn = tuple[str, datetime, str, str | None, dict[str, Any]]


@st.composite
def happenings(draw: st.DrawFn) -> Drawn:
    kind = draw(st.sampled_from(KINDS))
    account, user = draw(accounts), draw(people)
    return kind, draw(moments), account, user, draw(_data(kind))


@st.composite
def lives(draw: st.DrawFn) -> list[Drawn]:
    """Anything, and among it an account that is onboarded, complains and is heard, and answers what it was asked, and one that began so
    early that 90 days are over: were it drawn whether there is one, there would be none in some runs."""
    begun, early = FIRST + draw(st.sampled_from([25, 10, 45, 26])) * DAY, FIRST + 10 * DAY
    after = st.integers(0, 13 * 24).map(lambda n: begun + n * timedelta(hours=1))
    reached = early + draw(st.integers(0, 13 * 24)) * timedelta(hours=1)
    ticket, complaint = {"ticket": "t9"}, {"complaint": "c9"}
    told: list[Drawn] = [
        ("account.created", early, "elm", None, {"traits": {"segment": "smb"}}),
        ("onboarding.milestone_reached", reached, "elm", None, {"milestone": "first_value"}),
        ("account.created", begun, "dune", None, {"traits": {"segment": "enterprise"}}),
        *(
            ("onboarding.milestone_reached", draw(after), "dune", None, {"milestone": name})
            for name in ("kickoff", "configured", "first_value", "live")
        ),
        ("complaint.filed", begun, "dune", "eve", complaint),
        ("complaint.resolved", draw(after), "dune", None, complaint),
        ("ticket.opened", begun, "dune", "eve", ticket),
        ("ticket.first_responded", draw(after), "dune", None, ticket),
        ("ticket.resolved", draw(after), "dune", None, ticket),
    ]
    for name, kind in (("onboarding", "csat"), ("s", "ces")):
        survey = {"survey": name, "kind": kind, "wave": "3"}
        told.append(("survey.sent", begun, "dune", "eve", survey))
        told.append(
            ("survey.responded", draw(after), "dune", "eve", {**survey, "score": draw(st.integers(2, 7))})
        )
    for n in range(4):
        survey = {"survey": "again", "kind": "ces"}
        told.append(
            ("survey.sent", draw(moments), "elm", draw(st.sampled_from([None, "ann", "ann", "bob"])), survey)
        )
        told.append(
            ("survey.responded", draw(moments), "elm", "ann" if n else "bob", {**survey, "score": n + 2})
        )
    return told + draw(st.lists(happenings(), min_size=15, max_size=50))


def _data(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    if kind.startswith("account."):
        starts = st.sampled_from(
            ["2026-03-01", "2026-03-29", "2026-05-17T11:30:00+02:00", None, "2026-07-01"]
        )
        segments = st.sampled_from(["smb", "enterprise", None])
        traits = st.fixed_dictionaries({}, optional={"contract_start": starts, "segment": segments})
        return traits.map(lambda made: {"traits": made})
    if kind == "onboarding.milestone_reached":
        return st.sampled_from(
            [{"milestone": name} for name in ("configured", "first_value", "live", "kickoff")]
        )
    if kind == "feature.used":
        return st.just({"feature": "export"})
    if kind == "user.updated":
        return st.sampled_from([{"traits": {"is_internal": mark}} for mark in (True, False)])
    if kind.startswith(("ticket.", "complaint.")):
        return st.sampled_from([{kind.split(".")[0]: name} for name in ("t1", "t2", "t3")])
    survey = st.fixed_dictionaries(
        {"survey": st.sampled_from(["s", "onboarding"]), "kind": st.sampled_from(["csat", "ces", "nps"])},
        optional={"wave": st.sampled_from(["1", "2"])},
    )
    if kind == "survey.sent":
        return survey
    return st.tuples(survey, st.integers(0, 10)).map(lambda made: {**made[0], "score": made[1]})


def told(drawn: list[Drawn]) -> list[Ev]:
    """Events with ids; those that need a person have one."""
    needy = ("user.updated", "survey.responded")
    return [
        Ev(kind, at, f"e{n}", account, user or ("ann" if kind in needy else None), data)
        for n, (kind, at, account, user, data) in enumerate(drawn)
    ]


def as_events(told_: list[Ev]) -> list[Event]:
    return [Event(e.account, e.source, e.id, e.type, e.at, e.user, e.data) for e in told_]
