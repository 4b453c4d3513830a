"""Following rows whose numbers do not appear in order."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

# A number is given when a batch starts and seen when it commits; no batch takes this long.
SETTLED = timedelta(seconds=10)


class Numbered(Protocol):
    """A row with its number and when it was written."""

    @property
    def seq(self) -> int: ...

    @property
    def written_at(self) -> datetime: ...


Row = TypeVar("Row", bound=Numbered)


class Tail:
    """Gives every row once: reads again from `floor`, below which nothing new can appear, and remembers what was given above it."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._given: dict[int, datetime] = {}

    def fresh(self, rows: Iterable[Row], now: datetime) -> list[Row]:
        """Return the rows that were not given before, in order of number, and move the floor."""
        found = [row for row in rows if row.seq > self.floor and row.seq not in self._given]
        self._given.update((row.seq, row.written_at) for row in found)
        for seq in sorted(self._given):
            if now - self._given[seq] < SETTLED:
                break
            self.floor = seq
            del self._given[seq]
        return sorted(found, key=lambda row: row.seq)
