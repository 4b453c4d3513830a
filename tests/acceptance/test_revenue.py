"""Recurring revenue of generated histories, posted in any order and partly twice: equal to the cent."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.client import Client, Row
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.reference.calendar import Calendar
from tests.reference.events import Json, events_of
from tests.reference.histories import histories
from tests.reference.revenue import Period, Revenue

SEED = 42
ACCOUNTS = 150
FIRST, END = date(2023, 1, 1), date(2026, 7, 1)
TOLD_UNTIL = datetime(2026, 6, 30, tzinfo=UTC)
ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Billed:
    client: Client
    expected: Revenue
    calendar: Calendar

    def periods(self, grain: str) -> dict[datetime, Period]:
        start = self.calendar.start_of
        return {
            start(bucket): self.expected.period(start(first), start(end))
            for bucket, (first, end) in self.calendar.buckets(FIRST, END, grain).items()
        }

    def rows(self, metric: str, grain: str) -> dict[datetime, Row]:
        return {row.bucket: row for row in self.client.query(metric, FIRST, END, grain)}


def in_any_order_partly_twice(bodies: list[Json]) -> list[Json]:
    rng = random.Random(SEED)
    sent = bodies + rng.sample(bodies, len(bodies) // 5)
    rng.shuffle(sent)
    return sent


@pytest.fixture(scope="module")
def billed(stack: Stack, new_tenant: Callable[..., Tenant]) -> Billed:
    tenant = new_tenant("billed", {"settings.yaml": f"timezone: {ZONE}\ncurrency: EUR\n"})
    bodies = histories(SEED, ACCOUNTS, datetime(2023, 1, 3, tzinfo=UTC), TOLD_UNTIL)
    tenant.client.post_all(in_any_order_partly_twice(bodies), batch=97)
    stack.wait_applied()
    return Billed(tenant.client, Revenue(events_of(bodies), datetime.now(UTC)), Calendar(ZoneInfo(ZONE)))


def money(value: object) -> Decimal:
    assert isinstance(value, str), f"money is a decimal string, not {value!r}"
    return Decimal(value)


def differences(expected: dict[datetime, Decimal], found: dict[datetime, Row]) -> list[str]:
    assert found.keys() == expected.keys()
    return [
        f"{bucket.date()}: {found[bucket].value} is not {value}"
        for bucket, value in expected.items()
        if money(found[bucket].value) != value
    ]


@pytest.mark.parametrize("grain", ["month", "quarter", "year", "total"])
def test_mrr_is_equal_to_the_cent(billed: Billed, grain: str) -> None:
    expected = {bucket: period.end for bucket, period in billed.periods(grain).items()}
    assert differences(expected, billed.rows("mrr", grain)) == []


def test_mrr_of_every_day_of_a_year_is_equal_to_the_cent(billed: Billed) -> None:
    first, end = date(2025, 1, 1), date(2026, 1, 1)
    start = billed.calendar.start_of
    expected = {
        start(day): billed.expected.mrr(start(day + timedelta(days=1)))
        for day in billed.calendar.days(first, end)
    }
    found = {row.bucket: row for row in billed.client.query("mrr", first, end, "day")}
    assert differences(expected, found) == []


@pytest.mark.parametrize("grain", ["month", "quarter", "year", "total"])
@pytest.mark.parametrize("metric", ["nrr", "grr", "logo_churn"])
def test_retention_is_equal_with_its_parts(billed: Billed, metric: str, grain: str) -> None:
    found = billed.rows(metric, grain)
    periods = billed.periods(grain)
    assert found.keys() == periods.keys()
    for bucket, period in periods.items():
        exact: Fraction | None = getattr(period, metric)
        row = found[bucket]
        if exact is None:
            assert row.value is None, f"{metric} of {bucket.date()}: null is not {row.value}"
            continue
        assert row.value == pytest.approx(float(exact), rel=1e-12), f"{metric} of {bucket.date()}"
        over = period.cohort if metric == "logo_churn" else period.start
        top = {"nrr": period.cohort_end, "grr": period.kept, "logo_churn": period.lost}[metric]
        assert Decimal(str(row.denominator)) == over, f"denominator of {metric} of {bucket.date()}"
        assert Decimal(str(row.numerator)) == top, f"numerator of {metric} of {bucket.date()}"


def test_any_period_between_two_instants_is_equal(billed: Billed) -> None:
    rng = random.Random(SEED)
    for _ in range(15):
        start = datetime(2023, 2, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(3 * 365 * 86_400))
        end = start + timedelta(seconds=rng.randrange(3600, 200 * 86_400))
        period = billed.expected.period(start, end)
        assert money(billed.client.figure("mrr", start, end).value) == period.end
        for metric in ("nrr", "grr", "logo_churn"):
            exact: Fraction | None = getattr(period, metric)
            value = billed.client.figure(metric, start, end).value
            assert value == (None if exact is None else pytest.approx(float(exact), rel=1e-12)), (
                metric,
                start,
                end,
            )


def test_an_account_page_shows_the_mrr_of_now(billed: Billed) -> None:
    now = datetime.now(UTC)
    for account in list(billed.expected.steps)[:25]:
        shown = billed.client.get(f"/v1/accounts/{account}")
        figure = shown["figures"]["mrr"]
        assert Decimal(str(figure)) == billed.expected.account_mrr(account, now), account
