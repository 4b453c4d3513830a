"""Batches are no larger than their changes allow, and grow slowly."""

from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.sizing import GROWTH_STEPS, MOST_CELL_CHANGES, BatchSize

LEAST, MOST = 12_000, 48_000


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 3_000_000)), max_size=60))
def test_the_next_batch_fits_what_the_last_one_told(told: list[tuple[int, int]]) -> None:
    size = BatchSize(MOST, LEAST)
    for events, changes in told:
        before = size.events
        size.learn(events, changes)
        assert LEAST <= size.events <= MOST
        assert size.events <= before + MOST // GROWTH_STEPS
        if events < LEAST or not changes:
            assert size.events == before
        else:
            assert size.events == LEAST or size.events * changes <= MOST_CELL_CHANGES * events


def test_events_of_few_accounts_come_in_full_batches_soon_and_of_many_in_small_ones_at_once() -> None:
    size = BatchSize(MOST, LEAST)
    batches = 0
    while size.events < MOST:
        size.learn(size.events, 2 * size.events)
        batches += 1
    assert batches <= GROWTH_STEPS
    size.learn(MOST, 12 * MOST)
    assert size.events == MOST_CELL_CHANGES // 12


def test_small_settings_are_kept() -> None:
    """One event a batch is a batch."""
    size = BatchSize(1, 1)
    for changes in (0, 1, 500_000):
        size.learn(1, changes)
        assert size.events == 1
