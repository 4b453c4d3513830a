"""A bound on what is held in memory: a request that would go over it is told to come back."""

from collections.abc import Callable
from typing import Self

from common.errors import Unavailable


class Budget:
    """Counts bytes that are held. Used from one event loop; `changed` is told the new total."""

    def __init__(self, limit_bytes: int, changed: Callable[[float], None]) -> None:
        self._limit_bytes, self._changed = limit_bytes, changed
        self.held_bytes = 0

    def take(self, count: int) -> None:
        """Hold `count` more; raises Unavailable (code `overloaded`) when that is over the limit, unless nothing is held at all."""
        if not self.has_room(count):
            raise Unavailable("overloaded", "too much is in flight; send the same again shortly", 1)
        self.hold(count)

    def has_room(self, count: int) -> bool:
        """Tell whether `count` more may be held; anything may when nothing is."""
        return not self.held_bytes or self.held_bytes + count <= self._limit_bytes

    def hold(self, count: int) -> None:
        """Hold `count` more, whatever the limit says: it was let in before in another form."""
        self.held_bytes += count
        self._changed(self.held_bytes)

    def give(self, count: int) -> None:
        """Hold `count` less."""
        self.held_bytes -= count
        self._changed(self.held_bytes)


class Share:
    """What one request holds of a budget; given back as a whole when the request ends, however it ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._held = budget, 0

    def take(self, count: int) -> None:
        self._budget.take(count)
        self._held += count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give(self._held)
        self._held = 0
