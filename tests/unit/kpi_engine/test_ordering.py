"""Rows sorted by packed columns stand as rows sorted by comparing them do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.ordering import order_by, starts

NEAR = st.integers(-3, 3)
ANY = st.integers(-(2**63), 2**63 - 1)
FAR = st.integers(2**40, 2**40 + 5)


@given(
    st.lists(
        st.tuples(st.one_of(NEAR, FAR), NEAR, st.one_of(NEAR, st.sampled_from([-(2**62), 2**62])), NEAR),
        max_size=40,
    )
)
def test_rows_come_in_the_order_of_their_columns(rows: list[tuple[int, ...]]) -> None:
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)] or [np.zeros(0, np.int64)]
    order = order_by(*columns)
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert [rows[at] for at in order.tolist()] == sorted(rows)


@given(st.lists(ANY, min_size=1, max_size=30))
def test_one_column_of_any_values(values: list[int]) -> None:
    assert [values[at] for at in order_by(np.array(values, np.int64)).tolist()] == sorted(values)


@given(st.lists(NEAR, max_size=40))
def test_with_its_places_as_last_column_an_order_keeps_that_of_equals(values: list[int]) -> None:
    order = order_by(np.array(values, np.int64), np.arange(len(values)))
    assert order.tolist() == sorted(range(len(values)), key=values.__getitem__)


@given(st.lists(st.tuples(NEAR, NEAR), max_size=40))
def test_each_kind_of_row_starts_once(rows: list[tuple[int, int]]) -> None:
    rows = sorted(rows)
    columns = [np.array([row[at] for row in rows], np.int64) for at in (0, 1)]
    first = np.flatnonzero(starts(*columns)).tolist()
    assert [rows[at] for at in first] == sorted(set(rows))
    assert first == [rows.index(row) for row in sorted(set(rows))]
