"""Whose turn it is: the first change at once, further ones at most once a second, nobody forgotten."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.ownership import AT_MOST_EVERY, IN_TIME_US, Owned, Turns, with_events

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def owned(*accounts: int, partition: int = 3) -> Owned:
    return Owned("events", partition, 1, 0, 0, dict.fromkeys(accounts, 1))


def test_the_first_change_of_an_account_is_computed_at_once() -> None:
    chosen = Turns().choose([owned(5)], NOW, 10)
    assert [(c.account_id, c.tenant_id, c.partition) for c in chosen] == [(5, 1, 3)]


def test_a_further_change_waits_for_its_second() -> None:
    turns = Turns()
    turns.done(turns.choose([owned(5)], NOW, 10), NOW)
    assert turns.choose([owned(5)], NOW + AT_MOST_EVERY / 2, 10) == []
    assert len(turns.choose([owned(5)], NOW + AT_MOST_EVERY, 10)) == 1


def test_a_clock_that_is_set_back_keeps_nobody_waiting() -> None:
    turns, before = Turns(), NOW - timedelta(hours=1)
    turns.done(turns.choose([owned(5)], NOW, 10), NOW)
    turns.done(turns.choose([owned(5)], before, 10), before)
    assert turns.choose([owned(5)], before + AT_MOST_EVERY / 2, 10) == [], "computed a moment ago"
    assert len(turns.choose([owned(5)], before + AT_MOST_EVERY, 10)) == 1


@given(st.integers(0, 500), st.integers(-1_000_000, 10**12), st.integers(0, 10**12))
def test_the_later_events_are_the_fewer_accounts_are_computed_with_them_but_never_none(
    most: int, late_us: int, more_us: int
) -> None:
    found = with_events(most, late_us)
    assert with_events(most, late_us + more_us) <= found <= most
    assert (found == most) if late_us <= IN_TIME_US else (found - 1) * late_us < most * IN_TIME_US
    assert found >= min(most, 1)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1500)), max_size=80), st.integers(1, 4))
def test_every_change_is_computed_in_the_end_and_no_account_twice_within_a_second(
    changes: list[tuple[int, int]], limit: int
) -> None:
    turns, part, now = Turns(), owned(), NOW
    computed: dict[int, list[datetime]] = {}

    def compute() -> None:
        chosen = turns.choose([part], now, limit)
        assert len(chosen) <= limit
        turns.done(chosen, now)
        for choice in chosen:
            del part.dirty[choice.account_id]
            computed.setdefault(choice.account_id, []).append(now)

    for account, milliseconds in changes:
        now += timedelta(milliseconds=milliseconds)
        part.dirty.setdefault(account, 1)
        compute()
    for _ in range(20):
        now += AT_MOST_EVERY
        compute()
    assert not part.dirty
    assert computed.keys() == {account for account, _ in changes}
    for times in computed.values():
        assert all(later - earlier >= AT_MOST_EVERY for earlier, later in pairwise(times))


def test_who_was_never_computed_or_longest_ago_goes_before_who_waits_longer() -> None:
    turns = Turns()
    turns.done(turns.choose([owned(1)], NOW, 1), NOW)
    turns.done(turns.choose([owned(2)], NOW, 1), NOW + AT_MOST_EVERY)
    chosen = turns.choose([owned(2, 1), owned(7, partition=4)], NOW + 3 * AT_MOST_EVERY, 2)
    assert [(c.account_id, c.partition) for c in chosen] == [(7, 4), (1, 3)]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(1, 5))
def test_where_all_change_all_the_time_nobody_waits_longer_than_all_others_take(
    sizes: list[int], limit: int
) -> None:
    turns, now, everybody = Turns(), NOW, sum(sizes)
    computed: dict[int, int] = {}
    for turn in range(3 * everybody):
        now += AT_MOST_EVERY
        parts = [owned(*range(100 * p, 100 * p + size), partition=p) for p, size in enumerate(sizes)]
        chosen = turns.choose(parts, now, limit)
        assert len(chosen) == min(limit, everybody)
        turns.done(chosen, now)
        for choice in chosen:
            assert (turn - computed.get(choice.account_id, -1)) * limit < everybody + limit
            computed[choice.account_id] = turn
    assert len(computed) == everybody
