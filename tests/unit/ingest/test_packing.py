"""Records are filled in order, within their bound."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from ingest.domain.packing import chunks, take

_bodies = st.lists(st.binary(min_size=1, max_size=30), max_size=40)


@given(_bodies, st.integers(1, 60))
def test_chunks_keep_order_and_content_and_their_bound(bodies: list[bytes], bound: int) -> None:
    runs = list(chunks(bodies, bound))
    assert [body for run, _ in runs for body in run] == bodies
    assert all(size <= bound or len(run) == 1 for run, size in runs)
    assert all(size == sum(len(body) + 1 for body in run) for run, size in runs)


@given(st.lists(st.tuples(st.integers(), st.integers(1, 50)), min_size=1, max_size=20), st.integers(1, 100))
def test_taking_until_empty_gives_everything_once_in_order(parts: list[tuple[int, int]], bound: int) -> None:
    waiting = deque(parts)
    given_out: list[int] = []
    while waiting:
        taken, size = take(waiting, bound)
        assert taken
        assert size <= bound or len(taken) == 1
        given_out += taken
    assert given_out == [name for name, _ in parts]
