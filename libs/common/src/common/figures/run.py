"""Answers a question: looks the names up, refuses what would cost too much, runs the statements on one snapshot."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from common.catalogue.models import Catalogue, Metric
from common.errors import Rejected
from common.figures import cursors, formulas, values
from common.figures.asked import Asked, ByBucket
from common.figures.behind import is_of_tenant, reads
from common.figures.buckets import Bucket, compared, covered, instant, plan
from common.figures.calendar import Calendar
from common.figures.cells import Store
from common.figures.company import counts_nobodys
from common.figures.dress import Dresser
from common.figures.evidence import Evidence, evidence
from common.figures.families import TOP_PARENT
from common.figures.forgotten import Forgotten, kept_from
from common.figures.leads import Paying, grows, paying, targeted
from common.figures.members import Scope, slices
from common.figures.model import MAX_CELLS, Answer, Figure, Leading, Moment, Query, Value
from common.figures.named_segments import PREFIX, memberships
from common.figures.parts import answers_itself, measures_read, own_dimensions_of, settles, sides
from common.figures.request import checked
from common.figures.retired import replaced
from common.figures.slices import ACCOUNT, GroupKey, said
from common.figures.stretches import stretch
from common.figures.without import Without

Connection = psycopg.Connection[Any]
Planned = Sequence[tuple[Metric, Sequence[Bucket]]]

_PARTED = (
    "these definitions count some of it only until {at}, when a later version took its place, while the rest goes on; "
    "ask for what ends by then, or without `definitions`"
)
# The planner knows how many accounts an array holds but not that they differ, and would sort millions of rows for a merge
# join; and compiling a statement takes longer than most of them run.
_SETTINGS = """
set transaction isolation level repeatable read, read only; set local enable_mergejoin = off; set local jit = off
"""


def query(
    conn: Connection,
    tenant_id: int,
    catalogue: Catalogue,
    asked: Query,
    now: dt.datetime,
    without: Without | None = None,
) -> Answer:
    """One page of figures: by metric in the order asked for, then by group, then by bucket.

    Of more buckets than are answered at once the pages go stretch by stretch, each in that order. All figures of a page are of
    one instant of the database. `without`: as if these events had never come. Raises Rejected for what can't be answered, with what
    to do, and InseparableError where a figure can't be told without the events.
    """
    checked(asked)
    number, position = cursors.decode(tenant_id, asked)
    metrics = [_metric(catalogue, name, asked) for name in asked.metrics]
    calendar = Calendar.of(catalogue.settings)
    start, end, more_stretches = stretch(calendar, asked.start, asked.end, asked.grain, number)
    with _snapshot(conn):
        _check_dimensions(conn, tenant_id, catalogue, asked, metrics)
        ids = measure_ids(conn, tenant_id, catalogue, formulas.rows_read(catalogue, metrics))
        scope = _scope(tenant_id, catalogue, calendar, asked, now)
        members = slices(conn, scope, calendar, without) if scope.reads_accounts else None
        store = Store(conn, scope, calendar, ids, members, catalogue, without)
        as_of, served = _as_of(conn, tenant_id)
        ends = replaced(conn, tenant_id, catalogue, served)
        kept = kept_from(conn, tenant_id, catalogue)
        run = _Run(
            replace(asked, start=start, end=end), asked, catalogue, calendar, store, as_of, ends, kept, now
        )
        found = run.figures(metrics, position)
        leading = run.leading(metrics) if asked.compare else None
    page = found[: asked.limit]
    onward = None
    if len(found) > asked.limit:
        onward = cursors.encode(tenant_id, asked, (number, page[-1][0] + 1))
    elif more_stretches:
        onward = cursors.encode(tenant_id, asked, (number + 1, 0))
    frozen = min((at for metric in metrics if (at := run.frozen_at(metric))), default=None)
    return Answer(tuple(figure for _, figure in page), onward, catalogue.version, leading, frozen)


def behind(
    conn: Connection,
    tenant_id: int,
    catalogue: Catalogue,
    metric: Metric,
    account_id: int,
    span: tuple[Moment, Moment],
    now: dt.datetime,
) -> Evidence:
    """Which events of an account count for a metric over a range, and as what. Account 0: the tenant's own events."""
    calendar = Calendar.of(catalogue.settings)
    [bucket] = plan(calendar, *span, "total", formulas.resolution(metric, catalogue))
    wanted = reads(metric, catalogue, calendar, bucket, now)
    rows = {row for read in wanted if read.measure for row in catalogue.measures[read.measure].rows}
    with _snapshot(conn):
        ids = measure_ids(conn, tenant_id, catalogue, sorted(rows))
        return evidence(conn, tenant_id, catalogue, account_id, wanted, ids, now)


def _scope(tenant_id: int, catalogue: Catalogue, calendar: Calendar, asked: Query, now: dt.datetime) -> Scope:
    segments = memberships(catalogue.segments, (*asked.group_by, *asked.filter))
    as_at = None if asked.slice_at == "start" else min(now, instant(calendar, asked.end))
    return Scope(tenant_id, asked.group_by, asked.filter, asked.accounts, segments, as_at)


@dataclass(frozen=True)
class _Run:
    """`asked` is a stretch of the `whole` question. `replaced`: since when measures are counted no more; `kept`: since when others are whole."""

    asked: Query
    whole: Query
    catalogue: Catalogue
    calendar: Calendar
    store: Store
    as_of: dt.datetime | None
    replaced: Mapping[str, dt.datetime]
    kept: Mapping[str, dt.datetime]
    now: dt.datetime

    def frozen_at(self, metric: Metric) -> dt.datetime | None:
        """Since when some of what a metric reads is counted no more, where it isn't."""
        if not self.replaced:
            return None
        read = measures_read(metric, self.catalogue)
        return min((self.replaced[name] for name in read if name in self.replaced), default=None)

    def _parted_at(self, metric: Metric) -> dt.datetime | None:
        """Since when one side of the metric is counted no more while another goes on, or ended later; None where all end as one."""
        ends = {None if side is None else self.replaced.get(side) for side in sides(metric, self.catalogue)}
        return min((at for at in ends if at is not None), default=None) if len(ends) > 1 else None

    def _untellable(self, metric: Metric) -> Callable[[Bucket], str | None]:
        """Why nothing can be said of a bucket, whatever is counted in it; None where something can."""
        parted = self._parted_at(metric)
        if parted is None and not self.kept:
            return lambda _bucket: None
        forgotten = Forgotten(metric, self.catalogue, self.calendar, self.kept, self.now)

        @cache
        def why(bucket: Bucket) -> str | None:
            if parted is not None and bucket.end > parted:
                return _PARTED.format(at=self.calendar.local(parted))
            return forgotten.why(bucket)

        return why

    def figures(self, metrics: Sequence[Metric], skip: int) -> list[tuple[int, Figure]]:
        """The rows from position `skip` on with their positions, one more than a page where there are more."""
        planned = [(metric, self._plan(metric)) for metric in metrics]
        standing = self._standing(planned)
        _bound(planned, len(standing))  # before anything is read that a refusal would be for
        groups = sorted(standing | self._beside(planned), key=_group_order)
        _bound(planned, len(groups))
        wanted = self.asked.limit + 1
        found: list[tuple[int, Figure]] = []
        before = 0
        for metric, buckets in planned:
            rows = self._rows(metric, buckets, groups, max(0, skip - before), wanted - len(found))
            found.extend((before + index, figure) for index, figure in rows)
            before += len(buckets) * len(groups)
            if len(found) >= wanted:
                break
        return found

    @cached_property
    def paying(self) -> Paying:
        """Only for questions with `compare`."""
        assert self.whole.compare is not None
        [all_of_it] = plan(self.calendar, self.whole.start, self.whole.end, "total", "instant")
        return paying(self.store, all_of_it, self.whole.compare, self.now)

    def leading(self, metrics: Sequence[Metric]) -> Leading:
        """Targets are looked up only where the comparison must not lead."""
        if self.paying.leads:
            return self.paying.leading(metrics, (), self.catalogue)
        first = self.calendar.day_of(instant(self.calendar, self.whole.start))
        tenant_id = self.store.scope.tenant_id
        aimed = targeted(self.store.conn, tenant_id, self.catalogue, metrics, self.whole, first)
        return self.paying.leading(metrics, aimed, self.catalogue)

    def _plan(self, metric: Metric) -> list[Bucket]:
        """Of metrics that are kept equally finely the same."""
        resolution = formulas.resolution(metric, self.catalogue)
        asked = self.asked
        return self.store.once(
            ("plan", resolution),
            lambda: plan(self.calendar, asked.start, asked.end, asked.grain, resolution),
        )

    def _standing(self, planned: Planned) -> set[GroupKey]:
        """The groups that accounts are in on a day of the range, or of what it is compared with."""
        grouped = set(self.asked.group_by)
        found: set[GroupKey] = set()
        for metric, buckets in planned:
            if grouped and own_dimensions_of(metric, self.catalogue) >= grouped:
                continue
            for part in filter(None, (buckets, self._earlier(metric, buckets))):
                days = self.calendar.day_of(part[0].start), self.calendar.day_of(part[-1].end)
                found |= self.store.once(("groups", *days), partial(self.store.groups, *days))
        return found

    def _beside(self, planned: Planned) -> set[GroupKey]:
        """The groups that figures are of besides: those that cases say they are in themselves, and that of what belongs to no account.

        Cohorts and states are placed by instants, which may lie before the range or before anything was heard of an account.
        """
        grouped = set(self.asked.group_by)
        found: set[GroupKey] = set()
        for metric, buckets in planned if grouped else ():
            own = own_dimensions_of(metric, self.catalogue) & grouped
            for part in filter(None, (buckets, self._earlier(metric, buckets))):
                asked = Asked(self.store, self.catalogue, metric, part, self.now)
                if own or formulas.reads_instants(metric, self.catalogue) or counts_nobodys(metric, asked):
                    found |= formulas.answer(metric, asked).keys()
        return found

    def _rows(
        self, metric: Metric, buckets: Sequence[Bucket], groups: Sequence[GroupKey], skip: int, most: int
    ) -> Iterator[tuple[int, Figure]]:
        """Nothing is computed when the page begins after this metric."""
        total = len(buckets) * len(groups)
        if skip >= total:
            return
        question = Asked(self.store, self.catalogue, metric, buckets, self.now)
        answers = formulas.answer(metric, question)
        before = self._compared(metric, buckets)
        currency = self.catalogue.settings.currency
        own = is_of_tenant(metric, self.catalogue)
        as_of, frozen = self.as_of, self.frozen_at(metric)
        if as_of is not None and frozen is not None:
            as_of = min(as_of, frozen)
        wait = settles(metric, self.catalogue)
        dresser = Dresser(self.asked, metric, currency, self.calendar, as_of, buckets, wait, own)

        untellable = self._untellable(metric)

        def value(place: tuple[int, int]) -> Value:
            reason = untellable(buckets[place[1]])
            return (
                Value(None, reason=reason)
                if reason
                else _value(answers, groups[place[0]], place[1], metric, question)
            )

        every = (divmod(index, len(buckets)) for index in range(skip, total))
        if self.asked.contributing:
            every = (place for place in every if values.contributes(metric, value(place)))
        wanted = itertools.islice(every, most)
        for number, places in itertools.groupby(wanted, key=lambda place: place[0]):
            group, its = groups[number], list(places)
            rows = [(i, value((number, i)), before(group, i)) for _, i in its]
            for (_, i), figure in zip(its, dresser.figures(group, rows), strict=True):
                yield number * len(buckets) + i, self._by_account(metric, group, figure)

    def _by_account(self, metric: Metric, group: GroupKey, figure: Figure) -> Figure:
        """What leads where the comparison must not: of what grows with the accounts the figure per paying account."""
        if self.asked.compare is None or not grows(metric, self.catalogue) or self.paying.leads:
            return figure
        return replace(
            figure,
            per_account=self.paying.per_account(group, figure.value, now=True),
            compare_per_account=self.paying.per_account(group, figure.compare_value, now=False),
        )

    def _compared(self, metric: Metric, buckets: Sequence[Bucket]) -> Any:
        """A function of group and position that gives the value compared with."""
        if self.asked.compare is None:
            return lambda _group, _position: None
        others = self._others(metric, buckets)
        present = self._earlier(metric, buckets)
        question = Asked(self.store, self.catalogue, metric, present, self.now)
        answers = formulas.answer(metric, question) if present else {}
        positions = {id(bucket): index for index, bucket in enumerate(present)}
        untellable = self._untellable(metric)

        def value(group: GroupKey, position: int) -> Any:
            other = others[position]
            if other is None or untellable(other):
                return None
            return _value(answers, group, positions[id(other)], metric, question).value

        return value

    def _others(self, metric: Metric, buckets: Sequence[Bucket]) -> list[Bucket | None]:
        """For each bucket the one it is compared with; None where there is none."""
        if self.asked.compare is None:
            return [None] * len(buckets)
        compare = self.asked.compare
        resolution = formulas.resolution(metric, self.catalogue)
        whole = covered(self.calendar, self.whole.start, self.whole.end, resolution)
        return self.store.once(
            ("compared", resolution),
            lambda: compared(self.calendar, buckets, self.asked.grain, compare, whole),
        )

    def _earlier(self, metric: Metric, buckets: Sequence[Bucket]) -> list[Bucket]:
        """The buckets that these are compared with, as far as there are any."""
        return [bucket for bucket in self._others(metric, buckets) if bucket is not None]


def _bound(planned: Planned, groups: int) -> None:
    cells = sum(len(buckets) for _, buckets in planned) * max(1, groups)
    if cells > MAX_CELLS:
        raise Rejected(
            "cells-too-many",
            f"The answer would have {cells} figures, at most {MAX_CELLS} are computed at once; ask for fewer metrics, "
            "a shorter range, a coarser grain or fewer groups",
        )


def _value(answers: ByBucket, group: GroupKey, position: int, metric: Metric, question: Asked) -> Value:
    found = formulas.value_at(answers, metric, question, group, position)
    by = question.store.scope.group_by
    if ACCOUNT in by and found.accounts is None and found.reason is None:
        return replace(found, accounts=0 if group[by.index(ACCOUNT)] is None else 1)
    return found


def _no_metric(name: str, asked: Query) -> str:
    if asked.definitions is None:
        return f"There is no metric {name[:60]!a}; GET /v1/metrics lists them"
    return (
        f"Version {asked.definitions} of the definitions has no metric {name[:60]!a}; name another version, or leave definitions out "
        "for those in force, which GET /v1/metrics lists"
    )


def _metric(catalogue: Catalogue, name: str, asked: Query) -> Metric:
    metric = catalogue.metrics.get(name)
    if metric is None:
        raise Rejected("metric-unknown", _no_metric(name, asked))
    if asked.grain == "hour" and formulas.resolution(metric, catalogue) == "day":
        raise Rejected("grain-not-available", f"{name} is kept by day; ask for grain day or coarser")
    return metric


def _check_dimensions(
    conn: Connection, tenant_id: int, catalogue: Catalogue, asked: Query, metrics: Sequence[Metric]
) -> None:
    """A dimension is a declared one, `account`, a trait that some account has had, or what cases of every metric answer."""
    for name in (*asked.group_by, *asked.filter):
        if name.startswith(PREFIX):
            _check_segment(catalogue, name, asked)
            continue
        if name in (TOP_PARENT, *catalogue.settings.dimensions) or (
            name == ACCOUNT and name not in asked.filter
        ):
            continue
        without = [metric.name for metric in metrics if not answers_itself(metric, name, catalogue)]
        if not without:
            continue
        known = conn.execute(
            "select exists (select from published.trait where tenant_id = %s and name = %s and person_id = 0)",
            (tenant_id, name),
        ).fetchone()
        if known is None or not known[0]:
            raise Rejected("dimension-unknown", _no_dimension(catalogue, name, without, len(metrics)))


def _no_dimension(catalogue: Catalogue, dimension: str, without: Sequence[str], asked: int) -> str:
    """What to ask instead: some of the metrics alone, others whose events say it themselves, or by what there is."""
    if dimension == ACCOUNT:
        return "No account has a trait 'account' that could be filtered by; to ask for some accounts alone, name them in accounts"
    if len(without) < asked:
        return (
            f"{', '.join(without)} can't be sliced by {dimension!a}, which no account has as a trait and the other metrics "
            "answer themselves; ask for those alone"
        )
    saying = [
        metric.name
        for metric in catalogue.metrics.values()
        if dimension in own_dimensions_of(metric, catalogue)
    ]
    others = f" Events say it themselves for {', '.join(sorted(saying))}." if saying else ""
    shown = ", ".join((ACCOUNT, *catalogue.settings.dimensions))
    return f"No account has a trait {dimension[:60]!a}; slice by one of {shown}, or by any trait that accounts have.{others}"


def _check_segment(catalogue: Catalogue, dimension: str, asked: Query) -> None:
    name = dimension.removeprefix(PREFIX)
    if name not in catalogue.segments:
        message = f"There is no segment {name[:60]!a}; GET /v1/segments lists them"
        raise Rejected("segment-unknown", message)
    if not all(value is None or isinstance(value, bool) for value in asked.filter.get(dimension, ())):
        message = f"filter.{dimension} is true, false or null (what belongs to no account); or name the segment in segments"
        raise Rejected("filter-invalid", message)


def measure_ids(
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


def _as_of(conn: Connection, tenant_id: int) -> tuple[dt.datetime | None, int | None]:
    """The least over partitions, None while one of them has applied nothing; and the version of the definitions in force."""
    row = conn.execute(
        """select min(applied_at), count(*) = count(applied_at),
             (select version from published.definition where tenant_id = %s and served)
           from published.progress""",
        (tenant_id,),
    ).fetchone()
    assert row is not None
    return row[0] if row[1] else None, row[2]


def _group_order(group: GroupKey) -> tuple[tuple[str, str], ...]:
    """By value; unset comes last."""
    return tuple(("2", "") if value is None else ("1", json.dumps(said(value))) for value in group)


@contextmanager
def _snapshot(conn: Connection) -> Iterator[None]:
    """One unchanging view of the database for all statements; a caller's own transaction is used as it is."""
    fresh = conn.info.transaction_status == TransactionStatus.IDLE
    with conn.transaction():
        if fresh:
            conn.execute(_SETTINGS)
        yield
