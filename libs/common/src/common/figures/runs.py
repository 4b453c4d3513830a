"""From a start to an end, or waiting still: the runs of a lifecycle's entities, each in its bucket and group."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from common.catalogue.lifecycles import Conversion, Duration, Share
from common.figures.anew import by_person
from common.figures.asked import Asked, ByBucket
from common.figures.cases import Moment, Told, moments, told
from common.figures.cells import WHOLE
from common.figures.instants import instant, micros
from common.figures.model import Value
from common.figures.placing import Labels, placing
from common.figures.slices import GroupKey


class Run(NamedTuple):
    """In microseconds. `left` is when it stopped to wait in vain: an end after that is none."""

    account_id: int
    entity: str
    start: int
    end: int | None
    left: int | None = None


Grouped = Mapping[tuple[GroupKey, int], list[Run]]


def durations(formula: Duration, asked: Asked) -> Grouped:
    """Entities by the bucket of their start, or with `cohort: end` of their end."""
    start, end, left = Moment(formula.start, earliest=False), Moment(formula.end), Moment(formula.left)
    by_end = formula.cohort == "end"
    wanted = (end, start) if by_end else (start, end, left)
    now = micros(asked.now)
    rows = moments(asked.store, asked.measure(formula.measure), wanted, asked.now, asked.span)
    if by_end:
        runs = [Run(a, entity, s, e) for a, entity, e, s in rows if s is not None and s < now]
        return grouped(asked, runs, formula.measure, by_end=True)
    return grouped(asked, [_waited(Run._make(row)) for row in rows if row[2] < now], formula.measure)


def _waited(run: Run) -> Run:
    return run if run.end is None or run.left is None or run.end <= run.left else run._replace(end=None)


def conversions(formula: Conversion, asked: Asked) -> Grouped:
    """Entities by the bucket of their start; each person that was named at it by themselves, where that is asked."""
    now = micros(asked.now)
    if formula.by_person:
        runs = [run for run in _by_person(formula, asked) if run.start < now]
    else:
        wanted = (Moment(formula.start, earliest=False), Moment(formula.end), Moment(()))
        rows = moments(asked.store, asked.measure(formula.measure), wanted, asked.now, asked.span)
        runs = [Run._make(row) for row in rows if row[2] < now]
    return grouped(asked, runs, formula.measure)


def first_of(formula: Share, asked: Asked) -> Grouped:
    """Each entity by the first of the steps it took, with an end when that was the one; of several at one instant that one."""
    steps = tuple(dict.fromkeys((*formula.among, formula.step)))
    wanted = (Moment(steps), Moment((formula.step,)))
    rows = moments(asked.store, asked.measure(formula.measure), wanted, asked.now, asked.span)
    runs = [Run(a, entity, at, at if its == at else None) for a, entity, at, its in rows]
    return grouped(asked, runs, formula.measure, on_day=True)


def grouped(
    asked: Asked, runs: Iterable[Run], measure: str, *, by_end: bool = False, on_day: bool = False
) -> Grouped:
    """A cohort takes the group it had at its start; with `by_end` and `on_day` a run counts like the event that makes it count."""
    found: dict[tuple[GroupKey, int], list[Run]] = defaultdict(list)
    if asked.store.slices is None:
        starts, ends = asked.edges
        for run in runs:
            at_us = run.end if by_end and run.end is not None else run.start
            position = bisect_right(starts, at_us) - 1
            if position >= 0 and at_us < ends[position]:
                found[WHOLE, position].append(run)
        return found
    place = placing(asked.store, asked.measure(measure))
    labels = Labels(asked.store, asked.measure(measure), place, asked.now)
    for run in runs:
        at_us = run.end if by_end and run.end is not None else run.start
        bucket = asked.bucket_at(at_us)
        if bucket is None:
            continue
        at, entity = instant(at_us), (run.account_id, run.entity)
        if by_end or on_day:
            group = place.on_day(run.account_id, at, labels.until(entity, at))
        else:
            group = place.in_cohort(run.account_id, at, labels.in_cohort(entity, at))
        if group is not None:
            found[group, bucket].append(run)
    return found


def by_bucket(runs: Grouped, value: Callable[[list[Run]], Value]) -> ByBucket:
    found: ByBucket = defaultdict(dict)
    for (group, bucket), some in runs.items():
        found[group][bucket] = value(some)
    return found


def accounts_of(runs: Iterable[Run]) -> int:
    return len({run.account_id for run in runs if run.account_id})


def _by_person(formula: Conversion, asked: Asked) -> Iterator[Run]:
    measure = asked.measure(formula.measure)
    for (account_id, entity), events in told(
        asked.store, measure, asked.now, (formula.start, *asked.span)
    ).items():
        for case in by_person(measure, events, formula.start):
            start_us, end_us = _first(case, formula.start), _first(case, formula.end)
            if start_us is not None:
                yield Run(account_id, entity, start_us, end_us)


def _first(case: Iterable[Told], steps: Sequence[str]) -> int | None:
    """Of events in order."""
    return next((micros(event.at) for event in case if event.step in steps), None)
