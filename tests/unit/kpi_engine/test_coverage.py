"""Rolling distinct counts from deltas: any order and any split of the days seen gives the brute-force count."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.coverage import (
    NEVER_AFTER,
    NEVER_BEFORE,
    NewDays,
    deltas_of,
    deltas_of_set,
    difference,
)

seen_days = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40)), max_size=60)
windows = st.integers(1, 30)


def counts(deltas: Counter[int], last: int) -> list[int]:
    return [sum(change for day, change in deltas.items() if day <= upto) for upto in range(last)]


def brute_force(seen: list[tuple[int, int]], window: int, last: int) -> list[int]:
    return [len({entity for entity, day in seen if upto - window < day <= upto}) for upto in range(last)]


def new_days(known: dict[int, set[int]], batch: list[tuple[int, int]], reach: int) -> NewDays:
    """What a store answers: rows that are new, with the days known before, no further away than `reach`."""
    fresh = sorted({(entity, day) for entity, day in batch if day not in known[entity]})
    before = [
        max((d for d in known[entity] if day - reach <= d < day), default=NEVER_BEFORE)
        for entity, day in fresh
    ]
    after = [
        min((d for d in known[entity] if day < d <= day + reach), default=NEVER_AFTER)
        for entity, day in fresh
    ]
    columns = ([e for e, _ in fresh], [d for _, d in fresh], before, after)
    return NewDays(*(np.array(column, np.int64) for column in columns))


@given(seen_days, windows, st.lists(st.integers(0, 60), max_size=5))
def test_batches_add_up_to_the_number_of_entities_in_the_window(
    seen: list[tuple[int, int]], window: int, cuts: list[int]
) -> None:
    known: dict[int, set[int]] = defaultdict(set)
    total: Counter[int] = Counter()
    for start, end in pairwise(sorted({0, len(seen), *(min(cut, len(seen)) for cut in cuts)})):
        batch = seen[start:end]
        deltas = deltas_of(new_days(known, batch, reach=window), window)
        for day, change in zip(deltas.days.tolist(), deltas.changes.tolist(), strict=True):
            total[day] += change
        for entity, day in batch:
            known[entity].add(day)
    last = 40 + window + 2
    assert counts(total, last) == brute_force(seen, window, last)


@given(seen_days, windows)
def test_deltas_sum_to_zero_in_the_end(seen: list[tuple[int, int]], window: int) -> None:
    deltas = deltas_of(new_days(defaultdict(set), seen, window), window)
    assert deltas.changes.sum() == 0
    assert deltas.days.max(initial=0) < NEVER_AFTER


@given(seen_days, windows)
def test_each_delta_belongs_to_the_row_of_its_entity(seen: list[tuple[int, int]], window: int) -> None:
    new = new_days(defaultdict(set), seen, window)
    deltas = deltas_of(new, window)
    for entity in {entity for entity, _ in seen}:
        mine = new.entities[deltas.rows] == entity
        total = Counter[int]()
        for day, change in zip(deltas.days[mine].tolist(), deltas.changes[mine].tolist(), strict=True):
            total[day] += change
        only = [pair for pair in seen if pair[0] == entity]
        assert counts(total, 75) == brute_force(only, window, 75)


days = st.sets(st.integers(0, 60))


@given(days, windows)
def test_a_whole_set_at_once_is_the_same(seen: set[int], window: int) -> None:
    deltas = Counter(deltas_of_set(seen, window))
    assert counts(deltas, 100) == brute_force([(1, day) for day in seen], window, 100)


@given(days, days, windows)
def test_a_difference_turns_one_into_the_other(before: set[int], after: set[int], window: int) -> None:
    then, now = deltas_of_set(before, window), deltas_of_set(after, window)
    changed = Counter(then)
    changed.update(difference(now, then))
    assert {day: value for day, value in changed.items() if value} == now
