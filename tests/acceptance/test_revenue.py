"""Recurring revenue of generated histories, posted in any order and partly twice: equal to the cent."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.client import Client, Row
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.reference.calendar import Calendar
from tests.reference.edges import EDGES, edges_of
from tests.reference.events import Event, Json, events_of
from tests.reference.histories import histories
from tests.reference.revenue import Period, Revenue

SEED = 42
ACCOUNTS = 150
FIRST, END = date(2023, 1, 1), date(2026, 7, 1)
FIRST_TOLD, TOLD_UNTIL = datetime(2023, 1, 3, tzinfo=UTC), datetime(2026, 6, 30, tzinfo=UTC)
ZONE = "Europe/Berlin"
GRAINS = ("day", "week", "month", "quarter", "year", "total")
SEGMENTS = ("enterprise", "growth", "starter")
# metric -> name in the reference's period
MOVEMENTS = {
    "mrr_new": "new",
    "mrr_reactivation": "reactivation",
    "mrr_expansion": "expansion",
    "mrr_contraction": "contraction",
    "mrr_churned": "churned",
    "net_new_mrr": "net_new",
}
TRANSFERS = ("mrr_transfer_in", "mrr_transfer_out")


@dataclass(frozen=True)
class Billed:
    client: Client
    events: list[Event]
    expected: Revenue
    calendar: Calendar
    _periods: dict[str, dict[datetime, Period]] = field(default_factory=dict)

    def periods(self, grain: str) -> dict[datetime, Period]:
        """Computed once a grain; bucket -> what the reference says of it."""
        start = self.calendar.start_of
        if grain not in self._periods:
            self._periods[grain] = {
                start(bucket): self.expected.period(start(first), start(end))
                for bucket, (first, end) in self.calendar.buckets(FIRST, END, grain).items()
            }
        return self._periods[grain]

    def rows(self, metric: str, grain: str) -> dict[datetime, Row]:
        return {row.bucket: row for row in self.client.query(metric, FIRST, END, grain)}

    def cells(
        self, metrics: Sequence[str], grain: str, group_by: Sequence[str] = ()
    ) -> dict[tuple[str, datetime], dict[str, Row]]:
        """(segment or nothing, bucket) -> metric -> row."""
        cells: dict[tuple[str, datetime], dict[str, Row]] = defaultdict(dict)
        rows = self.client.query(metrics, FIRST, END, grain, group_by=list(group_by))
        for row in rows:
            cells[str(row.raw["group"].get("segment")), row.bucket][row.metric] = row
        return cells


def segments_of(bodies: list[Json]) -> list[Json]:
    """Every account is in a segment from before its first event; some change it once or twice."""
    rng = random.Random(SEED)
    told: list[Json] = []
    for account in sorted({body["subject"] for body in bodies}):
        first = FIRST_TOLD - timedelta(days=1)
        later = [
            FIRST_TOLD + timedelta(seconds=rng.randrange(1200 * 86_400)) for _ in range(rng.randrange(3))
        ]
        for number, at in enumerate((first, *later)):
            told.append(
                {
                    "specversion": "1.0", "id": f"segment-{account}-{number}", "source": "/crm", "type": "account.updated",
                    "subject": account, "time": at.isoformat(), "data": {"traits": {"segment": rng.choice(SEGMENTS)}},
                }
            )  # fmt: skip
    return told


def in_any_order_partly_twice(bodies: list[Json]) -> list[Json]:
    rng = random.Random(SEED)
    sent = bodies + rng.sample(bodies, len(bodies) // 5)
    rng.shuffle(sent)
    return sent


@pytest.fixture(scope="module")
def billed(stack: Stack, new_tenant: Callable[..., Tenant]) -> Billed:
    tenant = new_tenant("billed", {"settings.yaml": f"timezone: {ZONE}\ncurrency: EUR\n"})
    bodies = histories(SEED, ACCOUNTS, FIRST_TOLD, TOLD_UNTIL)
    bodies += segments_of(bodies)
    tenant.client.post_all(in_any_order_partly_twice(bodies), batch=97)
    stack.wait_applied()
    events = events_of(bodies)
    return Billed(tenant.client, events, Revenue(events, datetime.now(UTC)), Calendar(ZoneInfo(ZONE)))


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


def test_the_histories_hold_every_hard_case(billed: Billed) -> None:
    found = edges_of(billed.events, datetime.now(UTC))
    assert {edge: found[edge] for edge in EDGES if found[edge] < 10} == {}


@pytest.mark.parametrize("grain", GRAINS)
def test_mrr_is_equal_to_the_cent(billed: Billed, grain: str) -> None:
    expected = {bucket: period.end for bucket, period in billed.periods(grain).items()}
    assert differences(expected, billed.rows("mrr", grain)) == []


@pytest.mark.parametrize("grain", GRAINS)
def test_every_movement_is_equal_to_the_cent(billed: Billed, grain: str) -> None:
    for metric, name in MOVEMENTS.items():
        expected = {bucket: getattr(period, name) for bucket, period in billed.periods(grain).items()}
        # Over all of the time everybody is new or never was.
        assert grain == "total" or any(expected.values()), f"nothing moved by {metric}"
        assert differences(expected, billed.rows(metric, grain)) == [], metric
    for metric in TRANSFERS:
        assert not any(money(row.value) for row in billed.rows(metric, grain).values()), metric


@pytest.mark.parametrize("group_by", [[], ["segment"]], ids=["whole", "by-segment"])
@pytest.mark.parametrize("grain", GRAINS)
def test_start_and_movements_are_the_end_to_the_cent(billed: Billed, grain: str, group_by: list[str]) -> None:
    """In every bucket and slice; and the end of a bucket is the start of the next. All from what the product says."""
    cells = billed.cells(["mrr", "nrr", *MOVEMENTS, *TRANSFERS], grain, group_by)
    ends: dict[str, Decimal] = {}
    transferred = Decimal(0)
    for (segment, bucket), cell in sorted(cells.items(), key=lambda item: item[0]):
        start = money(cell["nrr"].denominator)
        worth = {metric: money(row.value) for metric, row in cell.items() if metric != "nrr"}
        gained = (
            worth["mrr_new"] + worth["mrr_reactivation"] + worth["mrr_expansion"] + worth["mrr_transfer_in"]
        )
        lost = worth["mrr_contraction"] + worth["mrr_churned"] + worth["mrr_transfer_out"]
        assert start + gained - lost == worth["mrr"], (segment, bucket)
        assert worth["net_new_mrr"] == gained - lost, (segment, bucket)
        assert start == ends.get(segment, start), (segment, bucket)
        ends[segment] = worth["mrr"]
        transferred += worth["mrr_transfer_in"]
    assert (transferred > 0) == (bool(group_by) and grain != "total")


@pytest.mark.parametrize("grain", ["week", "year"])
def test_segments_sum_to_the_whole(billed: Billed, grain: str) -> None:
    metrics = ["mrr", *MOVEMENTS]
    sums: dict[tuple[str, datetime], Decimal] = defaultdict(Decimal)
    for (_, bucket), cell in billed.cells(metrics, grain, ["segment"]).items():
        for metric, row in cell.items():
            sums[metric, bucket] += money(row.value)
    whole = {
        (metric, bucket): money(row.value)
        for (_, bucket), cell in billed.cells(metrics, grain).items()
        for metric, row in cell.items()
    }
    assert sums == whole


@pytest.mark.parametrize("grain", GRAINS)
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
        assert row.value == float(exact), f"{metric} of {bucket.date()}"
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
            assert value == (None if exact is None else float(exact)), (metric, start, end)
        for metric, name in MOVEMENTS.items():
            assert money(billed.client.figure(metric, start, end).value) == getattr(period, name), (
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
