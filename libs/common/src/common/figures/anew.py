"""The cases of one entity, of which some steps begin a new one each time, such as a survey that is sent again. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from common.catalogue.models import Measure


class Taken(Protocol):
    @property
    def step(self) -> str: ...
    @property
    def person_id(self) -> int:
        """0: nobody is named."""


T = TypeVar("T", bound=Taken)


def by_case(measure: Measure, events: Iterable[T]) -> Iterator[list[T]]:
    """An entity's events in order, parted where a step begins a new case; what came before the first of them is one of its own."""
    anew = {step.name for step in measure.steps if step.new_case}
    case: list[T] = []
    for event in events:
        if case and event.step in anew:
            yield case
            case = []
        case.append(event)
    if case:
        yield case


def by_person(measure: Measure, events: Sequence[T], start: Sequence[str]) -> Iterator[list[T]]:
    """The same for each person that a step of `start` names; all others together are one more."""
    named = {event.person_id for event in events if event.step in start}
    theirs: dict[int, list[T]] = defaultdict(list)
    for event in events:
        theirs[event.person_id if event.person_id in named else 0].append(event)
    for person in sorted(theirs):
        yield from by_case(measure, theirs[person])
