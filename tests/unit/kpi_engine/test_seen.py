"""A memory that may forget, and never claims what it was not told."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.seen import SeenKeys

keys = st.lists(st.integers(-(2**62), 2**62), max_size=20)
tags = st.integers(-3, 3)
steps = st.lists(st.tuples(st.sampled_from(["add", "forget"]), tags, keys), max_size=20)


def column(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


@given(steps, st.sampled_from([1, 2, 8, 1024]))
def test_it_holds_only_what_was_added_and_not_forgotten(
    given_steps: list[tuple[str, int, list[int]]], slots: int
) -> None:
    seen, model = SeenKeys(slots), set[tuple[int, int]]()
    for action, tag, values in given_steps:
        pairs = {(tag, value) for value in values}
        if action == "add":
            seen.add(tag, column(values))
            model |= pairs
        else:
            seen.forget(tag, column(values))
            model -= pairs
    for tag in range(-3, 4):
        asked = sorted({value for _, value in model} | {0, 1})
        held = seen.holds(tag, column(asked)).tolist()
        assert all((tag, value) in model for value, holds in zip(asked, held, strict=True) if holds)


def test_it_remembers_while_there_is_room() -> None:
    seen = SeenKeys(1 << 16)
    first = np.arange(5_000, dtype=np.int64) << 20
    seen.add(7, first)
    assert seen.holds(7, first).mean() > 0.99
    assert not seen.holds(8, first).any()
