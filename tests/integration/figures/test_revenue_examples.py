"""Worked examples of revenue, through the engine: what a quarter of three months is, terms, notices, reasons."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.catalogue import Catalogue
from common.figures import Figure, Query, query
from common.figures.run import behind

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


class Billing:
    """Tells of subscriptions, each event with an id of its own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.told = 0

    def __call__(
        self, kind: str, at: datetime, mrr: int | None = None, account: str = "acme", **data: Any
    ) -> None:
        fee = {} if mrr is None else {"mrr": str(mrr), "currency": "EUR"}
        self.tell(
            f"subscription.{kind}", at, account, subscription=data.pop("subscription", account), **fee, **data
        )

    def tell(self, kind: str, at: datetime, account: str = "acme", /, **data: Any) -> None:
        self.told += 1
        self.stage.write([Ev(kind, at, f"e{self.told}", account, None, data)])


@pytest.fixture
def bill(stage: Stage) -> Billing:
    return Billing(stage)


def ask(stage: Stage, metric: str, now: datetime = NOW, **parts: Any) -> list[Figure]:
    made = Query((metric,), **{"start": date(2026, 1, 1), "end": date(2026, 4, 1), "grain": "total", **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, now).figures)


def value(stage: Stage, metric: str, now: datetime = NOW, **parts: Any) -> Any:
    (figure,) = ask(stage, metric, now, **parts)
    return figure.value


def test_ninety_eight_percent_three_times_is_ninety_four_point_one(stage: Stage, bill: Billing) -> None:
    bill("started", JANUARY - DAY, 1_000_000)
    for month, mrr in ((1, 980_000), (2, 960_400), (3, 941_192)):
        bill("changed", datetime(2026, month, 15, tzinfo=UTC), mrr)
    assert [f.value for f in ask(stage, "grr", grain="month")] == [0.98, 0.98, 0.98]
    assert round(value(stage, "grr"), 3) == 0.941
    assert value(stage, "mrr_churn") == float(Decimal("0.058808"))


def test_what_grew_and_left_kept_nothing_and_what_left_and_came_back_kept_what_it_has(
    stage: Stage, bill: Billing
) -> None:
    bill("started", JANUARY - DAY, 100)
    bill("changed", JANUARY + 20 * DAY, 300)
    bill("cancelled", JANUARY + 60 * DAY)
    assert (value(stage, "grr"), value(stage, "nrr"), value(stage, "logo_retention")) == (0, 0, 0)
    bill("started", JANUARY + 80 * DAY, 80)
    assert (value(stage, "nrr"), value(stage, "grr"), value(stage, "logo_retention")) == (0.8, 0.8, 1)


def test_who_left_and_came_back_for_less_keeps_eighty_percent(stage: Stage, bill: Billing) -> None:
    bill("started", JANUARY - DAY, 100)
    bill("cancelled", JANUARY + 20 * DAY)
    assert (value(stage, "grr"), value(stage, "nrr")) == (0, 0)
    bill("started", JANUARY + 40 * DAY, 80)
    assert value(stage, "nrr") == 0.8


def test_a_year_back_is_the_same_date_and_starts_just_before_it(stage: Stage, bill: Billing) -> None:
    start = datetime(2025, 9, 1, tzinfo=UTC)
    for account, began in (("acme", start - INSTANT), ("bolt", start)):
        bill("started", began, 100, account)
    bill("changed", start + 200 * DAY, 150, "acme")
    september: dict[str, Any] = {"start": date(2026, 8, 1), "end": date(2026, 9, 1)}
    (nrr,) = ask(stage, "nrr_12m", **september)
    assert (nrr.value, nrr.numerator, nrr.denominator, nrr.n) == (1.5, Decimal(150), Decimal(100), 1)
    assert value(stage, "grr_12m", **september) == 1
    assert value(stage, "grr_12m", start=date(2026, 7, 1), end=date(2026, 8, 1)) is None


def test_a_notice_commits_at_once_until_it_is_taken_back(stage: Stage, bill: Billing) -> None:
    bill("started", JANUARY, 100, term_end="2026-12-31")
    bill("cancelled", JANUARY + 60 * DAY, effective_at="2026-12-31")
    day = JANUARY + 60 * DAY

    def committed(at: datetime) -> Any:
        return value(stage, "committed_mrr", start=JANUARY - DAY, end=at)

    assert (committed(day), committed(day + INSTANT)) == (100, 0)
    assert value(stage, "mrr", start=JANUARY, end=day + DAY) == 100
    bill("changed", JANUARY + 70 * DAY, 120)
    assert committed(JANUARY + 71 * DAY) == 0
    bill("renewed", JANUARY + 80 * DAY, 110, effective_at="2026-12-31", term_end="2027-12-31")
    assert committed(JANUARY + 81 * DAY) == 120


def test_a_notice_that_a_renewal_withdraws_ends_nothing(stage: Stage, bill: Billing) -> None:
    bill("started", JANUARY - DAY, 100, term_end="2026-06-15")
    bill("cancelled", JANUARY + 60 * DAY, effective_at="2026-06-15", reason="price")
    bill("renewed", JANUARY + 90 * DAY, 100, term_end="2027-06-15")
    june: dict[str, Any] = {"start": date(2026, 6, 1), "end": date(2026, 7, 1)}
    assert [value(stage, name, **june) for name in ("mrr", "mrr_churned", "renewal_rate")] == [100, 0, 1]
    at = JANUARY + 60 * DAY
    assert value(stage, "committed_mrr", start=JANUARY, end=at + DAY) == 0
    assert value(stage, "committed_mrr", start=JANUARY, end=JANUARY + 91 * DAY) == 100


def test_the_reason_of_a_withdrawn_notice_says_nothing_of_a_loss(stage: Stage, bill: Billing) -> None:
    left = JANUARY + 80 * DAY
    for part in ("a", "b"):
        bill("started", JANUARY - DAY, 100, subscription=part)
    bill("cancelled", JANUARY, subscription="a", effective_at=left.isoformat(), reason="acquired")
    bill("renewed", JANUARY + DAY, 100, subscription="a")
    bill("cancelled", left, subscription="b")
    bill("cancelled", left, subscription="a")
    assert value(stage, "churn_coding_rate") == 0


def renewal(stage: Stage, now: datetime, metric: str = "renewal_rate") -> tuple[Any, ...]:
    (figure,) = ask(stage, metric, now, start=date(2026, 6, 1), end=date(2026, 7, 1))
    return (figure.value, figure.low, figure.high, figure.censored)


def test_open_renewals_are_a_range(stage: Stage, bill: Billing) -> None:
    june = datetime(2026, 6, 15, tzinfo=UTC)
    for account, mrr in (("acme", 100), ("bolt", 100), ("core", 200)):
        bill("started", JANUARY, mrr, account, term_end=june.isoformat())
    assert renewal(stage, june - DAY) == (None, 0, 1, 3)
    bill("renewed", june - 20 * DAY, 150, "acme", term_end="2027-06-15")
    bill("cancelled", june - 10 * DAY, account="bolt", effective_at=june.isoformat())
    assert renewal(stage, june + DAY) == (0.5, 0.25, 0.75, 1)
    assert renewal(stage, june + DAY, "renewal_rate_logos") == (0.5, 1 / 3, 2 / 3, 1)
    lapsed = june + 30 * DAY
    assert renewal(stage, lapsed - INSTANT)[0] == 0.5
    assert renewal(stage, lapsed) == (0.25, 0.25, 0.25, 0)


def test_a_renewal_counts_at_its_original_date_and_up_to_what_was_due(stage: Stage, bill: Billing) -> None:
    bill("started", JANUARY, 100, term_end="2026-06-15")
    bill("renewed", datetime(2026, 7, 14, tzinfo=UTC), 70, term_end="2027-06-15")
    assert renewal(stage, NOW) == (0.7, 0.7, 0.7, 0)
    (share,) = ask(stage, "mrr_due_share", start=date(2026, 6, 1), end=date(2026, 7, 1))
    assert (share.value, share.denominator) == (1, Decimal(100))


def test_what_is_due_month_after_month_is_due_once(stage: Stage, bill: Billing) -> None:
    """Of 110 at the year's start 10 are renewed every month, of 50 more 30 were given up before their term ended."""
    bill("started", JANUARY - DAY, 100)
    bill("started", JANUARY - DAY, 10, subscription="monthly", term_end="2026-02-01")
    for month in range(2, 7):
        at = datetime(2026, month, 1, tzinfo=UTC)
        bill("renewed", at, 12, subscription="monthly", term_end=f"2026-{month + 1:02}-01")
    bill("started", JANUARY - DAY, 50, "bolt", term_end="2026-03-01")
    bill("changed", JANUARY + 20 * DAY, 20, "bolt")
    (half,) = ask(stage, "mrr_due_share", start=date(2026, 1, 1), end=date(2026, 7, 1))
    assert (half.value, half.numerator, half.denominator) == (0.375, Decimal(60), Decimal(160))
    by_account = ask(stage, "mrr_due_share", end=date(2026, 7, 1), group_by=("account",))
    assert {f.group["account"]: f.value for f in by_account} == {"acme": 10 / 110, "bolt": 1}
    for fee, name in ((30, "list price"), (-10, "discount")):
        bill("started", JANUARY - DAY, fee, "core", subscription=name, term_end="2026-05-01")
    assert value(stage, "mrr_due_share", end=date(2026, 7, 1), accounts=("core",)) == 1


def test_churn_is_involuntary_when_the_last_word_on_an_invoice_was_a_failure(
    stage: Stage, bill: Billing
) -> None:
    left = JANUARY + 80 * DAY
    for account in ("acme", "bolt", "core", "dune"):
        bill("started", JANUARY - DAY, 100, account)
        bill("cancelled", left, account=account)
    money = {"amount": "1.00", "currency": "EUR"}
    bill.tell("invoice.failed", left - 60 * DAY, "acme", invoice="i1", **money)
    bill.tell("invoice.failed", left - 60 * DAY - INSTANT, "bolt", invoice="i1", **money)
    bill.tell("invoice.failed", left - 5 * DAY, "core", invoice="i1", **money)
    bill.tell("invoice.paid", left - INSTANT, "core", invoice="i1", **money)
    bill.tell("invoice.failed", left, "dune", invoice="i1", **money)
    (found,) = ask(stage, "involuntary_churn")
    assert (found.value, found.numerator, found.denominator) == (0.25, Decimal(100), Decimal(400))


def test_the_reason_of_a_closing_is_that_of_the_churn_it_goes_with(stage: Stage, bill: Billing) -> None:
    """Closed before and after a term lapsed, with a reason of the cancellation, and after the account came back."""
    for account, closed, left in (("soon", 20, 31), ("late", 40, 31), ("said", 9, 10), ("back", 200, 31)):
        bill("started", JANUARY - DAY, 50, account, term_end=(JANUARY + left * DAY).isoformat())
        bill.tell("account.closed", JANUARY + closed * DAY, account, reason="acquired")
    bill("cancelled", JANUARY + 10 * DAY, account="said", reason="price")
    bill("started", JANUARY + 100 * DAY, 50, "back")
    (avoidable,), (coding,) = ask(stage, "avoidable_churn"), ask(stage, "churn_coding_rate")
    assert (avoidable.numerator, avoidable.denominator) == (Decimal(100), Decimal(200))
    assert coding.value == 0.75


def test_a_lapse_is_involuntary_when_an_invoice_failed_in_the_grace_after_the_term(
    stage: Stage, bill: Billing
) -> None:
    end = JANUARY + 20 * DAY
    money = {"amount": "1.00", "currency": "EUR"}
    for account in ("acme", "bolt", "core", "dune"):
        bill("started", JANUARY - DAY, 100, account, term_end=end.isoformat())
    for day in (1, 5, 10):
        bill.tell("invoice.failed", end + day * DAY, "acme", invoice=f"i{day}", **money)
    bill.tell("invoice.failed", end + 30 * DAY, "bolt", invoice="i", **money)
    bill.tell("invoice.failed", end + 5 * DAY, "core", invoice="i", **money)
    bill.tell("invoice.paid", end + 29 * DAY, "core", invoice="i", **money)
    bill("cancelled", end, account="dune")
    bill.tell("invoice.failed", end + 5 * DAY, "dune", invoice="i", **money)
    (found,) = ask(stage, "involuntary_churn")
    assert (found.value, found.numerator, found.denominator) == (0.25, Decimal(100), Decimal(400))


def test_what_could_have_been_avoided_includes_what_nobody_coded(stage: Stage, bill: Billing) -> None:
    for n, reason in enumerate(("price", "acquired", None, None)):
        bill("started", JANUARY - DAY, 100, f"acct-{n}")
        coded: dict[str, Any] = {"reason": reason} if reason else {}
        if n < 3:
            bill("cancelled", JANUARY + 10 * DAY, account=f"acct-{n}", **coded)
    (avoidable,), (coding,) = ask(stage, "avoidable_churn"), ask(stage, "churn_coding_rate")
    assert (avoidable.value, avoidable.numerator) == (0.5, Decimal(200))
    assert (coding.value, coding.denominator) == (2 / 3, Decimal(300))


def test_a_lapse_leads_to_what_began_the_term_in_the_month_of_its_end(stage: Stage, bill: Billing) -> None:
    """And to the invoices that failed in the grace after it; 30 days on nothing moves any more."""
    end = datetime(2026, 1, 28, tzinfo=UTC)
    bill("started", JANUARY - DAY, 100, term_end=end.isoformat())
    bill("changed", end + 6 * DAY, 90)
    bill.tell("invoice.failed", end + 10 * DAY, "acme", invoice="i", amount="1.00", currency="EUR")
    bill("started", JANUARY - DAY, 50, subscription="kept", term_end=end.isoformat())
    bill("renewed", end + 30 * DAY - INSTANT, 50, subscription="kept", term_end="2027-01-28")
    (acme,) = stage.rows("select id from engine.account where name = 'acme'")[0]

    def moved(metric: str, month: int, now: datetime = NOW) -> set[str]:
        span = date(2026, month, 1), date(2026, month + 1, 1)
        found = behind(stage.conn, stage.tenant_id, stage.catalogue, stage.catalogue.metrics[metric], acme, span, now)  # fmt: skip
        return {name for (_, name), of in found.by_name.items() if any(its.part != "start" for its in of)}

    assert moved("mrr_contraction", 1) == {"e1"}
    assert moved("mrr_contraction", 2) == {"e2", "e5"}, "told to act in it"
    assert moved("mrr_contraction", 1, end + 30 * DAY - INSTANT) == set(), "not lapsed yet"
    assert moved("involuntary_churn", 1) == {"e1", "e3"}
