"""Tells of single events of an account whether they count for a figure, and as what: the statements and the test.

What the engine keeps of an event names it by (source, id); steps of which only the first is kept are named by their instant.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import psycopg

from common.catalogue.cel import Condition, compile_event
from common.catalogue.lifecycles import FIRST_SEEN
from common.catalogue.models import Catalogue, Measure
from common.contracts.shown import event_of
from common.errors import Rejected
from common.figures.anew import by_case, by_person
from common.figures.behind import LAPSE, Reads, counted_types
from common.figures.own_staff import counted, params_of
from common.figures.recorded import period_of

MOST_KEPT = 20_000  # of one account and one reading: more is a shorter question's
_SUBSCRIPTIONS = tuple(f"subscription.{kind}" for kind in ("started", "changed", "renewed", "cancelled"))
_TRAITS = ("account.created", "account.updated", "account.closed")
_ANSWER = "survey.responded"
_TICK = dt.timedelta(microseconds=1)
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """`part`: value, numerator, denominator, start, end, ..., or the metric that a derived figure is made of."""

    part: str
    measure: str | None
    step: str | None = None


@dataclass(frozen=True)
class Evidence:
    """Of one account. `internal`: its people who don't count. Kept events by name, or by instant and type where they have none."""

    catalogue: Catalogue
    reads: Sequence[Reads]
    internal: frozenset[str]
    by_name: Mapping[tuple[str, str], list[Counts]] = field(default_factory=dict)
    by_instant: Mapping[tuple[dt.datetime, str], list[Counts]] = field(default_factory=dict)
    first_at: Mapping[dt.datetime, list[Counts]] = field(default_factory=dict)
    oldest: dt.datetime | None = None
    """No event before it counts; None: unknown."""
    newest: dt.datetime | None = None
    """No event from then on counts; None: none does."""
    kept_from: dt.datetime | None = None
    """Events that arrived before it were deleted for their age; None: all are kept."""

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The types that may count; empty where any may."""
        found: set[str] = set()
        for read in self.reads:
            types = self._types(read)
            if types is None:
                return ()
            found |= types
        return tuple(sorted(found))

    def of(self, event_type: str, at: dt.datetime, body: bytes) -> list[Counts]:
        """As what an event counts, each once; empty: not at all."""
        event = event_of(body)
        found = list(self.by_name.get((str(event.get("source")), str(event.get("id"))), ()))
        found += self.by_instant.get((at, event_type), ())
        found += self.first_at.get(at, ())
        data = event.get("data")
        data = data if isinstance(data, dict) else {}
        readable = _is_readable(body)
        for read in self.reads:
            if read.kept == "events" and (read.first is None or read.first <= at) and at < read.last:
                assert read.measure is not None
                measure = self.catalogue.measures[read.measure]
                if (readable or measure.where is None) and self._is_counted(measure, event_type, data):
                    found.append(Counts(read.part, read.measure))
        return list(dict.fromkeys(found))

    def _is_counted(self, measure: Measure, event_type: str, data: Mapping[str, Any]) -> bool:
        types = counted_types(measure)
        if types and event_type not in types:
            return False
        if measure.activity and not self.catalogue.is_activity(event_type):
            return False
        person = data.get("user")
        if measure.exclude_internal and person in self.internal:
            return False
        if measure.agg == "distinct" and measure.field in (None, "data.user") and not person:
            return False
        if measure.field not in (None, "data.user") and _at(data, measure.field or "") is None:
            return False
        condition = self._conditions.get(measure.name)
        return condition is None or condition.for_event(event_type, data) is True

    @cached_property
    def _conditions(self) -> Mapping[str, Condition]:
        names = {read.measure for read in self.reads if read.kept == "events"}
        wheres = {name: self.catalogue.measures[name].where for name in names if name is not None}
        return {name: compile_event(where) for name, where in wheres.items() if where}

    def _types(self, read: Reads) -> frozenset[str] | None:
        if read.kept == "first":
            return None
        if read.kept in ("subscriptions", "seats"):
            return frozenset(_SUBSCRIPTIONS)
        if read.kept == "answers":
            return frozenset((_ANSWER,))
        if read.kept == "traits":
            return frozenset(_TRAITS)
        assert read.measure is not None
        measure = self.catalogue.measures[read.measure]
        if read.kept == "steps":
            return frozenset(kind for step in measure.steps for kind in step.event_types)
        return counted_types(measure) or None


def _is_readable(body: bytes) -> bool:
    """Whether conditions could be asked of it: not of a number beyond all doubles."""
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return True


def _at(data: Mapping[str, Any], path: str) -> object:
    found: object = data
    for step in path.removeprefix("data.").split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def evidence(
    conn: Connection,
    tenant_id: int,
    catalogue: Catalogue,
    account_id: int,
    reads: Sequence[Reads],
    ids: Mapping[str, int],
    now: dt.datetime,
) -> Evidence:
    """Reads what the engine kept of an account's events. `ids` of stored rows. Raises Rejected where that is too much."""
    by_name: dict[tuple[str, str], list[Counts]] = defaultdict(list)
    by_instant: dict[tuple[dt.datetime, str], list[Counts]] = defaultdict(list)
    first_at: dict[dt.datetime, list[Counts]] = defaultdict(list)
    oldest = [read.first for read in reads if read.kept == "events"]
    newest = [read.last for read in reads if read.kept == "events"]
    for read in reads:
        rows = _kept(conn, tenant_id, account_id, read, ids, catalogue, now)
        oldest += [row.at for row in rows]
        newest += [row.at + _TICK for row in rows]
        for row in rows:
            counts = Counts(read.part, read.measure, row.step)
            if read.kept == "first":
                first_at[row.at].append(counts)
            elif row.source:
                by_name[row.source, row.event_id].append(counts)
            else:
                for kind in _types_of(catalogue.measures[read.measure or ""], row.step):
                    by_instant[row.at, kind].append(counts)
    statement = "select person from published.person where tenant_id = %s and account_id = %s and is_internal"
    internal = frozenset(row[0] for row in conn.execute(statement, (tenant_id, account_id)))
    least = None if any(at is None for at in oldest) else min((at for at in oldest if at), default=None)
    return Evidence(
        catalogue, reads, internal, by_name, by_instant, first_at, least, max(newest, default=None)
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    at: dt.datetime
    source: str
    event_id: str
    step: str | None
    labels: Mapping[str, str] | None = None


def _types_of(measure: Measure, step: str | None) -> set[str]:
    return {kind for rule in measure.steps if rule.name in (step, None) for kind in rule.event_types}


def _kept(
    conn: Connection,
    tenant_id: int,
    account_id: int,
    read: Reads,
    ids: Mapping[str, int],
    catalogue: Catalogue,
    now: dt.datetime,
) -> list[_Kept]:
    if read.kept == "events":
        return []
    params = {
        "tenant": tenant_id, "account": account_id, "first": read.first, "last": read.last, "now": now, "lapse": LAPSE,
        "measure": ids.get(f"{read.measure}_steps", -1), "steps": list(read.steps), "started": list(read.of_started),
        "first_of": [] if read.of_started else list(read.first_of), "started_by": list(read.first_of) if read.of_started else [],
        "label": read.labelled_by_then, "anybody": FIRST_SEEN in read.of_started, "open": list(read.still_open), "kind": read.kind, "trait": read.trait,
        "survey": read.survey, "lowest": read.scores[0], "highest": read.scores[1],
        "latest": read.latest, "by_wave": read.by_wave, "dated": read.period is None, "limit": MOST_KEPT + 1, **params_of(catalogue.measures.get(read.measure or ""), catalogue),
    }  # fmt: skip
    measure = catalogue.measures.get(read.measure or "")
    by_cases = read.of_started or read.still_open or read.first_of
    if measure and by_cases and any(step.new_case for step in measure.steps):
        taken = [_Taken(*row) for row in conn.execute(_CASES, params)]
        rows = [_Kept(one.at, one.source, one.event_id, one.step) for one in _of_cases(read, measure, taken)]
    else:
        kept = (_Kept(*row) for row in conn.execute(_STATEMENTS[read.kept], params))
        rows = [row for row in kept if _said(read, row)]
    if len(rows) > MOST_KEPT:
        raise Rejected(
            "evidence-too-much",
            f"more than {MOST_KEPT} events of this account count; ask for a shorter range",
        )
    return rows


@dataclass(frozen=True, slots=True)
class _Taken:
    entity: str
    person_id: int
    at: dt.datetime
    source: str
    event_id: str
    step: str


def _of_cases(read: Reads, measure: Measure, taken: Sequence[_Taken]) -> Iterator[_Taken]:
    """The steps of cases that started in the span, or are open at its end, of all steps of an account in order."""
    entities: dict[str, list[_Taken]] = defaultdict(list)
    for one in taken:
        entities[one.entity].append(one)
    for its in entities.values():
        for case in by_person(measure, its, read.of_started) if read.by_person else by_case(measure, its):
            started = next((one for one in case if one.step in read.of_started), None)
            if read.of_started and (started is None or not _is_in_span(read, started.at)):
                continue
            if any(one.step in read.still_open and one.at < read.last for one in case):
                continue
            firsts = [one for one in case if one.step in read.first_of][:1]
            for one in firsts if read.first_of and not read.of_started else case:
                if one.step in read.steps and (read.of_started or _is_in_span(read, one.at)):
                    yield one


def _is_in_span(read: Reads, at: dt.datetime) -> bool:
    return (read.first is None or read.first <= at) and at < read.last


def _said(read: Reads, row: _Kept) -> bool:
    """By the labels of a step: whether it has the one that is asked for, and is for days that are."""
    labels = row.labels or {}
    if read.labelled is not None and read.labelled not in labels:
        return False
    if read.period is None or read.first is None:
        return True
    period = period_of(labels, read.period)
    if period is None:
        return read.first <= row.at < read.last
    first, end = (dt.datetime.combine(day, dt.time(), read.zone) for day in period)
    return first < read.last and read.first < end


_CASES = f"""
select s.entity, s.person_id, s.at, s.source, s.event_id, s.step from published.step s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.account_id = %(account)s and ({counted("s")})
order by s.at, s.source collate "C", s.event_id collate "C" limit %(limit)s"""
_IN_SPAN = "(%(first)s::timestamptz is null or {at} >= %(first)s) and {at} < %(last)s"
_STEP_SPAN = _IN_SPAN.format(at="coalesce(s.acts_at, s.at)")


def _order(row: str) -> str:
    return f'({row}.at, {row}.source collate "C", {row}.event_id collate "C")'


def _first(row: str, steps: str) -> str:
    """That the entity of a row took none of these steps before."""
    return f"""not exists (
    select from published.step f
    where f.tenant_id = %(tenant)s and f.measure_id = %(measure)s and f.account_id = %(account)s and f.entity = {row}.entity
      and f.step = any(%({steps})s::text[]) and ({counted("f")}) and {_order("f")} < {_order(row)})"""


_STATEMENTS: Mapping[str, str] = {
    "steps": f"""
with labelled as (
  select distinct on (l.entity) l.entity, l.at, l.source, l.event_id from published.step l
  where l.tenant_id = %(tenant)s and l.measure_id = %(measure)s and l.account_id = %(account)s and ({counted("l")})
    and l.labels ? %(label)s::text
  order by l.entity, l.at, l.source collate "C", l.event_id collate "C")
select s.at, s.source, s.event_id, s.step, s.labels from published.step s left join labelled l on l.entity = s.entity
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.account_id = %(account)s
  and ({counted("s")}) and (cardinality(%(steps)s::text[]) = 0 or s.step = any(%(steps)s))
  and case when cardinality(%(started)s::text[]) = 0 then not %(dated)s or ({_STEP_SPAN}) else %(anybody)s or s.entity in (
    select b.entity from published.step b
    where b.tenant_id = %(tenant)s and b.measure_id = %(measure)s and b.account_id = %(account)s and b.step = any(%(started)s)
      and ({counted("b")}) and {_IN_SPAN.format(at="coalesce(b.acts_at, b.at)")} and {_first("b", "started_by")}) end
  and {_first("s", "first_of")} and (%(label)s::text is null or {_order("l")} <= {_order("s")})
  and not exists (
    select from published.step e
    where e.tenant_id = %(tenant)s and e.measure_id = %(measure)s and e.account_id = %(account)s and e.entity = s.entity
      and e.step = any(%(open)s::text[]) and ({counted("e")}) and coalesce(e.acts_at, e.at) < %(last)s)
limit %(limit)s""",
    # A term that ended and was not renewed takes effect at its end, once it has lapsed, without an event of its own. A fee alone renews nothing.
    "subscriptions": f"""
select c.event_at, c.source, c.event_id, c.kind from published.subscription_change c
where c.tenant_id = %(tenant)s and c.account_id = %(account)s and (({_IN_SPAN.format(at="c.effective_at")}) or (
  ({_IN_SPAN.format(at="c.term_end")}) and c.term_end + %(lapse)s <= %(now)s and not exists (
    select from published.subscription_change l
    where l.tenant_id = c.tenant_id and l.account_id = c.account_id and l.subscription = c.subscription
      and (l.kind <> 'changed' or l.term_end is not null) and l.effective_at < c.term_end + %(lapse)s
      and (l.effective_at, l.event_at, l.source collate "C", l.event_id collate "C")
        > (c.effective_at, c.event_at, c.source collate "C", c.event_id collate "C"))))
limit %(limit)s""",
    # Only where the trait doesn't say how many.
    "seats": """
select c.event_at, c.source, c.event_id, c.kind from published.subscription_change c
where c.tenant_id = %(tenant)s and c.account_id = %(account)s and (c.seats is not null or c.kind = 'cancelled')
  and c.effective_at < %(last)s and coalesce((
    select t.value #>> '{}' !~ '^-?[0-9]' from published.trait t
    where t.tenant_id = c.tenant_id and t.account_id = c.account_id and t.person_id = 0 and t.name = 'seats' and t.at < %(last)s
    order by t.at desc, t.source collate "C" desc, t.event_id collate "C" desc limit 1), true)
limit %(limit)s""",
    "answers": f"""
select answered_at, source, event_id, null from (
  select a.*, row_number() over (
    partition by a.person_id, case when %(by_wave)s then a.survey end, case when %(by_wave)s then a.wave end
    order by a.answered_at desc, a.source collate "C" desc, a.event_id collate "C" desc) as back
  from published.answer a
  where a.tenant_id = %(tenant)s and a.account_id = %(account)s and a.kind = %(kind)s
    and (%(survey)s::text is null or a.survey = %(survey)s)
    and (%(lowest)s::numeric is null or a.score between %(lowest)s and %(highest)s)
    and (not %(latest)s or not a.transactional) and {_IN_SPAN.format(at="a.answered_at")}
    and a.person_id not in (
      select p.person_id from published.person p
      where p.tenant_id = %(tenant)s and p.account_id = %(account)s and p.is_internal)
) a where not %(latest)s or back = 1 limit %(limit)s""",
    "traits": """
select t.at, t.source, t.event_id, t.name from published.trait t
where t.tenant_id = %(tenant)s and t.account_id = %(account)s and t.person_id = 0 and t.name = %(trait)s and t.at < %(last)s
  and (%(first)s::timestamptz is null or t.at >= %(first)s)
order by t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
limit case when %(first)s::timestamptz is null then 1 else %(limit)s end""",
    "first": f"""
select first_event_at, '', '', null from published.account_seen
where tenant_id = %(tenant)s and account_id = %(account)s and {_IN_SPAN.format(at="first_event_at")}""",
}
