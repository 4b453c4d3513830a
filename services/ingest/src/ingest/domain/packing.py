"""Which waiting events go into the next record."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeVar

from ingest.domain.validation import Item

T = TypeVar("T")


def chunks(bodies: Sequence[Item], max_bytes: int) -> Iterator[tuple[list[Item], int]]:
    """Cut events into runs of at most `max_bytes`, order kept; an event larger than that stands alone. Yields each run with its bytes."""
    whole = sum(map(len, bodies)) + len(bodies)
    if bodies and whole <= max_bytes:
        yield list(bodies), whole
        return
    run: list[Item] = []
    size = 0
    for body in bodies:
        length = len(body) + 1
        if run and size + length > max_bytes:
            yield run, size
            run, size = [], 0
        run.append(body)
        size += length
    if run:
        yield run, size


def take(waiting: "deque[tuple[T, int]]", max_bytes: int) -> tuple[list[T], int]:
    """Take from the front what fits into `max_bytes`, at least one; returns it with its bytes."""
    taken: list[T] = []
    size = 0
    while waiting and (not taken or size + waiting[0][1] <= max_bytes):
        found, length = waiting.popleft()
        taken.append(found)
        size += length
    return taken, size
