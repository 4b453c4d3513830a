"""Putting changes together is order-free; counting into a table equals counting by sorting."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.cells import BigCells, Cells
from kpi_engine.domain.measures import counted

changes = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 4), st.integers(-2, 2), st.integers(-3, 3)), max_size=40
)


def plain(given_changes: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    sums: Counter[tuple[int, int, int]] = Counter()
    for *key, value in given_changes:
        sums[key[0], key[1], key[2]] += value
    return sorted((*key, value) for key, value in sums.items() if value)


@given(changes, st.integers(1, 7))
def test_cells_are_sums_in_order_without_zeros(
    given_changes: list[tuple[int, int, int, int]], size: int
) -> None:
    cells = Cells()
    for start in range(0, len(given_changes), size):
        part = given_changes[start : start + size]
        for measure in {change[0] for change in part}:
            mine = np.array([change[1:] for change in part if change[0] == measure], np.int64)
            cells.add(measure, mine[:, 0], mine[:, 1], mine[:, 2])
    rows = cells.rows()
    columns = (rows.measures, rows.owners, rows.buckets, rows.values)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == plain(given_changes)


@given(changes)
def test_big_cells_are_the_same_without_a_limit(given_changes: list[tuple[int, int, int, int]]) -> None:
    cells = BigCells()
    for measure, owner, bucket, value in given_changes:
        cells.add(measure, owner, bucket, value * 10**30)
    assert [(m, o, b, v // 10**30) for m, o, b, v in cells.rows()] == plain(given_changes)


@given(st.lists(st.integers(0, 50), max_size=60), st.sampled_from([51, 1_000_000]))
def test_counting_does_not_depend_on_how_sparse_keys_are(keys: list[int], size: int) -> None:
    unique, counts = counted(np.array(keys, np.int64), size)
    assert dict(zip(unique.tolist(), counts.tolist(), strict=True)) == Counter(keys)
    assert unique.tolist() == sorted(set(keys))
