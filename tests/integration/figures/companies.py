"""Random histories of what customers cost, pay and get: single events, and the stories that most figures need several of."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_stage import Ev

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
NOW = datetime(2026, 6, 15, 10, tzinfo=UTC)
EUR = {"currency": "EUR"}

accounts = st.sampled_from(["acme", "bolt", "core"])
KINDS = (
    "account.updated", "account.updated", "health", "user.logged_in", "user.logged_in", "feature.used", "ticket.opened",
    "ticket.first_responded", "ticket.resolved", "subscription.started", "subscription.renewed", "subscription.cancelled",
    "spend.recorded", "headcount.recorded", "metric.reported", "benefit.confirmed", "success_plan.set",
    "success_plan.progressed", "survey.responded", "activity.logged",
)  # fmt: skip


@st.composite
def happenings(draw: st.DrawFn) -> Ev:
    kind = draw(st.sampled_from(KINDS))
    back = draw(st.sampled_from([0, 1, 5, 14, 27, 28, 29, 30, 56, 60, 89, 90, 91, 120, 200, 364, 366, 400]))
    at = (
        NOW
        - back * DAY
        - draw(st.sampled_from([INSTANT, timedelta(0), timedelta(hours=9), timedelta(hours=13)]))
    )
    tenant = kind in ("spend.recorded", "headcount.recorded", "metric.reported")
    needs = kind in ("user.logged_in", "survey.responded")
    user = (
        draw(st.sampled_from(["ann", "bob"]))
        if needs or (kind == "feature.used" and draw(st.booleans()))
        else None
    )
    name = "account.updated" if kind == "health" else kind
    return Ev(name, at, "", "" if tenant else draw(accounts), user, draw(_data(kind)))


def _data(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    money = st.sampled_from(["10", "99.99", "250", "0"])
    if kind == "account.updated":
        return st.fixed_dictionaries({}, optional={
            "segment": st.sampled_from(["smb", "ent", None]), "seats": st.sampled_from([1, 2, 5, None]),
            "plan_features": st.sampled_from([1, 3, None]), "owner": st.sampled_from(["kim", None]),
            "engagement_model": st.sampled_from(["high", "mid", None]), "kind": st.sampled_from(["partner", None]),
        }).map(lambda traits: {"traits": traits})  # fmt: skip
    if kind == "health":
        return st.sampled_from([{"traits": {"health": h}} for h in ("poor", "good", "poor", "fair")])
    if kind == "feature.used":
        return st.sampled_from([{"feature": f} for f in "xyz"])
    if kind.startswith("ticket."):
        return st.sampled_from([{"ticket": t} for t in ("t1", "t2")])
    if kind.startswith("subscription."):
        ends = st.sampled_from(
            [None, (NOW - 20 * DAY).isoformat(), (NOW + 30 * DAY).isoformat(), (NOW - 95 * DAY).isoformat()]
        )
        made = st.fixed_dictionaries(
            {"subscription": st.sampled_from(["s", "t"]), "mrr": money, "term_end": ends},
            optional={"seats": st.sampled_from([1, 3])},
        )
        return made.map(
            lambda data: (
                {**data, "currency": "EUR"}
                if kind != "subscription.cancelled"
                else {"subscription": data["subscription"]}
            )
        )
    if kind == "spend.recorded":
        periods = st.sampled_from([None, "2026-03", "2026-Q1", "2026", "2026-05-20/2026-06-10", "soon"])
        return st.fixed_dictionaries({
            "amount": money, "purpose": st.sampled_from(["acquisition", "service", "partner"]), "period": periods,
            "programme": st.sampled_from(["fair", None]), "currency": st.just("EUR"),
        })  # fmt: skip
    if kind == "headcount.recorded":
        return st.fixed_dictionaries(
            {"team": st.sampled_from(["cs", "ops"]), "fte": st.sampled_from([0, 1.5, 3])}
        )
    if kind == "metric.reported":
        return st.fixed_dictionaries(
            {
                "metric": st.sampled_from(["market_share", "employee_nps"]),
                "value": st.sampled_from([0.1, 0.25, 7]),
            }
        )
    if kind == "benefit.confirmed":
        return st.fixed_dictionaries(
            {"yearly_benefit": money, "currency": st.just("EUR")}, optional={"customer_effort": money}
        )
    if kind == "success_plan.set":
        numbers = st.sampled_from([None, 0, 5, 7.5, 10])
        return st.fixed_dictionaries({
            "goal": st.sampled_from("gh"), "baseline": numbers, "target": numbers, "value": numbers,
            "due": st.sampled_from([None, "2026-05-31", "2026-06-14", "2026-06-15", "2026-03-29"]),
        })  # fmt: skip
    if kind == "success_plan.progressed":
        return st.fixed_dictionaries(
            {"goal": st.sampled_from("gh"), "value": st.sampled_from([1, 5, 7.5, 12])}
        )
    if kind == "survey.responded":
        return st.fixed_dictionaries(
            {"survey": st.just("s"), "kind": st.just("nps"), "score": st.integers(0, 10)},
            optional={"wave": st.sampled_from(["1", "2"]), "transactional": st.booleans()},
        )
    if kind == "activity.logged":
        return st.fixed_dictionaries(
            {"owner": st.just("kim"), "kind": st.just("call"), "two_way": st.booleans()}
        )
    return st.just({})


Draw = st.DrawFn


def _ago(back: int, kind: str, account: str, user: str | None = None, /, **data: Any) -> Ev:
    return Ev(kind, NOW - back * DAY - timedelta(hours=1), "", account, user, data)


def _falls(draw: Draw) -> list[Ev]:
    """One logs in less than before, another for the first time."""
    one, other = draw(st.sampled_from([("acme", "bolt"), ("bolt", "core"), ("core", "acme")]))
    before, since = draw(st.integers(9, 12)), draw(st.integers(1, 6))
    return [
        *(_ago(29 + n, "user.logged_in", one, "ann") for n in range(before)),
        *(_ago(n, "user.logged_in", one, "ann") for n in range(since)),
        *(_ago(n, "user.logged_in", other, "eve") for n in range(draw(st.integers(7, 9)))),
    ]


def _opinion(draw: Draw) -> list[Ev]:
    """Somebody answers again, mostly otherwise."""
    account, scores = draw(accounts), draw(st.sampled_from([(3, 9), (9, 3), (7, 10), (9, 6), (8, 8)]))
    first, again = draw(st.sampled_from([170, 170, 200])), draw(st.sampled_from([0, 5, 14, 30]))
    return [
        _ago(back, "survey.responded", account, "eve", survey="s", kind="nps", score=score)
        for back, score in ((first, scores[0]), (again, scores[1]))
    ]


def _danger(draw: Draw) -> list[Ev]:
    """At risk, and then well again, renewed in full or for less, or none of it."""
    account, since = draw(st.sampled_from(["flux", "acme", "bolt"])), draw(st.sampled_from([91, 120, 150]))
    fee = {"subscription": "u", "mrr": "250", **EUR}
    told = [
        _ago(300, "subscription.started", account, **fee, term_end=(NOW - 70 * DAY).isoformat()),
        _ago(since, "account.updated", account, traits={"health": "poor"}),
    ]
    ends = draw(st.sampled_from(["well", "renewed", "well, renewed", ""]))
    if "well" in ends:
        well = draw(st.sampled_from([62, 61, 92, 29]))
        told.append(_ago(well, "account.updated", account, traits={"health": "good"}))
    if "renewed" in ends:
        mrr = draw(st.sampled_from(["250", "225", "224.99"]))
        told.append(_ago(71, "subscription.renewed", account, **{**fee, "mrr": mrr}))
    saved = (
        _ago(300, "subscription.started", "gate", **fee, term_end=(NOW - 70 * DAY).isoformat()),
        _ago(draw(st.sampled_from([100, 120])), "account.updated", "gate", traits={"health": "poor"}),
        _ago(71, "subscription.renewed", "gate", **fee),
    )
    return [*told, *saved]


def _care(draw: Draw) -> list[Ev]:
    """An owner, a contact and progress, of who pays until a term's end that is ahead, or isn't."""
    account, end = draw(accounts), draw(st.sampled_from([30, 60]))
    return [
        _ago(401, "account.updated", account, traits={"owner": "kim"}),
        _ago(400, "subscription.started", account, subscription="v", mrr="99.99", term_end=(NOW + end * DAY).isoformat(), **EUR),
        _ago(draw(st.sampled_from([0, 13, 28])), "activity.logged", account, owner="kim", kind="call", two_way=True),
        _ago(95, "success_plan.set", account, goal="i", baseline=1, target=10, due="2026-05-31"),
        _ago(draw(st.sampled_from([14, 16, 88])), "success_plan.progressed", account, goal="i", value=10),
        _ago(draw(st.sampled_from([1, 300, 364, 366])), "benefit.confirmed", account, yearly_benefit="900", **EUR),
    ]  # fmt: skip


def _newcomer(draw: Draw) -> list[Ev]:
    """Somebody pays for the first time, after money was spent on that, and costs some more."""
    back = draw(st.sampled_from([5, 28, 60]))
    spent = {"amount": "300", "purpose": "acquisition", **EUR}
    return [
        _ago(back, "subscription.started", "dune", subscription="w", mrr="70", **EUR),
        _ago(back + 90, "spend.recorded", "", **spent),
        _ago(120, "spend.recorded", "", **spent),
        _ago(back - 1, "spend.recorded", "", **{**spent, "purpose": "service"}),
    ]


def _programme(draw: Draw) -> list[Ev]:
    """Money for partners, and deals won with and without them."""
    back, account = draw(st.sampled_from([5, 28, 60])), draw(accounts)
    fair = {"amount": "40", "purpose": "partner", "programme": "fair", **EUR}
    names = st.fixed_dictionaries(
        {}, optional={"partner": st.sampled_from(["p", "q"]), "campaign": st.just("fair")}
    )
    return [
        _ago(back, "spend.recorded", "", **fair),
        _ago(back + 1, "deal.won", account, deal="d", amount="500.50", partner="p", campaign="fair", **EUR),
        _ago(back + 2, "deal.won", account, deal="e", amount="90", **EUR, **draw(names)),
        _ago(draw(st.sampled_from([1, 90, 200])), "deal.won", account, deal="f", **draw(names)),
        _ago(300, "account.updated", "elan", traits={"kind": "partner"}),
        _ago(back, "user.logged_in", "elan", "pat"),
    ]


def _value(draw: Draw) -> list[Ev]:
    """Use by two people of what they pay for, a question that needs nobody, and how many work for it all."""
    account = draw(accounts)
    return [
        _ago(300, "account.updated", account, traits={"seats": 3, "plan_features": 2}),
        _ago(9, "ticket.opened", account, ticket="t3"),
        _ago(8, "ticket.resolved", account, ticket="t3"),
        _ago(draw(st.sampled_from([7, 9])), "ticket.first_responded", account, ticket=draw(st.sampled_from(["t3", "t1"]))),
        *(_ago(2 * n, "feature.used", account, "ab"[n % 2], feature="x") for n in range(draw(st.integers(4, 7)))),
        _ago(draw(st.sampled_from([0, 30, 200])), "headcount.recorded", "", team="cs", fte=1.5),
        *(_ago(draw(st.integers(0, 40)), "metric.reported", "", metric=m, value=0.25) for m in ("market_share", "employee_nps")),
    ]  # fmt: skip


def _words(draw: Draw) -> list[Ev]:
    """What people said: praise, wishes and complaints."""
    kinds = st.sampled_from(["feedback.received", "story.recorded", "complaint.filed"])
    told = ["feedback.received", "story.recorded", "complaint.filed", *draw(st.lists(kinds, max_size=4))]
    backs = st.sampled_from([0, 14, 28, 200])
    return [
        _ago(
            draw(backs), kind, draw(accounts), draw(st.sampled_from([None, "ann"])),
            theme="price", text="So.", **({"complaint": f"c{n}"} if kind == "complaint.filed" else {}),
        )
        for n, kind in enumerate(told)
    ]  # fmt: skip


def _ending(draw: Draw) -> list[Ev]:
    """Somebody is closed, and now and then created again."""
    back, account = draw(st.sampled_from([0, 28, 60, 120])), draw(accounts)
    again = (
        [_ago(draw(st.sampled_from([0, 20, 130])), "account.created", account)] if draw(st.booleans()) else []
    )
    return [_ago(back, "account.closed", account, reason="moved"), *again]


def _success(_: Draw) -> list[Ev]:
    """What happens in every example: use by two people, a goal that was reached, an opinion that got better, and of two accounts of a segment one that falls back."""
    return [
        *(_ago(210, "account.updated", who, traits={"segment": "smb"}) for who in ("iris", "jade")),
        *(_ago(back, "user.logged_in", who, "ivy") for who, now in (("iris", 9), ("jade", 2)) for back in (*range(now), *range(29, 38))),
        *(_ago(2 * n, "feature.used", "hall", "ab"[n % 2], feature="x") for n in range(5)),
        _ago(95, "success_plan.set", "hall", goal="j", baseline=1, target=10, due="2026-05-31"),
        _ago(60, "success_plan.progressed", "hall", goal="j", value=10),
        *(_ago(back, "survey.responded", "hall", "fay", survey="s", kind="nps", wave=wave, score=score)
          for back, wave, score in ((175, "1", 3), (20, "2", 9), (19, "2", 10))),
    ]  # fmt: skip


STORIES: tuple[Callable[[Draw], list[Ev]], ...] = (
    _falls, _opinion, _danger, _care, _newcomer, _programme, _value, _words, _ending, _success,
)  # fmt: skip


@st.composite
def companies(draw: st.DrawFn) -> list[Ev]:
    """Every story, and events that have nothing to do with them."""
    told = [event for story in STORIES for event in story(draw)]
    told += draw(st.lists(happenings(), min_size=10, max_size=30))
    return [Ev(e.type, e.at, f"e{n:03d}", e.account, e.user, e.data) for n, e in enumerate(told)]
