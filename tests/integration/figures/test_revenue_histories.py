"""A year back, notices, renewals and reasons for leaving, through the engine, equal plain code over the raw events."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.conftest import Known, Stages
from tests.integration.figures.foreign import Abroad
from tests.integration.figures.test_figures_match_the_oracle import ZONES
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.calendar import Calendar
from tests.reference.events import Event, Json, events_of
from tests.reference.histories import histories
from tests.reference.lifecycles import Lifecycles
from tests.reference.renewals import Held, Renewals, logo_rate, rate

from common.catalogue import Catalogue, load
from common.figures import Figure, Query, query

START, END = datetime(2025, 1, 10, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
NOW = datetime(2026, 5, 15, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
UNAVOIDABLE = ("out_of_business", "acquired", "merged", "business_closed")
METRICS = (
    "grr_12m", "nrr_12m", "logo_retention", "mrr_churn", "involuntary_churn", "mrr_due_share", "avoidable_churn",
    "churn_coding_rate", "renewal_rate", "renewal_rate_logos", "committed_mrr",
)  # fmt: skip


@pytest.fixture(scope="module")
def pack() -> Catalogue:
    base = load(Path(__file__).parents[3] / "catalogue")
    return base.model_copy(
        update={"settings": base.settings.model_copy(update={"timezone": "Europe/Berlin"})}
    )


@pytest.fixture
def stage(stages: Stages, pack: Catalogue) -> Stage:
    return stages(pack, NOW)


def asked(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(metrics, **{"grain": "total", "limit": 10_000, **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


def lives(seed: int) -> list[Json]:
    """Subscriptions with reasons for leaving, invoices around the ends, and segments."""
    rng = random.Random(seed)
    bodies = [body for body in histories(seed, 4, START, END) if datetime.fromisoformat(body["time"]) < NOW]
    more: list[Json] = []
    for body in bodies:
        if body["type"] == "subscription.cancelled":
            if reason := rng.choice((None, "price", "acquired", "")):
                body["data"]["reason"] = reason
            left = datetime.fromisoformat(body["data"].get("effective_at", body["time"]))
            more.extend(_invoices(rng, body, left, (1, 30, 59, 60, 60, 61)))
            if rng.random() < 0.3:
                at = datetime.fromisoformat(body["time"]) + timedelta(days=rng.randint(-40, 40))
                closed = {
                    "id": f"{body['id']}-c",
                    "type": "account.closed",
                    "time": min(at, NOW - timedelta(days=1)).isoformat(),
                }
                more.append({**body, **closed, "data": {"reason": rng.choice(("merged", "bored", None))}})
        if "term_end" in body["data"]:
            end = datetime.fromisoformat(body["data"]["term_end"])
            more.extend(_invoices(rng, body, end, (60, 1, 0, -5, -29, -30)))
        if rng.random() < 0.15:
            traits = {"segment": rng.choice(("smb", "enterprise", None))}
            more.append(
                {**body, "id": f"{body['id']}-t", "type": "account.updated", "data": {"traits": traits}}
            )
    return bodies + more + list(_leavers(rng))


def _leavers(rng: random.Random) -> Iterator[Json]:
    """Four who leave within the months that are asked for, one of them with an invoice that failed. Why is said when they cancel, or when
    they are closed some days before or after that; one of those pays again before it is closed.
    """
    for account, reason in (
        ("gone-0001", "price"),
        ("gone-0002", "acquired"),
        ("gone-0003", ""),
        ("gone-0004", ""),
    ):
        left = datetime(2026, rng.randrange(1, 5), rng.randrange(1, 28), 9, tzinfo=UTC)
        told = {"subscription": account, "mrr": "40.10", "currency": "EUR"}
        closed = left + timedelta(days=rng.randint(-14, 14))
        if account == "gone-0004":
            yield _billed(
                account, "e", "subscription.started", left + timedelta(days=rng.randint(1, 14)), told
            )
        if not reason:
            why = {"reason": rng.choice(("merged", "bored"))}
            yield _billed(account, "d", "account.closed", min(closed, NOW - timedelta(days=1)), why)
        for name, kind, at, data in (
            ("a", "subscription.started", START, told),
            ("b", "subscription.cancelled", left, {"subscription": account, "reason": reason}),
            (
                "c",
                "invoice.failed",
                left - timedelta(days=30),
                {"invoice": "i", "amount": "1.00", "currency": "EUR"},
            ),
        ):
            if kind != "invoice.failed" or reason == "price":
                yield _billed(account, name, kind, at, data)


def _billed(account: str, name: str, kind: str, at: datetime, data: Json) -> Json:
    return {
        "subject": account,
        "source": "billing",
        "id": name,
        "type": kind,
        "time": at.isoformat(),
        "data": data,
    }


def _invoices(rng: random.Random, body: Json, left: datetime, days_before: tuple[int, ...]) -> Iterator[Json]:
    for kind in rng.choice((("failed",), ("failed", "paid"), ("paid", "failed"), ())):
        at = left - timedelta(days=rng.choice(days_before))
        if at < NOW:
            data = {"invoice": f"i-{body['subject']}", "amount": "1.00", "currency": "EUR"}
            time = at.isoformat()
            yield {
                **body,
                "id": f"{body['id']}-{kind}",
                "type": f"invoice.{kind}",
                "time": time,
                "data": data,
            }


def ev(body: Json) -> Ev:
    at = datetime.fromisoformat(body["time"])
    return Ev(body["type"], at, body["id"], body["subject"], None, body["data"], body["source"])


class Expected:
    def __init__(self, plain: Renewals, traits: Lifecycles, by: str | None, group: Any) -> None:
        self.plain, self.traits, self.by, self.group = plain, traits, by, group

    def held(self, at: datetime, *, or_first: bool = False) -> Held:
        def is_it(account: str) -> bool:
            if self.by is None:
                return True
            if self.by == "account":
                return bool(account == self.group)
            return bool(self.traits.trait(account, self.by, at, or_first=or_first) == self.group)

        return is_it

    def of(self, metric: str, start: datetime, end: datetime) -> Any:
        plain = self.plain
        now = min(end, plain.now)
        if metric == "committed_mrr":
            held = self.held(now)
            return sum((plain.committed(a, now) for a in plain.revenue.steps if held(a)), Decimal(0))
        if metric in ("renewal_rate", "renewal_rate_logos"):
            terms = plain.renewed(start, end, self.held(min(start, plain.now), or_first=True))
            if metric == "renewal_rate":
                return tuple(None if part is None else float(part) for part in rate(terms))
            kept, lost, open_ = logo_rate(terms)
            every = kept + lost + open_
            return (
                kept / (kept + lost) if kept + lost else None,
                kept / every if every else None,
                (kept + open_) / every if every else None,
            )
        if metric in ("grr_12m", "nrr_12m"):
            back = year_before(now, self.traits.calendar.zone)
            return quotient(*plain.kept(back, now, self.held(back), capped=metric == "grr_12m"))
        return self._churn(metric, start, now)

    def _churn(self, metric: str, start: datetime, now: datetime) -> Any:
        plain, held = self.plain, self.held(start)
        if metric == "mrr_churn":
            kept, base = plain.kept(start, now, held, capped=True)
            return quotient(base - kept, base)
        gone = plain.churned(start, now, held)
        cohort = plain.cohort(start, held)
        if metric == "logo_retention":
            return (len(cohort) - len(gone)) / len(cohort) if cohort else None
        base = sum((plain.revenue.account_mrr(a, start) for a in cohort), Decimal(0))
        if metric == "mrr_due_share":
            ended = {(t.account, t.subscription) for t in plain.terms if start <= t.due_at < now}
            due = [
                min(
                    plain.revenue.account_mrr(account, start),
                    sum(
                        (plain.subscription_mrr(*key, start) for key in ended if key[0] == account),
                        Decimal(0),
                    ),
                )
                for account in cohort
            ]
            return quotient(sum(due, Decimal(0)), base)
        if metric == "involuntary_churn":
            return quotient(sum((mrr for a, mrr, at in gone if plain.is_unpaid(a, at)), Decimal(0)), base)
        reasons = [(mrr, plain.reason(a, at)) for a, mrr, at in gone]
        if metric == "avoidable_churn":
            return quotient(sum((mrr for mrr, why in reasons if why not in UNAVOIDABLE), Decimal(0)), base)
        coded = sum((mrr for mrr, why in reasons if why is not None), Decimal(0))
        return quotient(coded, sum((mrr for mrr, _ in reasons), Decimal(0)))


def quotient(part: Decimal, whole: Decimal) -> float | None:
    return float(Fraction(part) / Fraction(whole)) if whole else None


def year_before(at: datetime, zone: tzinfo = BERLIN) -> datetime:
    local = at.astimezone(zone)
    return local.replace(year=local.year - 1).astimezone(UTC)


@given(
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    by=st.sampled_from([None, "segment", "account"]),
    grain=st.sampled_from(["month", "quarter", "total"]),
    zone=st.sampled_from(ZONES),
    foreign=st.booleans(),
)
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_of_revenue_equals_the_reference(
    stage: Stage, known: Known, seed: int, cuts: list[int], by: str | None, grain: str, zone: str, abroad: Abroad, foreign: bool
) -> None:  # fmt: skip
    bodies = lives(seed)
    events: list[Event] = events_of(bodies)
    arriving = [ev(body) for body in bodies]
    arriving = abroad(arriving, Calendar(ZoneInfo(zone)), seed) if foreign else arriving
    random.Random(seed).shuffle(arriving)
    local = stage.catalogue.settings.model_copy(update={"timezone": zone})
    stage.reset(stage.catalogue.model_copy(update={"settings": local}))
    for batch in split(arriving, cuts):
        if batch:
            stage.write(batch)
    plain = Renewals(events, NOW)
    traits = Lifecycles(events, Calendar(ZoneInfo(zone)), NOW)
    figures = asked(
        stage,
        *METRICS,
        start=date(2025, 11, 1),
        end=date(2026, 8, 1),
        grain=grain,
        group_by=(by,) if by else (),
    )
    for figure in figures:
        start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
        if start > NOW and not figure.metric.startswith("renewal"):
            assert figure.value is None
            continue
        expected = Expected(plain, traits, by, figure.group.get(by) if by else None).of(
            figure.metric, start, end
        )
        found = (
            (figure.value, figure.low, figure.high) if figure.metric.startswith("renewal") else figure.value
        )
        assert found == expected, (figure, expected)
        known(figure)
