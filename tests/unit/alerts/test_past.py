"""Figures of past days, against counting by hand; and a rule replayed over them."""

import statistics
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.account_days import AccountDays
from alerts.domain.contracts import endings, mrr_by_day
from alerts.domain.past import Events, Past
from alerts.domain.replay import replay
from alerts.domain.rules import Rule
from alerts.domain.said_days import Calendar, Rates, TraitDays, latest_answers
from alerts.domain.signal_days import rows_of
from common.catalogue.models import Measure
from common.figures.mrr import Change, step_function, value_before
from common.signals.said import Answer

DAYS = 130
START = datetime(2025, 1, 1, tzinfo=UTC)
ENDS = [START + timedelta(days=n + 1) for n in range(DAYS)]


@dataclass(frozen=True)
class One:
    person: int
    day: int
    late: int
    is_use: bool
    is_complaint: bool


ones = st.lists(
    st.builds(
        One,
        st.integers(0, 3),
        st.integers(0, DAYS - 1),
        st.sampled_from([0, 0, 0, 1, 9, 60]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


def events_of(events: list[One]) -> Events:
    person, day, late = (
        np.array([getattr(one, name) for one in events], np.int64) for name in ("person", "day", "late")
    )
    is_use, is_complaint = (
        np.array([getattr(one, name) for one in events], np.bool_) for name in ("is_use", "is_complaint")
    )
    once = np.ones(len(events), np.int64)
    return Events(person, day, day + late, is_use, is_complaint, once)


def past_of(*accounts: list[One]) -> Past:
    return Past.of_each([events_of(events) for events in accounts], DAYS)


def by_hand(events: list[One], day: int) -> dict[str, float | None]:
    """The definitions, word by word."""
    known = [one for one in events if one.day + one.late <= day and one.day <= day]
    use = [one for one in known if one.is_use]
    people = {(one.person, one.day) for one in use if one.person}
    active = sorted({one.day for one in use if one.day > day - 180})
    gaps = [after - before for before, after in pairwise(active)]

    def user_days(newest: int, oldest: int) -> int:
        return sum(1 for _, at in people if day - oldest <= at <= day - newest)

    def complaints(newest: int, oldest: int) -> int:
        return sum(1 for one in known if one.is_complaint and day - oldest <= one.day <= day - newest)

    recent, base = user_days(1, 28), user_days(29, 56)
    return {
        "events_28d": sum(1 for one in known if one.day >= day - 27),
        "active_users_7d": len({person for person, at in people if at >= day - 6}),
        "active_users_28d": len({person for person, at in people if at >= day - 27}),
        "user_days_28d": recent,
        "user_days_base": base,
        "login_trend": recent / base - 1 if base >= 8 else None,
        "complaints_7d": complaints(0, 6),
        "complaints_28d": complaints(0, 27),
        "complaints_base": complaints(7, 90) / 12,
        "days_silent": day - max(one.day for one in use) if use else None,
        "usual_gap_days": statistics.median(gaps) if gaps else None,
    }


@given(ones, ones)
def test_every_figure_of_every_day_is_what_counting_by_hand_gives(
    events: list[One], of_another: list[One]
) -> None:
    """Of accounts that are worked out together."""
    wanted = [by_hand(its, day) for its in (events, of_another) for day in range(DAYS)]
    found = past_of(events, of_another).figures(frozenset(wanted[0]))
    assert found.keys() == wanted[0].keys()
    for name, column in found.items():
        told = [None if np.isnan(value) else value for value in column]
        assert told == pytest.approx([day[name] for day in wanted]), name


@given(ones, st.integers(0, DAYS - 1))
def test_what_is_learnt_later_changes_no_day_before(events: list[One], cut: int) -> None:
    names = frozenset(by_hand([], 0))
    known_then = [one for one in events if one.day + one.late <= cut]
    then, now = past_of(known_then).figures(names), past_of(events).figures(names)
    for name in names:
        np.testing.assert_array_equal(then[name][: cut + 1], now[name][: cut + 1])


@pytest.mark.parametrize("is_distinct", [False, True])
@given(ones, ones)
def test_the_days_before_each_day_are_counted_as_they_were_known_on_it(
    is_distinct: bool, of_another: list[One], events: list[One]
) -> None:
    """What signals read: a row a day, the day itself last."""
    past = past_of(of_another, events)
    marked = replace(past, events=replace(past.events, marks={"used": past.events.is_use}))
    measure = Measure(name="used", agg="distinct" if is_distinct else "count", activity=True)
    span = 21
    rows = rows_of(marked, measure, span)
    for today in range(0, DAYS, 7):
        known = [one for one in events if one.is_use and one.day + one.late <= today]
        for column in range(span):
            day = today - span + 1 + column
            its = [one.person for one in known if one.day == day]
            wanted = len({person for person in its if person}) if is_distinct else len(its)
            assert rows[DAYS + today, column] == wanted
    ago = 11
    assert (rows_of(marked, measure, span, ago) == rows_of(marked, measure, span + ago)[:, :span]).all()


def rule(pending_days: float = 0, recover_days: float = 0) -> Rule:
    return Rule(
        name="low",
        label="Low",
        description="",
        severity="warning",
        inputs=("level",),
        driven_by=(),
        pending_for=timedelta(days=pending_days),
        recover_for=timedelta(days=recover_days),
        template="{level}",
        next_step="",
        holds=lambda figures, _: figures["level"] < 0,
    )


def replayed(levels: list[int | None], asked: Rule, first: int = 0) -> list[tuple[int, float, float | None]]:
    its = AccountDays({"level": levels}, TraitDays.of([], ENDS))

    def days(at: datetime) -> float:
        return (at - START) / timedelta(days=1) - 1

    return [
        (firing.day, days(firing.fired_at), None if firing.ended_at is None else days(firing.ended_at))
        for firing in replay(asked, its, ENDS[: len(levels)], first)
    ]


def test_an_episode_lasts_from_the_day_it_fires_to_the_day_it_is_over() -> None:
    assert replayed([1, -1, -1, 1, 1, -1], rule()) == [(1, 1, 3), (5, 5, None)]


def test_pending_time_must_be_held_and_a_gap_begins_it_anew() -> None:
    assert replayed([1, -1, -1, 1, -1, -1, -1, -1], rule(pending_days=2)) == [(6, 6, None)]
    assert replayed([-1, -1, 1], rule(pending_days=2)) == []


def test_a_time_that_runs_out_between_two_days_does_so_then() -> None:
    assert replayed([1, -1, -1, 1], rule(pending_days=0.25)) == [(1, 1.25, 3)]
    assert replayed([-1, 1, 1, 1], rule(recover_days=1.5)) == [(0, 0, 2.5)]


def test_an_unknown_day_neither_ends_an_episode_nor_begins_one() -> None:
    assert replayed([None, -1, None, 1], rule()) == [(1, 1, 3)]
    assert replayed([None, None], rule()) == []


@given(st.lists(st.sampled_from([1, -1, None]), max_size=40), st.integers(0, 4), st.integers(0, 4))
def test_episodes_of_one_rule_never_overlap_and_only_the_last_may_be_under_way(
    levels: list[int | None], pending: int, recover: int
) -> None:
    found = replayed(levels, rule(pending, recover))
    for (_, _, ended), (_, fired, _) in pairwise(found):
        assert ended is not None
        assert ended <= fired
    assert all(ended is None or fired <= ended for _, fired, ended in found)
    assert all(levels[day] == -1 for day, _, _ in found)


subscription_changes = st.lists(
    st.builds(
        lambda sub, effective, ahead, kind, mrr, term, n: Change(
            sub,
            START + timedelta(days=effective),
            START + timedelta(days=max(effective - ahead, 0)),
            "s",
            str(n),
            kind,
            None if kind == "cancelled" else Decimal(mrr),
            None if kind == "cancelled" or term is None else START + timedelta(days=effective + term),
        ),
        st.sampled_from(["a", "b"]),
        st.integers(0, DAYS - 1),
        st.sampled_from([0, 0, 14]),
        st.sampled_from(["started", "changed", "renewed", "cancelled"]),
        st.integers(1, 500),
        st.sampled_from([None, 10, 30]),
        st.integers(0, 10**6),
    ),
    max_size=6,
)


@given(subscription_changes)
def test_revenue_by_day_is_what_asking_on_each_day_gives(changes: list[Change]) -> None:
    for end, found in zip(ENDS, mrr_by_day(changes, ENDS), strict=True):
        now = end - timedelta(microseconds=1)
        known = [change for change in changes if change.event_at <= now]
        assert found == value_before(step_function(known, now), now)


@given(subscription_changes)
def test_a_churn_is_decided_no_later_than_it_takes_effect_and_leaves_nothing_behind(
    changes: list[Change],
) -> None:
    now = ENDS[-1]
    for ending in endings(changes, now):
        if ending.kind == "churned":
            assert ending.returned_at is None or ending.returned_at > ending.decided_at


def test_a_cancellation_counts_from_when_it_was_announced() -> None:
    def change(kind: Any, day: int, said: int, mrr: int | None = None) -> Change:
        return Change(
            "a",
            START + timedelta(days=day),
            START + timedelta(days=said),
            "s",
            f"{day}",
            kind,
            None if mrr is None else Decimal(mrr),
        )

    told = [change("started", 0, 0, 100), change("cancelled", 90, 60)]
    assert [(e.kind, e.decided_at) for e in endings(told, ENDS[70])] == [
        ("churned", START + timedelta(days=60))
    ]
    assert endings(told, ENDS[50]) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, DAYS - 1),
            st.sampled_from(["plan", "owner"]),
            st.one_of(st.none(), st.integers(0, 3)),
        ),
        max_size=20,
    )
)
def test_traits_of_a_day_are_the_last_said_by_its_end(said: list[tuple[int, str, Any]]) -> None:
    said.sort(key=lambda one: (one[1], one[0]))
    history = [(START + timedelta(days=day, hours=12), name, value) for day, name, value in said]
    traits = TraitDays.of(history, ENDS)
    for day in (0, 1, 40, DAYS - 1):
        wanted = {name: value for on, name, value in said if on <= day}
        assert traits.on(day) == {name: value for name, value in wanted.items() if value is not None}


def test_an_answer_is_the_latest_until_the_next_or_for_180_days() -> None:
    found = latest_answers(
        [Answer(1, START + timedelta(days=3), 9), Answer(2, START + timedelta(days=10), 2)], ENDS
    )
    assert [found[n] for n in (3, 9, 10, DAYS - 1)] == [9, 9, 2, 2]
    assert np.isnan(found[2])


def test_a_currency_counts_at_its_first_rate_before_that_and_is_unknown_without_any() -> None:
    calendar = Calendar(
        date(2026, 1, 5), ZoneInfo("UTC"), [datetime(2026, 1, 6 + n, tzinfo=UTC) for n in range(5)]
    )
    told = [("USD", date(2026, 1, 6), Decimal("0.9")), ("USD", date(2026, 1, 8), Decimal("0.8"))]
    rates = Rates.of("EUR", told, calendar)
    assert list(np.broadcast_to(rates.on_days("USD"), 5)) == [0.9, 0.9, 0.9, 0.8, 0.8]
    assert rates.on_days("EUR") == 1
    assert np.isnan(rates.on_days("CHF"))
