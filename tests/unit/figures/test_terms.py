"""Terms and what renewed them: against the reference on random histories, and the rule of new contract numbers edge by edge."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.events import event_of
from tests.reference.histories import histories
from tests.reference.renewals import Renewals
from tests.reference.revenue import change_of

from common.figures.mrr import Change, Kind
from common.figures.terms import dues

DAY = timedelta(days=1)
T0 = datetime(2026, 1, 1, tzinfo=UTC)
END = T0 + 100 * DAY
LATE = END + 400 * DAY
HUNDRED = Decimal(100)


def change(kind: Kind, name: str, at: datetime, mrr: int | None = 100, **more: object) -> Change:
    fee = None if mrr is None else Decimal(mrr)
    made = Change(name, at, at, "/billing", f"{name}-{kind}-{at}", kind, fee)
    return replace(made, **more)  # type: ignore[arg-type]


OLD = change("started", "c25", T0, term_end=END)


def renewed(*more: Change, now: datetime = LATE) -> Decimal | None:
    """What became of the term of `OLD`."""
    found = [due for due in dues([*more, OLD], now) if due.subscription == "c25" and due.at == END]
    return found[0].renewed


def test_a_start_under_a_new_number_renews_up_to_what_was_due() -> None:
    left = change("cancelled", "c25", END, None)
    for start in (change("started", "c26", END, term_end=END + 365 * DAY), change("started", "c26", END, 70)):
        assert renewed(start) == renewed(start, left) == start.mrr
        assert renewed(start, now=END + DAY) == start.mrr
    assert renewed(change("started", "c26", END, 300)) == HUNDRED


def test_it_starts_from_forty_five_days_before_the_end_until_thirty_after() -> None:
    tick = timedelta(microseconds=1)
    for at, kept in (
        (END - 45 * DAY - tick, 0),
        (END - 45 * DAY, 100),
        (END + 30 * DAY - tick, 100),
        (END + 30 * DAY, 0),
    ):
        assert renewed(change("started", "c26", at)) == kept


def test_what_is_of_another_product_or_older_than_the_term_or_no_start_renews_nothing() -> None:
    assert renewed(change("started", "c26", END, product="seats")) == 0
    assert renewed(change("renewed", "c26", END)) == 0
    assert renewed(change("started", "c26", END - 60 * DAY, 50), change("started", "c26", END)) == 0
    monthly = change("renewed", "c25", END, term_end=END + 30 * DAY)
    found = dues([OLD, monthly, change("started", "add-on", END - 5 * DAY)], LATE)
    assert [due.renewed for due in found] == [100, 0]


def test_a_term_that_its_own_subscription_renews_leaves_the_start_to_another() -> None:
    its = [
        OLD,
        change("renewed", "c25", END + 5 * DAY, 40),
        change("started", "d25", T0, 60, term_end=END),
        change("started", "d26", END),
    ]
    assert {due.subscription: due.renewed for due in dues(its, LATE)} == {"c25": 40, "d25": 60}


def test_each_start_renews_one_term_the_earlier_one_first() -> None:
    its = [
        OLD,
        change("started", "d25", T0, 80, term_end=END + DAY),
        change("started", "e25", T0, 80, term_end=END + 2 * DAY),
        change("started", "c26", END, 50),
        change("started", "d26", END + DAY, 60),
    ]
    assert {due.subscription: due.renewed for due in dues(its, LATE)} == {"c25": 50, "d25": 60, "e25": 0}


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 100_000))
def test_terms_equal_the_reference(seed: int) -> None:
    now = T0 + DAY * random.Random(seed).randrange(100, 900)
    events = [event for body in histories(seed, 2, T0, T0 + DAY * 600) if (event := event_of(body)).at < now]
    plain = Renewals(events, now)
    for account in {event.account for event in events}:
        told = [
            Change(event.data["subscription"], c.acts_at, c.event_at, c.source, c.id, cast("Kind", c.kind), c.mrr, c.term_end,
                   product=event.data.get("product"))
            for event in events if event.account == account for c in (change_of(event),)
        ]  # fmt: skip
        random.Random(seed).shuffle(told)
        found = dues(told, now)
        wanted = [term for term in plain.terms if term.account == account]
        assert Counter((due.at, due.mrr, due.renewed) for due in found) == Counter(
            (term.due_at, term.due, term.kept) for term in wanted
        )
        assert all(due.renewed is None or 0 <= due.renewed <= due.mrr for due in found)


days, fees = st.integers(0, 90), st.integers(1, 200)


@given(
    olds=st.lists(st.tuples(days, fees), min_size=1, max_size=6),
    news=st.lists(st.tuples(days, fees), max_size=6),
    shuffle=st.randoms(use_true_random=False),
)
def test_each_start_is_used_once_and_never_more_renewed_than_was_due(
    olds: list[tuple[int, int]], news: list[tuple[int, int]], shuffle: random.Random
) -> None:
    told = [
        change("started", f"old{n}", T0, fee, term_end=END + day * DAY) for n, (day, fee) in enumerate(olds)
    ]
    told += [change("started", f"new{n}", END + day * DAY, fee) for n, (day, fee) in enumerate(news)]
    found = dues(told, LATE)
    kept = [due.renewed for due in found if due.renewed]
    assert len(kept) <= len(news)
    assert sum(kept) <= sum(fee for _, fee in news)
    assert all(0 <= (due.renewed or 0) <= due.mrr for due in found)
    shuffle.shuffle(told)
    assert dues(told, LATE) == found
