"""Cutting a stream of records into requests, and how fast they may go."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bellwether.load.records import Item


@dataclass(frozen=True, slots=True)
class Batch:
    """`fraction` is how much of the source had been read when its last item was; None when that cannot be known."""

    items: tuple[Item, ...]
    fraction: float | None

    @property
    def last_line(self) -> int:
        return self.items[-1].line


def batches(
    items: Iterable[Item],
    *,
    size: int,
    most_bytes: int,
    after_line: int = 0,
    fraction: Callable[[], float | None],
) -> Iterator[Batch]:
    """Whole items in their order, at most `size` of them and at most `most_bytes` of bodies, unless one alone is larger."""
    held: list[Item] = []
    held_bytes = 0
    for item in items:
        if item.line <= after_line:
            continue
        if held and (len(held) == size or held_bytes + len(item.body) > most_bytes):
            yield Batch(tuple(held), fraction())
            held, held_bytes = [], 0
        held.append(item)
        held_bytes += len(item.body)
    if held:
        yield Batch(tuple(held), fraction())


class Pace:
    """At most `per_second` events a second on average, from the first call on. Pure: the caller brings the time and waits."""

    def __init__(self, per_second: float, started_at_seconds: float) -> None:
        self._per_second = per_second
        self._started = started_at_seconds
        self._sent = 0

    def delay_seconds(self, events: int, now_seconds: float) -> float:
        """How long to wait before these events may go; they count as sent."""
        due = self._started + self._sent / self._per_second
        self._sent += events
        return max(0.0, due - now_seconds)
