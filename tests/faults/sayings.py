"""What customers and their CRM say at random: events of every type that the pack reads, of a few accounts that share few people and cases."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.reference.events import Json

SOURCES = ("/app", "/crm")
PEOPLE = ("ann", "bob", "eve", "kim")
ACCOUNTS = ("acme", "bolt", "core", "dune", "user:ann")
PAST_DAYS = 420
EUR = {"currency": "EUR"}
MONEY = ("10", "99.99", "250", "0", "1200.5")
DEAL_NAMES = {
    "partner": ("dune", "p2"),
    "source": ("web", "fair"),
    "campaign": ("spring",),
    "channel": ("mail",),
}


class Sayings:
    """Draws events; no two have the same identity."""

    def __init__(self, rng: random.Random, now: datetime) -> None:
        self._rng, self._now, self._number = rng, now, 0

    def several(self, count: int) -> list[Json]:
        return [self.one() for _ in range(count)]

    def one(self) -> Json:
        self._number += 1
        account = self._rng.choice((*ACCOUNTS, *ACCOUNTS, ""))
        told = {"specversion": "1.0", "id": f"e{self._number}", "source": self._rng.choice(SOURCES)}
        return told | ({"subject": account} if account else {}) | self.said(account)

    def another_body(self, event: Json) -> Json:
        """The same event saying something else."""
        kept = {name: event[name] for name in ("specversion", "id", "source", "subject") if name in event}
        return kept | self.said(event.get("subject", ""))

    def said(self, account: str) -> Json:
        kind, data = self._rng.choice(OF_ACCOUNTS if account else OF_THE_TENANT)
        return {"type": kind, "time": self._instant().isoformat(), "data": data(self)}

    def __call__(self, *among: Any) -> Any:
        return self._rng.choice(among)

    def maybe(self, **values: Any) -> dict[str, Any]:
        """Some of the fields, each with one of its values."""
        return {name: self(*among) for name, among in values.items() if self._rng.random() < 0.5}

    def day(self, first: int, last: int) -> str:
        return (self._now + timedelta(days=self._rng.randrange(first, last))).date().isoformat()

    def _instant(self) -> datetime:
        """Rather lately than long ago, and now and then at the very moment of another event: midnights, and few hours of few days."""
        back = int(PAST_DAYS * self._rng.random() ** 2)
        start = self._now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
            days=back
        )
        at = start + timedelta(
            hours=self._rng.choice((0, 5, 9, 13, 18)), minutes=self._rng.choice((0, 0, 30))
        )
        return at if at <= self._now else start


Draw = Callable[[Sayings], dict[str, Any]]


def _traits(s: Sayings) -> dict[str, Any]:
    return {"traits": s.maybe(
        segment=("smb", "ent", None), plan=("free", "pro", 3), seats=(1, 2, 5, None), plan_features=(1, 3), owner=("kim", None),
        engagement_model=("high", "mid", None), kind=("partner", None, None), health=("poor", "good", "fair"), parent=("acme", "core", None),
        contract_start=(s.day(-400, -30),), renewal_at=(s.day(-60, 90),),
    )}  # fmt: skip


def _person(s: Sayings) -> dict[str, Any]:
    traits = s.maybe(is_internal=(True, False, False, None), role=("admin", "user"), nick=("annie", "bo"))
    return {"user": s(*PEOPLE), "traits": traits}


def _fee(s: Sayings) -> dict[str, Any]:
    more = s.maybe(
        product=("core", "extra"), seats=(1, 3), term_end=(s.day(-120, 120),), effective_at=(s.day(-60, 60),)
    )
    return {"subscription": s("s", "t"), "mrr": s(*MONEY), **EUR, **_instants(more)}


def _cancelled(s: Sayings) -> dict[str, Any]:
    more = s.maybe(
        effective_at=(s.day(-60, 60),), reason=("price", "product"), reason_source=("customer", "us")
    )
    return {"subscription": s("s", "t"), **_instants(more)}


def _instants(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value}T00:00:00Z" if name in ("term_end", "effective_at") else value for name, value in fields.items()}  # fmt: skip


def _survey(s: Sayings) -> dict[str, Any]:
    asked = {"survey": s("onboarding", "q"), "kind": s("nps", "nps", "csat", "ces")}
    return asked | s.maybe(wave=("1", "2"), transactional=(True, False))


def _answer(s: Sayings) -> dict[str, Any]:
    asked = _survey(s)
    scores = {"nps": (0, 3, 6, 7, 9, 10), "csat": (1, 4, 5), "ces": (1, 4, 7)}
    return {**asked, "user": s(*PEOPLE), "score": s(*scores[asked["kind"]]), **s.maybe(comment=("So.",))}


def _deal(s: Sayings) -> dict[str, Any]:
    more = s.maybe(**DEAL_NAMES)
    return {
        "deal": s("d1", "d2", "d3"),
        **more,
        **({"amount": s(*MONEY), **EUR} if s(True, True, False) else {}),
    }


def _words(s: Sayings) -> dict[str, Any]:
    return {"theme": s("price", "speed"), "text": "As I said.", **s.maybe(user=PEOPLE)}


def _goal(s: Sayings) -> dict[str, Any]:
    numbers = (0, 5, 7.5, 10)
    return {
        "goal": s("g", "h"),
        **s.maybe(baseline=numbers, target=numbers, value=numbers, due=(s.day(-90, 30),)),
    }


def _case(name: str, **more: tuple[Any, ...]) -> Draw:
    return lambda s: {name: s("1", "2", "3"), **s.maybe(**more)}


def _spend(s: Sayings) -> dict[str, Any]:
    fields = s.maybe(programme=("spring",), period=("2026-Q1", "2026", "2026-05-20/2026-06-10"))
    return {"amount": s(*MONEY), "purpose": s("acquisition", "service", "partner"), **EUR, **fields}


OF_THE_TENANT: tuple[tuple[str, Draw], ...] = (
    ("spend.recorded", _spend),
    ("headcount.recorded", lambda s: {"team": s("cs", "ops"), "fte": s(0, 1.5, 3)}),
    ("metric.reported", lambda s: {"metric": s("market_share", "employee_nps"), "value": s(0.1, 0.25, 7)}),
)
OF_ACCOUNTS: tuple[tuple[str, Draw], ...] = (
    *[("user.logged_in", lambda s: {"user": s(*PEOPLE)})] * 8,
    *[("feature.used", lambda s: {"feature": s("x", "y", "z"), **s.maybe(user=PEOPLE)})] * 5,
    *[("account.updated", _traits)] * 3,
    *[("subscription.started", _fee), ("deal.won", _deal), ("survey.responded", _answer)] * 2,
    ("account.created", _traits),
    ("account.closed", lambda s: s.maybe(reason=("moved",))),
    ("user.updated", _person),
    ("user.left", lambda s: {"user": s(*PEOPLE)}),
    ("onboarding.milestone_reached", lambda s: {"milestone": s("kickoff", "configured", "first_value", "live")}),
    ("journey.step_entered", lambda s: {"journey": "j", "step": s("a", "b", "c")}),
    ("survey.sent", _survey),
    *((kind, _case("complaint", severity=("high", "low"), theme=("price",))) for kind in ("complaint.filed", "complaint.resolved")),
    *((kind, _case("ticket", priority=("1", "2"))) for kind in ("ticket.opened", "ticket.first_responded", "ticket.resolved")),
    *((f"subscription.{what}", _fee) for what in ("changed", "renewed")),
    ("subscription.cancelled", _cancelled),
    *((kind, lambda s: {"invoice": s("1", "2"), "amount": s(*MONEY), **EUR}) for kind in ("invoice.paid", "invoice.failed")),
    *((f"deal.{what}", _deal) for what in ("created", "stage_changed", "qualified", "registered", "responded", "lost")),
    ("activity.logged", lambda s: {"owner": "kim", "kind": s("call", "review"), **s.maybe(two_way=(True, False))}),
    *((kind, _words) for kind in ("feedback.received", "story.recorded")),
    *((f"success_plan.{what}", _goal) for what in ("set", "progressed")),
    ("benefit.confirmed", lambda s: {"yearly_benefit": s(*MONEY), **EUR, **s.maybe(customer_effort=MONEY)}),
    ("brewery.opened", lambda s: s.maybe(user=PEOPLE)),
)  # fmt: skip
