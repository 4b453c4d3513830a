"""MRR in several currencies and by product, through the engine, equal plain code over the raw events; to the cent."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tests.integration.figures.test_revenue_histories import END, START, ev, lives, year_before
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.calendar import Calendar
from tests.reference.currencies import Currencies, Rates
from tests.reference.events import Json, events_of
from tests.reference.lifecycles import Lifecycles

from common.catalogue import apply, load
from common.clock import FixedClock
from common.figures import Figure, Query, query
from kpi_engine.adapters import revenue_store
from kpi_engine.domain.plan import Plans

DAY = timedelta(days=1)
NOW = datetime(2026, 5, 15, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MOVES = (
    "mrr_new", "mrr_reactivation", "mrr_expansion", "mrr_contraction", "mrr_churned", "mrr_transfer_in",
    "mrr_transfer_out", "mrr_fx",
)  # fmt: skip
METRICS = ("mrr", *MOVES, "net_new_mrr", "new_accounts", "nrr", "grr", "logo_churn")


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    base = load(Path(__file__).parents[3] / "catalogue")
    pack = base.model_copy(
        update={"settings": base.settings.model_copy(update={"timezone": "Europe/Berlin"})}
    )
    made = Stage(postgres_url, pack, FixedClock(NOW))
    apply(made.conn, "t", pack)
    yield made
    made.close()


def give_rates(stage: Stage, rates: Rates) -> None:
    stage.conn.execute("delete from control.rate")
    imported = uuid4()
    stage.conn.execute(
        "insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run)"
        " values (%s, %s, 'rates', 'rates.csv', now(), 'test', false)",
        (imported, stage.tenant_id),
    )
    for currency, dated in rates.items():
        for day, rate in dated.items():
            row = (stage.tenant_id, "EUR", currency, day, rate, imported)
            stage.conn.execute("insert into control.rate values (%s, %s, %s, %s, %s, %s)", row)


def asked(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(metrics, **{"grain": "total", "limit": 10_000, **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


def pays(
    at: datetime, mrr: str, currency: str, account: str = "acme", kind: str = "started", **more: Any
) -> Ev:
    data = {"subscription": account, "mrr": mrr, "currency": currency, **more}
    return Ev(f"subscription.{kind}", at, f"{account}-{kind}-{at}-{currency}", account, None, data)


MARCH: dict[str, Any] = {"start": date(2026, 3, 1), "end": date(2026, 4, 1)}


def test_what_only_rates_moved_is_fx_and_retention_stays_where_it_was(stage: Stage) -> None:
    give_rates(stage, {"USD": {date(2026, 1, 1): Decimal("0.9"), date(2026, 3, 15): Decimal("0.8")}})
    stage.write(
        [
            pays(datetime(2026, 1, 5, tzinfo=UTC), "1000", "USD"),
            pays(datetime(2026, 1, 5, tzinfo=UTC), "50", "EUR", "bolt"),
        ]
    )
    found = {f.metric: f.value for f in asked(stage, *METRICS, "grr_12m", **MARCH)}
    assert (found["mrr"], found["mrr_fx"], found["net_new_mrr"]) == (850, -100, -100)
    assert (found["nrr"], found["grr"], found["mrr_contraction"]) == (1, 1, 0)


def test_a_fee_that_moves_to_another_currency_is_one_net_change(stage: Stage) -> None:
    give_rates(stage, {"USD": {date(2026, 1, 1): Decimal("0.5")}})
    stage.write(
        [
            pays(datetime(2026, 1, 5, tzinfo=UTC), "100", "USD"),
            pays(datetime(2026, 3, 5, tzinfo=UTC), "60", "EUR", kind="changed"),
        ]
    )
    found = {f.metric: f.value for f in asked(stage, *METRICS, **MARCH)}
    assert (found["mrr"], found["mrr_expansion"], found["mrr_churned"], found["mrr_fx"]) == (60, 10, 0, 0)
    assert own_mrr(stage, "acme") == [60]


def test_an_accounts_own_mrr_is_at_the_rate_that_holds_now(stage: Stage) -> None:
    give_rates(
        stage,
        {
            "USD": {
                date(2026, 1, 1): Decimal("0.9"),
                date(2026, 5, 10): Decimal("0.8"),
                date(2026, 9, 1): Decimal(2),
            }
        },
    )
    january = datetime(2026, 1, 5, tzinfo=UTC)
    stage.write(
        [pays(january, "1000", "USD"), pays(january, "7", "CHF", "bolt"), pays(january, "5", "EUR", "core")]
    )
    assert own_mrr(stage, "acme", "bolt", "core") == [800, None, 5]


def own_mrr(stage: Stage, *names: str, now: datetime = NOW) -> list[Decimal | None]:
    """What the pages of accounts show."""
    plan = Plans().of(stage.tenant_id, stage.catalogue)
    accounts = [stage.account(name) for name in names]
    revenue = revenue_store.revenue_of(stage.conn, stage.tenant_id, plan, accounts, now)
    return [revenue[account].mrr for account in accounts]


def test_an_accounts_own_mrr_is_what_figures_say_of_it_hour_by_hour(stage: Stage) -> None:
    """Rates change at the local midnight, two hours before that of UTC; what is unknown in a figure is so on the account's page."""
    give_rates(stage, {"USD": {date(2026, 5, 1): Decimal("0.9"), date(2026, 5, 15): Decimal("0.7")}})
    told = datetime(2026, 1, 5, tzinfo=UTC)
    ends = datetime(2026, 5, 14, 23, tzinfo=UTC)
    stage.write([
        pays(told, "100", "USD"), pays(told, "5", "EUR", "both"),
        pays(told, "7", "CHF", "both", subscription="more"),
        pays(told + DAY, "0", "CHF", "both", "cancelled", subscription="more", effective_at=ends.isoformat()),
    ])  # fmt: skip
    for hour in range(20, 30):
        now = datetime(2026, 5, 14, tzinfo=UTC) + timedelta(hours=hour, minutes=30)
        made = Query(("mrr",), date(2026, 5, 1), date(2026, 6, 1), grain="total", group_by=("account",))
        shown = {f.group["account"]: f.value for f in query(stage.conn, stage.tenant_id, stage.catalogue, made, now).figures}  # fmt: skip
        assert shown == {"acme": 70 if hour >= 22 else 90, "both": 5 if hour >= 23 else None}
        assert own_mrr(stage, "acme", "both", now=now) == [shown["acme"], shown["both"]]


def test_figures_are_converted_into_the_currency_of_the_definitions_that_answer(stage: Stage) -> None:
    """Rates into the currency of a version that was applied since, and isn't in force or isn't asked, are none of theirs."""
    give_rates(stage, {"CHF": {date(2026, 1, 1): Decimal("1.1")}})
    stage.conn.execute(
        "insert into control.rate select tenant_id, 'USD', currency, day, 9, import_id from control.rate"
    )
    stage.write([pays(datetime(2026, 1, 5, tzinfo=UTC), "100", "CHF")])
    euros = stage.catalogue.settings
    dollars = stage.catalogue.model_copy(update={"settings": euros.model_copy(update={"currency": "USD"})})
    apply(stage.conn, "t", dollars)
    assert asked(stage, "mrr", **MARCH)[0].value == 110
    assert own_mrr(stage, "acme") == [110]
    made = Query(("mrr",), date(2026, 3, 1), date(2026, 4, 1), grain="total")
    [figure] = query(stage.conn, stage.tenant_id, dollars, made, NOW).figures
    assert figure.value == 900


def test_without_a_rate_the_figures_of_that_account_are_unknown_and_say_why(stage: Stage) -> None:
    give_rates(stage, {})
    stage.write(
        [
            pays(datetime(2026, 1, 5, tzinfo=UTC), "100", "CHF"),
            pays(datetime(2026, 1, 5, tzinfo=UTC), "60", "EUR", "bolt"),
        ]
    )
    whole, acme, bolt = asked(stage, "mrr", **MARCH) + asked(stage, "mrr", group_by=("account",), **MARCH)
    assert (whole.value, acme.value, bolt.value) == (None, None, 60)
    assert "rate" in (whole.reason or "")
    give_rates(stage, {"CHF": {date(2026, 4, 1): Decimal("1.1")}})
    assert asked(stage, "mrr", **MARCH)[0].value == 170


def test_only_figures_in_which_an_amount_without_a_rate_takes_part_are_unknown(stage: Stage) -> None:
    """Francs were paid from 10 January to 20 February; nothing else ever had no rate."""
    give_rates(stage, {})
    francs = {"subscription": "f", "mrr": "70", "currency": "CHF"}
    for kind, at in (
        ("started", datetime(2026, 1, 10, 9, tzinfo=UTC)),
        ("cancelled", datetime(2026, 2, 20, 9, tzinfo=UTC)),
    ):
        stage.write([Ev(f"subscription.{kind}", at, kind, "acme", None, francs)])  # fmt: skip
    stage.write([pays(datetime(2025, 12, 5, tzinfo=UTC), "60", "EUR", "bolt", product="core")])
    parts: dict[str, Any] = {"start": date(2025, 12, 1), "end": date(2026, 5, 1), "grain": "month"}

    def of(metric: str, **more: Any) -> list[Any]:
        return [figure.value for figure in asked(stage, metric, **parts, **more)]

    assert of("mrr") == of("committed_mrr") == [60, None, 60, 60, 60]
    assert of("net_new_mrr") == of("mrr_new") == [60, None, None, 0, 0]
    assert of("mrr_churned") == [0, None, None, 0, 0]
    assert of("grr") == of("nrr") == [None, 1, None, 1, 1]
    assert of("avoidable_churn") == [None, 0, None, 0, 0]
    assert of("paying_accounts") == [1, 2, 1, 1, 1]
    assert of("new_accounts") == [1, 1, 0, 0, 0]
    assert of("logo_churn") == [None, 0, 0.5, 0, 0]
    for by, name in (("account", "bolt"), ("product", "core")):
        figures = asked(stage, "mrr", group_by=(by,), **parts)
        assert [f.value for f in figures if f.group[by] == name] == [60] * 5
        assert [f.value for f in figures if f.group[by] != name and f.start < "2026-02"][-1] is None


def test_deals_count_at_the_rate_of_the_day_on_which_their_amount_was_told(stage: Stage) -> None:
    give_rates(stage, {"USD": {date(2026, 3, 1): Decimal("0.9"), date(2026, 3, 10): Decimal("0.5")}})
    march = datetime(2026, 3, 5, tzinfo=UTC)
    told = {"deal": "d", "amount": "100", "currency": "USD"}
    stage.write(
        [
            Ev("deal.created", march, "1", "acme", None, told),
            Ev("deal.won", march + 9 * DAY, "2", "acme", None, {"deal": "d"}),
        ]
    )
    assert asked(stage, "won_amount", **MARCH)[0].value == 90
    stage.write([Ev("deal.won", march, "3", "acme", None, {"deal": "e", "amount": "1", "currency": "CHF"})])
    found = asked(stage, "won_amount", **MARCH)[0]
    assert (found.value, found.n, found.reason is not None) == (None, 2, True)


def test_a_renewal_counts_at_the_rates_of_its_terms_end(stage: Stage) -> None:
    """100 francs due at 3 are 300, of which 50 stayed at the same rate; 300 euros left."""
    give_rates(
        stage,
        {"CHF": {date(2025, 1, 1): Decimal(2), date(2026, 3, 20): Decimal(3), date(2026, 3, 26): Decimal(9)}},
    )
    begun, end = datetime(2025, 3, 25, tzinfo=UTC), datetime(2026, 3, 25, tzinfo=UTC)
    stage.write(
        [
            pays(begun, "100", "CHF", term_end=end.isoformat()),
            pays(end + 2 * DAY, "50", "CHF", kind="renewed"),
            pays(begun, "300", "EUR", "bolt", term_end=end.isoformat()),
        ]
    )
    rate, logos = asked(stage, "renewal_rate", "renewal_rate_logos", **MARCH)
    assert (rate.value, rate.numerator, rate.denominator) == (0.25, 150, 600)
    assert logos.value == 0.5


fees, currencies = st.integers(1, 10_000), st.sampled_from(("EUR", "USD"))


@given(
    paid=st.lists(st.tuples(fees, currencies, st.booleans()), min_size=1, max_size=5),
    rates=st.lists(st.integers(1, 30_000), min_size=2, max_size=2),
)
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(paid=[(100, "USD", True)], rates=[9_000, 4_500])
def test_the_share_due_is_at_the_rates_of_the_start(
    stage: Stage, paid: list[tuple[int, str, bool]], rates: list[int]
) -> None:
    """Terms end when the rate is another one."""
    stage.reset()
    first, later = (Decimal(rate) / 10_000 for rate in rates)
    give_rates(stage, {"USD": {date(2026, 1, 1): first, date(2026, 3, 15): later}})
    for n, (fee, currency, is_due) in enumerate(paid):
        term = {"term_end": "2026-03-20" if is_due else "2026-09-20"}
        stage.write([pays(datetime(2026, 1, 5, tzinfo=UTC), str(fee), currency, f"acct{n}", **term)])
    worth = [Fraction(fee) * (Fraction(first) if name == "USD" else 1) for fee, name, _ in paid]
    due = sum((mrr for mrr, (_, _, is_due) in zip(worth, paid, strict=True) if is_due), Fraction(0))
    (share,) = asked(stage, "mrr_due_share", **MARCH)
    assert share.value == float(due / sum(worth))


def in_currencies(bodies: list[Json], rng: random.Random) -> list[Json]:
    """Each subscription in some currency, which a change now and then changes; products named now and then."""
    chosen: dict[str, str] = {}
    for body in sorted(bodies, key=lambda b: (b["time"], b["source"], b["id"])):
        data = body["data"]
        if body["type"].startswith("subscription.") and body["type"] != "subscription.cancelled":
            name = data["subscription"]
            if name not in chosen or rng.random() < 0.15:
                chosen[name] = rng.choice(("EUR", "USD", "CHF"))
            data["currency"] = chosen[name]
            data.pop("product", None)
            if rng.random() < 0.5:
                data["product"] = rng.choice(("core", "plus"))
    return bodies


def some_rates(rng: random.Random) -> Rates:
    return {
        currency: {
            date(2025, 1, 1) + rng.randrange(500) * DAY: Decimal(rng.randrange(5_000, 20_000)) / 10_000
            for _ in range(rng.randrange(1, 8))
        }
        for currency in ("USD", "CHF")
    }


@given(
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=3),
    by=st.sampled_from([None, "segment", "account", "product"]),
    grain=st.sampled_from(["month", "quarter"]),
    unrated=st.booleans(),
)
@settings(
    max_examples=16,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_movement_in_every_currency_equals_the_reference(
    stage: Stage, seed: int, cuts: list[int], by: str | None, grain: str, unrated: bool
) -> None:
    """`unrated`: nobody has given rates for francs."""
    rng = random.Random(seed)
    bodies, rates = in_currencies(lives(seed), rng), some_rates(rng)
    if unrated:
        rates["CHF"] = {date(2025, 1, 1): Decimal(1)}
    arriving = [ev(body) for body in bodies]
    rng.shuffle(arriving)
    stage.reset()
    give_rates(stage, {name: its for name, its in rates.items() if name != "CHF" or not unrated})
    for batch in split(arriving, cuts):
        if batch:
            assert not stage.write(batch).rejected
    events = events_of(bodies)
    calendar = Calendar(BERLIN)
    plain, traits = Currencies(events, NOW, calendar, "EUR", rates), Lifecycles(events, calendar, NOW)

    def place(account: str, at: datetime) -> Any:
        return account if by == "account" else traits.trait(account, by, at) if by == "segment" else None

    span: dict[str, Any] = {"start": date(2025, 11, 1), "end": date(2026, 6, 1), "grain": grain}
    figures = asked(stage, *METRICS, group_by=(by,) if by else (), **span)
    cells: dict[Any, dict[str, Any]] = {}
    for figure in figures:
        start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
        group = figure.group.get(by) if by else None
        cells.setdefault((start, min(end, NOW), group), {})[figure.metric] = figure.value
    for (start, end, group), found in cells.items():
        product = group if by == "product" else ...
        wanted = plain.period(start, end, None if by == "product" else group, place, product)
        where = None if by == "product" else place
        unknown = _unknown(plain, where, group, product, start, end) if unrated else set()
        assert {m: exact(v) for m, v in found.items()} == {
            m: None if m in unknown else exact(wanted[m]) for m in METRICS
        }, (start, group)
        if unknown:
            continue
        moved = sum(exact(found[m]) * (-1 if m in MINUS else 1) for m in MOVES)
        assert exact(found["mrr"]) == Fraction(wanted["start"]) + moved
    if by is None and not unrated:
        _compare_year(stage, plain)


def _unknown(
    plain: Currencies, place: Any, group: Any, product: Any, start: datetime, end: datetime
) -> set[str]:
    """The metrics in which some francs of this group take part."""
    found: set[str] = set()
    for account in plain.accounts:
        was, now = (plain.pays_in("CHF", account, at, product) for at in (start, end))
        paid, pays = (plain.worth(account, at, at, product) > 0 for at in (start, end))
        began = paid and (place is None or place(account, start) == group)
        ended = pays and (place is None or place(account, end) == group)
        if now and ended:
            found.add("mrr")
        if (was or now) and began:
            found |= {"nrr", "grr"}
        if (was or now) and (began or ended):
            found |= {*MOVES, "net_new_mrr"}
    return found


MINUS = ("mrr_contraction", "mrr_churned", "mrr_transfer_out")


def exact(value: Any) -> Any:
    """Money as a fraction; ratios as the floats they are."""
    return value if value is None or isinstance(value, float) else Fraction(value)


def _compare_year(stage: Stage, plain: Currencies) -> None:
    """Twelve months at the rates of their start."""
    back = year_before(NOW)
    found = asked(stage, "grr_12m", "nrr_12m", start=date(2026, 5, 1), end=date(2026, 6, 1))
    wanted = plain.period(back, NOW, None, lambda _account, _at: None)
    assert [figure.value for figure in found] == [wanted["grr"], wanted["nrr"]]


assert START < NOW < END
