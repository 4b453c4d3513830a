"""Ways that come back to where they began."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def circle(start: T, following: Callable[[T], Iterable[T]]) -> list[T] | None:
    """A shortest way from `start` back to itself, both ends named; None when there is none."""
    came_from: dict[T, T] = {}
    front = [start]
    while front:
        reached = []
        for place in front:
            for after in following(place):
                if after == start:
                    return [*_way(start, place, came_from), start]
                if after not in came_from:
                    came_from[after] = place
                    reached.append(after)
        front = reached
    return None


def circles(starts: Iterable[T], following: Callable[[T], Iterable[T]]) -> list[list[T]]:
    """One way round for each circle, from the first of `starts` that is on it."""
    found: list[list[T]] = []
    reported: set[T] = set()
    for start in starts:
        way = None if start in reported else circle(start, following)
        if way is not None:
            found.append(way)
            reported.update(way)
    return found


def _way(start: T, end: T, came_from: dict[T, T]) -> list[T]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
