"""Columns say of all accounts at once what plain code says of each, exactly, however large the numbers are."""

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.figures.columns import Groups, PerAccount, Steps, numbers

sizes = st.sampled_from((10, 2**50, 10**30))
rows = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 9)), st.integers(-9, 9), max_size=20)


@given(rows=rows, size=sizes, at=st.integers(0, 10))
@settings(max_examples=80, deadline=None)
def test_what_stands_is_the_sum_of_all_that_acts_strictly_before(
    rows: dict[tuple[int, int], int], size: int, at: int
) -> None:
    some = sorted(rows.items())
    places, instants = (np.array([key[n] for key, _ in some], np.int64) for n in (0, 1))
    steps = Steps.running(places, instants, numbers([value * size for _, value in some]))
    found = steps.before(at, np.zeros(5, np.int64)).tolist()
    assert found == [sum(v * size for (p, i), v in some if p == place and i < at) for place in range(5)]


accounts = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(-1, 2), st.integers(-9, 9), st.booleans()), max_size=12
)


@given(accounts=accounts, size=sizes)
@settings(max_examples=80, deadline=None)
def test_groups_sum_their_own_accounts_and_part_by_codes(
    accounts: list[tuple[int, int, int, bool]], size: int
) -> None:
    keys = ["a", "b", "c", "d"]
    groups = Groups(keys, np.array([group for group, *_ in accounts], np.int64))
    codes = np.array([code for _, code, *_ in accounts], np.int64)
    columns = (
        numbers([value * size for _, _, value, _ in accounts]),
        np.array([flag for *_, flag in accounts], np.bool_),
    )
    whole: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    parts: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for group, code, value, flag in accounts:
        for sums, key in ((whole, keys[group]), (parts, (keys[group], code))) if group >= 0 else ():
            sums[key][0] += value * size
            sums[key][1] += flag
    assert dict(groups.sums(*columns)) == whole
    assert dict(groups.parted(codes).sums(*columns)) == parts


stretches = st.lists(
    st.tuples(
        st.integers(1, 4), st.integers(0, 4), st.one_of(st.none(), st.integers(0, 5)), st.integers(-9, 9)
    ),
    max_size=12,
)


@given(stretches=stretches, size=sizes)
@settings(max_examples=80, deadline=None)
def test_an_accounts_value_at_a_sample_is_of_all_that_counts_there(
    stretches: list[tuple[int, int, int | None, int]], size: int
) -> None:
    some = [
        (who, start, end if end is None else max(start, end), value * size)
        for who, start, end, value in stretches
    ]
    found = PerAccount.of(some, 5)
    plain: dict[int, list[int]] = defaultdict(lambda: [0] * 5)
    for who, start, end, value in some:
        for sample in range(5):
            plain[who][sample] += value if start <= sample and (end is None or sample < end) else 0
    assert dict(found) == plain
