"""Answers a question: looks the names up, refuses what would cost too much, runs the statements on one snapshot."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from common.catalogue.models import Catalogue, Metric
from common.errors import Rejected
from common.figures import cursors, formulas
from common.figures.buckets import Bucket, compared, plan
from common.figures.calendar import Calendar
from common.figures.cells import Store
from common.figures.dress import Dresser
from common.figures.formulas import Answered, Question
from common.figures.members import Scope, slices
from common.figures.model import MAX_CELLS, Answer, Figure, Query, Value
from common.figures.named_segments import PREFIX, memberships
from common.figures.request import checked
from common.figures.slices import ACCOUNT, GroupKey

Connection = psycopg.Connection[Any]

# The planner knows how many accounts an array holds but not that they differ, and would sort millions of rows for a merge
# join; and compiling a statement takes longer than most of them run.
_SETTINGS = """
set transaction isolation level repeatable read, read only; set local enable_mergejoin = off; set local jit = off
"""


def query(conn: Connection, tenant_id: int, catalogue: Catalogue, asked: Query, now: dt.datetime) -> Answer:
    """One page of figures: by metric in the order asked for, then by group, then by bucket.

    All of them are of one instant of the database. Raises Rejected for what can't be answered, with what to do.
    """
    checked(asked)
    position = cursors.decode(tenant_id, asked)
    metrics = [_metric(catalogue, name, asked) for name in asked.metrics]
    calendar = Calendar.of(catalogue.settings)
    with _snapshot(conn):
        _check_dimensions(conn, tenant_id, catalogue, asked)
        segments = memberships(catalogue.segments, (*asked.group_by, *asked.filter))
        scope = Scope(tenant_id, asked.group_by, asked.filter, asked.accounts, segments)
        ids = _measure_ids(conn, tenant_id, catalogue, formulas.rows_read(catalogue, metrics))
        store = Store(
            conn, scope, calendar, ids, slices(conn, scope, calendar) if scope.reads_accounts else None
        )
        run = _Run(asked, catalogue, calendar, store, _as_of(conn), now)
        figures = run.figures(metrics, position)
    page = figures[: asked.limit]
    more = len(figures) > asked.limit
    onward = cursors.encode(tenant_id, asked, position + asked.limit) if more else None
    return Answer(tuple(page), onward, catalogue.version)


@dataclass(frozen=True, slots=True)
class _Run:
    asked: Query
    catalogue: Catalogue
    calendar: Calendar
    store: Store
    as_of: dt.datetime | None
    now: dt.datetime

    def figures(self, metrics: Sequence[Metric], skip: int) -> list[Figure]:
        """The rows after `skip`, one more than a page where there are more."""
        planned = [(metric, self._plan(metric)) for metric in metrics]
        groups = self._groups([buckets for _, buckets in planned])
        cells = sum(len(buckets) for _, buckets in planned) * max(1, len(groups))
        if cells > MAX_CELLS:
            raise Rejected(
                "cells-too-many",
                f"The answer would have {cells} figures, at most {MAX_CELLS} are computed at once; ask for fewer metrics, "
                "a shorter range, a coarser grain or fewer groups",
            )
        wanted = self.asked.limit + 1
        found: list[Figure] = []
        for metric, buckets in planned:
            rows = list(self._rows(metric, buckets, groups, skip, wanted - len(found)))
            found.extend(rows)
            skip = max(0, skip - len(buckets) * len(groups)) if not rows else 0
            if len(found) >= wanted:
                break
        return found

    def _plan(self, metric: Metric) -> list[Bucket]:
        resolution = formulas.resolution(metric, self.catalogue)
        return plan(self.calendar, self.asked.start, self.asked.end, self.asked.grain, resolution)

    def _groups(self, planned: Sequence[Sequence[Bucket]]) -> list[GroupKey]:
        first = min(buckets[0].start for buckets in planned)
        last = max(buckets[-1].end for buckets in planned)
        return sorted(
            self.store.groups(self.calendar.day_of(first), self.calendar.day_of(last)), key=_group_order
        )

    def _rows(
        self, metric: Metric, buckets: Sequence[Bucket], groups: Sequence[GroupKey], skip: int, most: int
    ) -> Iterator[Figure]:
        """Nothing is computed when the page begins after this metric."""
        total = len(buckets) * len(groups)
        if skip >= total:
            return
        question = Question(self.store, self.catalogue, self.calendar, buckets, self.now)
        answers = formulas.answer(metric, question)
        before = self._compared(metric, buckets)
        currency = self.catalogue.settings.currency
        dresser = Dresser(self.asked, metric, currency, self.calendar, self.as_of, buckets)
        wanted = [divmod(index, len(buckets)) for index in range(skip, min(total, skip + most))]
        for number, positions in itertools.groupby(wanted, key=lambda place: place[0]):
            group = groups[number]
            yield from dresser.figures(
                group,
                [(i, _value(answers, group, i, metric, question), before(group, i)) for _, i in positions],
            )

    def _compared(self, metric: Metric, buckets: Sequence[Bucket]) -> Any:
        """A function of group and position that gives the value compared with."""
        if self.asked.compare is None:
            return lambda _group, _position: None
        others = compared(self.calendar, buckets, self.asked.grain, self.asked.compare)
        present = [bucket for bucket in others if bucket is not None]
        question = Question(self.store, self.catalogue, self.calendar, present, self.now)
        answers = formulas.answer(metric, question) if present else {}
        positions = {id(bucket): index for index, bucket in enumerate(present)}

        def value(group: GroupKey, position: int) -> Any:
            other = others[position]
            if other is None:
                return None
            return _value(answers, group, positions[id(other)], metric, question).value

        return value


def _value(answers: Answered, group: GroupKey, position: int, metric: Metric, question: Question) -> Value:
    found = answers.get(group, {}).get(position)
    found = formulas.empty(metric, question, position) if found is None else found
    if ACCOUNT in question.store.scope.group_by and found.accounts is None:
        return replace(found, accounts=1)
    return found


def _metric(catalogue: Catalogue, name: str, asked: Query) -> Metric:
    metric = catalogue.metrics.get(name)
    if metric is None:
        raise Rejected("metric-unknown", f"There is no metric {name[:60]!a}; GET /v1/metrics lists them")
    if asked.grain == "hour" and formulas.resolution(metric, catalogue) == "day":
        raise Rejected("grain-not-available", f"{name} is kept by day; ask for grain day or coarser")
    return metric


def _check_dimensions(conn: Connection, tenant_id: int, catalogue: Catalogue, asked: Query) -> None:
    """A dimension is a declared one, `account`, or a trait that some account has had."""
    for name in (*asked.group_by, *asked.filter):
        if name.startswith(PREFIX):
            _check_segment(catalogue, name, asked)
            continue
        if name in catalogue.settings.dimensions or (name == ACCOUNT and name not in asked.filter):
            continue
        known = conn.execute(
            "select exists (select from published.trait where tenant_id = %s and name = %s and person_id = 0)",
            (tenant_id, name),
        ).fetchone()
        if known is None or not known[0]:
            shown = ", ".join((ACCOUNT, *catalogue.settings.dimensions))
            message = f"No account has a trait {name[:60]!a}; slice by one of {shown}, or by any trait that accounts have"
            raise Rejected("dimension-unknown", message)


def _check_segment(catalogue: Catalogue, dimension: str, asked: Query) -> None:
    name = dimension.removeprefix(PREFIX)
    if name not in catalogue.segments:
        message = f"There is no segment {name[:60]!a}; GET /v1/segments lists them"
        raise Rejected("segment-unknown", message)
    if not all(isinstance(value, bool) for value in asked.filter.get(dimension, ())):
        message = f"filter.{dimension} is true or false; or name the segment in segments"
        raise Rejected("filter-invalid", message)


def _measure_ids(
    conn: Connection, tenant_id: int, catalogue: Catalogue, rows: Sequence[str]
) -> dict[str, int]:
    """Under the definitions of this catalogue: what the same name counted by another one is not read."""
    origins = catalogue.row_origins()
    found = conn.execute(
        """select m.measure, m.measure_id from published.measure m
           join unnest(%s::text[], %s::int[]) as w(measure, origin) on w.measure = m.measure and w.origin = m.origin
           where m.tenant_id = %s""",
        (list(rows), [origins.get(row, 0) for row in rows], tenant_id),
    )
    return {str(name): int(number) for name, number in found}


def _as_of(conn: Connection) -> dt.datetime | None:
    """The least over partitions; None while one of them has applied nothing."""
    row = conn.execute(
        "select min(applied_at), count(*) = count(applied_at) from published.progress"
    ).fetchone()
    return row[0] if row is not None and row[1] else None


def _group_order(group: GroupKey) -> tuple[tuple[str, str], ...]:
    """By value; unset comes last."""
    return tuple(("2", "") if value is None else ("1", json.dumps(value)) for value in group)


@contextmanager
def _snapshot(conn: Connection) -> Iterator[None]:
    """One unchanging view of the database for all statements; a caller's own transaction is used as it is."""
    fresh = conn.info.transaction_status == TransactionStatus.IDLE
    with conn.transaction():
        if fresh:
            conn.execute(_SETTINGS)
        yield
