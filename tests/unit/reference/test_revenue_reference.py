"""Recurring revenue of the reference: the worked examples of the metric pack, and what must hold of any history."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.edges import EDGES, edges_of
from tests.reference.events import Event, events_of
from tests.reference.histories import histories
from tests.reference.revenue import Period, Revenue

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def on(day: float) -> datetime:
    return START + timedelta(days=day)


def change(
    day: float,
    kind: str,
    mrr: str | None = None,
    subscription: str = "s1",
    account: str = "acme",
    **more: object,
) -> Event:
    """`effective` and `term` are days; `id` decides between events of one instant."""
    data: dict[str, object] = {"subscription": subscription}
    if mrr is not None:
        data |= {"mrr": mrr, "currency": "EUR"}
    for name, key in (("effective", "effective_at"), ("term", "term_end")):
        if name in more:
            data[key] = on(float(str(more[name]))).isoformat()
    event_id = str(more.get("id", f"{account}-{subscription}-{day}-{kind}"))
    return Event(account, "/billing", event_id, f"subscription.{kind}", on(day), data=data)


def euros(*amounts: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


def period(events: list[Event], start: float, end: float, now: datetime = NOW) -> Period:
    return Revenue(events, now).period(on(start), on(end))


def test_a_hundred_that_grows_to_three_hundred_and_leaves_retains_nothing() -> None:
    events = [change(0, "started", "100"), change(10, "changed", "300"), change(20, "cancelled")]
    assert period(events, 5, 30).grr == 0
    assert period(events, 5, 30).churned == 100


def test_a_hundred_that_leaves_and_comes_back_as_eighty_is_eighty_percent() -> None:
    events = [change(0, "started", "100"), change(10, "cancelled"), change(20, "started", "80")]
    whole = period(events, 5, 30)
    assert (whole.nrr, whole.grr, whole.logo_churn) == (Fraction(80, 100), Fraction(80, 100), Fraction(0))
    assert (whole.contraction, whole.churned, whole.reactivation) == euros(20, 0, 0)


def test_three_months_at_ninety_eight_percent_are_a_quarter_at_ninety_four() -> None:
    events = [change(0, "started", "1000.00")]
    worth = Decimal(1000)
    for month in range(3):
        worth = worth * Decimal("0.98")
        events.append(change(month * 30 + 10, "changed", str(worth)))
    assert all(period(events, month * 30 + 5, month * 30 + 35).grr == Fraction(98, 100) for month in range(3))
    quarter = period(events, 5, 95).grr
    assert quarter is not None
    assert round(float(quarter), 3) == 0.941


def test_a_period_holds_its_first_instant_and_not_its_last() -> None:
    revenue = Revenue([change(10, "started", "100")], NOW)
    assert (revenue.mrr(on(10)), revenue.mrr(on(10) + timedelta(microseconds=1))) == euros(0, 100)
    assert revenue.period(on(10), on(11)).new == 100
    assert revenue.period(on(9), on(10)).new == 0


def test_a_plan_swap_is_a_net_change_and_no_churn() -> None:
    events = [
        change(0, "started", "100", "old"), change(10, "cancelled", None, "old"), change(10, "started", "130", "new"),
    ]  # fmt: skip
    swap = period(events, 5, 15)
    assert (swap.expansion, swap.churned, swap.new) == euros(30, 0, 0)
    assert swap.logo_churn == 0


def test_of_several_changes_at_one_instant_the_last_by_source_and_id_stands() -> None:
    events = [
        change(0, "started", "100"), change(5, "changed", "7", id="a"), change(5, "changed", "9", id="c"),
        change(5, "changed", "8", id="b"),
    ]  # fmt: skip
    assert Revenue(events, NOW).mrr(on(6)) == Revenue(events[::-1], NOW).mrr(on(6)) == 9


def test_a_notice_ends_when_it_acts_and_not_when_it_is_told() -> None:
    revenue = Revenue([change(0, "started", "100"), change(5, "cancelled", effective=50)], NOW)
    assert (revenue.mrr(on(50)), revenue.mrr(on(50.001))) == euros(100, 0)


def test_an_account_that_paid_before_comes_back_as_reactivation() -> None:
    events = [change(0, "started", "100"), change(10, "cancelled"), change(40, "started", "60", "s2")]
    back = period(events, 30, 50)
    assert (back.reactivation, back.new) == euros(60, 0)
    assert back.nrr is None


def test_a_term_that_lapsed_is_counted_for_thirty_days_and_then_never_was() -> None:
    events = [change(0, "started", "100", term=60)]
    assert Revenue(events, on(89)).mrr(on(80)) == 100
    assert Revenue(events, on(90)).mrr(on(80)) == 0
    assert Revenue(events, on(90)).mrr(on(60)) == 100


def test_a_renewal_within_thirty_days_leaves_no_gap_and_a_later_one_does() -> None:
    first = change(0, "started", "100", term=60)
    in_time, late = change(80, "renewed", "110", term=200), change(95, "renewed", "110", term=200)
    assert Revenue([first, in_time], on(150)).mrr(on(70)) == 100
    assert Revenue([first, late], on(150)).mrr(on(70)) == 0
    assert Revenue([first, late], on(150)).period(on(90), on(100)).reactivation == 110


def test_a_changed_fee_is_no_renewal_and_a_term_of_its_own_is_one() -> None:
    first = change(0, "started", "100", term=60)
    fee, term = change(70, "changed", "110"), change(70, "changed", "110", term=200)
    assert Revenue([first, fee], on(80)).mrr(on(75)) == 110
    assert [Revenue([first, fee], on(150)).mrr(on(day)) for day in (60, 65, 75)] == [100, 0, 0]
    assert [Revenue([first, term], on(150)).mrr(on(day)) for day in (60, 65, 75)] == [100, 100, 110]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 900), st.integers(1, 400))
def test_movements_add_up_to_the_cent_and_gross_never_beats_net(seed: int, first: int, days: int) -> None:
    revenue = Revenue(events_of(histories(seed, 6, START, on(1000))), NOW)
    got = revenue.period(on(first), on(first + days))
    assert got.identity_holds
    if got.grr is not None and got.nrr is not None:
        assert 0 <= got.grr <= 1
        assert got.grr <= got.nrr


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_order_and_repetition_of_arrival_change_nothing(seed: int, shuffle_seed: int) -> None:
    events = events_of(histories(seed, 4, START, on(1000)))
    shuffled = events + random.Random(shuffle_seed).sample(events, len(events) // 3)
    random.Random(shuffle_seed).shuffle(shuffled)
    one, other = Revenue(events, NOW), Revenue(shuffled, NOW)
    assert [one.mrr(on(d)) for d in range(0, 1100, 50)] == [other.mrr(on(d)) for d in range(0, 1100, 50)]


def test_the_generated_histories_reach_every_edge() -> None:
    bodies = histories(7, 200, START, on(1000))
    assert {body["type"].removeprefix("subscription.") for body in bodies} == {
        "started", "changed", "renewed", "cancelled",
    }  # fmt: skip
    assert len({(b["subject"], b["source"], b["id"]) for b in bodies}) == len(bodies)
    assert set(EDGES) - set(edges_of(events_of(bodies), NOW)) == set()
    revenue = Revenue(events_of(bodies), NOW)
    year = revenue.period(on(366), on(731))
    assert min(year.new, year.reactivation, year.expansion, year.contraction, year.churned) > 0
