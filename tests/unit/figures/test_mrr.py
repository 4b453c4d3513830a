"""Recurring revenue as a step function, against the reference that replays every state, and edge by edge."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.events import event_of
from tests.reference.histories import histories
from tests.reference.revenue import Revenue, change_of

from common.figures.mrr import OVERDUE, Change, Kind, next_effect_at, notices, step_function, value_before
from common.figures.terms import dues

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def change(kind: Kind, days: float, mrr: str | None = None, **more: object) -> Change:
    at = T0 + DAY * days
    return Change(
        str(more.get("subscription", "s")), at, at, "/billing", str(more.get("id", f"{kind}-{days}")), kind,
        None if mrr is None else Decimal(mrr), more.get("term_end"),  # type: ignore[arg-type]
    )  # fmt: skip


def values(changes: list[Change], now: float, *days: float) -> list[Decimal]:
    steps = step_function(changes, T0 + DAY * now)
    return [value_before(steps, T0 + DAY * day) for day in days]


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_steps_equal_the_reference_at_every_instant(seed: int) -> None:
    now = T0 + DAY * random.Random(seed).randrange(100, 900)
    bodies = histories(seed, 2, T0, T0 + DAY * 600)
    events = [event_of(body) for body in bodies]
    revenue = Revenue(events, now)
    for account in {event.account for event in events}:
        changes = [
            Change(
                event.data["subscription"],
                c.acts_at,
                c.event_at,
                c.source,
                c.id,
                cast("Kind", c.kind),
                c.mrr,
                c.term_end,
            )
            for event in events
            if event.account == account
            for c in (change_of(event),)
        ]
        random.Random(seed).shuffle(changes)
        steps = step_function(changes, now)
        assert all(delta for _, delta in steps)
        for at in [step for step, _ in steps] + [T0 + DAY * n for n in range(0, 900, 13)]:
            for instant in (at, at + timedelta(microseconds=1)):
                assert value_before(steps, instant) == revenue.account_mrr(account, instant)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_nothing_moves_between_now_and_the_next_effect(seed: int) -> None:
    rng = random.Random(seed)
    changes = [
        change(
            rng.choice(("started", "changed", "renewed")), rng.randrange(200), str(rng.randrange(100)), id=n,
            subscription=rng.choice("ab"), term_end=rng.choice((None, T0 + DAY * rng.randrange(250))),
        )
        for n in range(rng.randrange(1, 6))
    ]  # fmt: skip
    now = T0 + DAY * rng.randrange(300)
    due = next_effect_at(changes, now)
    later = now + 400 * DAY if due is None else due - timedelta(microseconds=1)
    assert due is None or due > now
    assert step_function(changes, now) == step_function(changes, later)
    assert value_before(step_function(changes, now), now) == value_before(step_function(changes, later), now)


def test_the_state_at_an_instant_leaves_out_what_happens_at_it() -> None:
    assert values([change("started", 1, "10")], 5, 1, 1.000001) == [0, 10]


def test_products_of_an_account_add_up_and_a_swap_at_one_instant_moves_by_the_difference() -> None:
    swap = [
        change("started", 1, "10", subscription="old"),
        change("cancelled", 5, subscription="old"),
        change("started", 5, "15", subscription="new"),
    ]
    assert step_function(swap, T0 + 9 * DAY) == [(T0 + DAY, Decimal(10)), (T0 + 5 * DAY, Decimal(5))]


def test_of_several_changes_at_one_instant_the_last_by_source_and_id_stands() -> None:
    changes = [
        change("changed", 2, "7", id="b"),
        change("changed", 2, "9", id="a"),
        change("started", 1, "1"),
    ]
    assert values(changes, 5, 3) == [7]


def test_a_lapsed_term_counts_for_thirty_days_and_is_then_churn_dated_to_its_end() -> None:
    changes = [change("started", 1, "10", term_end=T0 + 20 * DAY)]
    assert values(changes, 49.999, 25) == [10]
    assert values(changes, 50, 20, 25) == [10, 0]
    assert next_effect_at(changes, T0 + 30 * DAY) == T0 + 20 * DAY + OVERDUE


def test_a_renewal_within_thirty_days_keeps_it_continuous_and_a_later_one_is_a_return() -> None:
    started = change("started", 1, "10", term_end=T0 + 20 * DAY)
    renewals: tuple[tuple[Kind, dict[str, object]], ...] = (
        ("renewed", {}),
        ("started", {}),
        ("changed", {"term_end": T0 + 300 * DAY}),
    )
    for kind, term in renewals:
        assert values([started, change(kind, 49.9, "12", **term)], 200, 30, 60) == [10, 12]
        assert values([started, change(kind, 50, "12", **term)], 200, 30, 60) == [0, 12]


def test_a_changed_fee_renews_nothing() -> None:
    started = change("started", 1, "10", term_end=T0 + 20 * DAY)
    for day in (25, 49.9, 50, 80):
        told = [started, change("changed", day, "12")]
        assert values(told, 200, 20, 30, 90) == [10, 0, 0]
        assert next_effect_at(told, T0 + 100 * DAY) is None
    assert values([started, change("changed", 25, "12")], 49, 30) == [12]
    in_time = [started, change("changed", 25, "12"), change("renewed", 40, "15")]
    assert values(in_time, 200, 22, 30, 45) == [10, 12, 15]
    too_late = [started, change("changed", 25, "12"), change("renewed", 60, "15")]
    assert values(too_late, 200, 22, 30, 65) == [0, 0, 15]


def test_a_change_in_mid_term_leaves_the_term_as_it_is() -> None:
    changes = [change("started", 1, "10", term_end=T0 + 20 * DAY), change("changed", 5, "12")]
    assert values(changes, 100, 10, 30) == [12, 0]


def test_a_notice_is_withdrawn_by_what_begins_a_term_and_is_told_before_it_acts() -> None:
    started = change("started", 1, "10", term_end=T0 + 90 * DAY)
    notice = replace(change("cancelled", 10), effective_at=T0 + 90 * DAY)
    for kind in ("started", "renewed"):
        for acts, told in ((20, 20), (5, 20), (90, 20), (119, 89.9)):
            again = replace(change(kind, told, "12", term_end=T0 + 400 * DAY), effective_at=T0 + acts * DAY)
            assert values([again, notice, started], 200, 91, 130) == [12 if acts <= 90 else 10, 12]
            (due, open_) = dues([again, notice, started], T0 + 200 * DAY)
            assert (due.at, due.renewed, open_.renewed) == (T0 + 90 * DAY, Decimal(10), None)
            assert not notices([again, notice, started], T0 + told * DAY)
            assert notices([again, notice, started], T0 + (told - 1) * DAY) == [notice]


def test_a_notice_stands_against_what_was_told_earlier_or_is_no_beginning_or_begins_after_a_gap() -> None:
    started = change("started", 1, "10")
    notice = replace(change("cancelled", 30), effective_at=T0 + 90 * DAY)
    for other in (
        change("renewed", 29, "12"),
        change("changed", 40, "12"),
        replace(change("started", 40, "12"), effective_at=T0 + 121 * DAY),
        change("renewed", 40, "12", subscription="t"),
        replace(change("renewed", 40, "12"), event_at=T0 + 90 * DAY),
    ):
        its = [other, notice, started]
        kept = 12 if other.subscription == "t" else 0
        assert values(its, 50, 100) == [kept]
        assert notices(its, T0 + 50 * DAY) == [notice]


def test_announced_changes_are_in_the_function_and_due() -> None:
    announced = [change("started", 1, "10"), change("cancelled", 40)]
    assert values(announced, 5, 30, 41) == [10, 0]
    assert next_effect_at(announced, T0 + 5 * DAY) == T0 + 40 * DAY
    assert next_effect_at(announced, T0 + 41 * DAY) is None
