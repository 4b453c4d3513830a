"""Cutting records into requests, and how fast they may go."""

from hypothesis import given
from hypothesis import strategies as st

from bellwether.load.batches import Pace, batches
from bellwether.load.records import Item

ITEMS = st.lists(st.binary(max_size=40)).map(
    lambda bodies: [Item(n, b) for n, b in enumerate(bodies, start=1)]
)


@given(ITEMS, st.integers(1, 7), st.integers(1, 100), st.integers(0, 30))
def test_every_item_after_the_line_is_in_exactly_one_batch_in_its_order(
    items: list[Item], size: int, most_bytes: int, after: int
) -> None:
    cut = list(batches(items, size=size, most_bytes=most_bytes, after_line=after, fraction=lambda: None))
    assert [item for batch in cut for item in batch.items] == [item for item in items if item.line > after]
    for batch in cut:
        assert 1 <= len(batch.items) <= size
        assert len(batch.items) == 1 or sum(len(item.body) for item in batch.items) <= most_bytes
        assert batch.last_line == batch.items[-1].line


@given(st.lists(st.integers(1, 500), min_size=1), st.floats(1, 1e6))
def test_events_never_go_faster_than_the_pace(sizes: list[int], per_second: float) -> None:
    now, sent = 0.0, 0
    pace = Pace(per_second, now)
    for size in sizes:
        now += pace.delay_seconds(size, now)
        # What went before took at least its time.
        assert now >= sent / per_second * (1 - 1e-9)
        sent += size
