"""States of accounts at instants or on days, counted by group: the statements for MRR, NPS by account and last values.

An account's state is a step function over positions; a slice is an interval of positions. Their overlaps are pieces, and
a piece counts from its start to its end. What comes back are sums over pieces at every position.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import accumulate

from common.figures.cells import Store
from common.figures.slices import GroupKey, Scope

ZERO = Decimal(0)
Sums = dict[GroupKey, list[tuple[Decimal, ...]]]


@dataclass(frozen=True, slots=True)
class Moves:
    """What became of a group's accounts between two neighbouring instants. Money, except `lost`.

    `cohort_change` and `kept_change`: what accounts with MRR at the start gained or lost, and lost only.
    """

    new: Decimal = ZERO
    reactivation: Decimal = ZERO
    expansion: Decimal = ZERO
    contraction: Decimal = ZERO
    churned: Decimal = ZERO
    cohort_change: Decimal = ZERO
    kept_change: Decimal = ZERO
    lost: Decimal = ZERO
    transfer_in: Decimal = ZERO
    transfer_out: Decimal = ZERO

    def plus(self, other: Moves) -> Moves:
        return Moves(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def nps_by_account(store: Store, measure: str, samples: Sequence[dt.date]) -> Sums:
    """Per group and sample: accounts with more promoters than detractors, with fewer, with any answer."""
    ids = {part: store.ids.get(f"{measure}_{part}", -1) for part in ("promoters", "detractors", "answers")}
    params = store.scope.params(samples=list(samples), last=samples[-1], measures=list(ids.values()), **ids)
    return _sums(
        store,
        _NPS.format(slices=store.scope.slices("sample"), edges=_edges(store.scope, 3)),
        params,
        len(samples),
        3,
    )


def last_values(store: Store, measure: str, samples: Sequence[dt.date]) -> Sums:
    """Per group and sample: the sum of each account's last value up to the sample's end, and the accounts that have one."""
    params = store.scope.params(samples=list(samples), last=samples[-1], measure=store.ids.get(measure, -1))
    statement = _LAST.format(slices=store.scope.slices("sample"), edges=_edges(store.scope, 2))
    return _sums(store, statement, params, len(samples), 2)


def mrr_levels(store: Store, instants: Sequence[dt.datetime]) -> Sums:
    """Per group and instant: MRR of everything strictly before it, and the number of accounts that have any."""
    params = store.scope.params(instants=list(instants), last=instants[-1])
    statement = _MRR.format(slices=store.scope.slices("instant")) + ", " + _edges(store.scope, 2)
    return _sums(store, statement, params, len(instants), 2)


def mrr_moves(store: Store, instants: Sequence[dt.datetime]) -> dict[GroupKey, dict[int, Moves]]:
    """Position i: each account's net change between instants[i] and instants[i + 1], by kind; absent where nothing moved."""
    params = store.scope.params(instants=list(instants), last=instants[-1])
    statement = _MRR.format(slices=store.scope.slices("instant")) + _MOVES.format(
        values=store.scope.values, names=names(store.scope)
    )
    found: dict[GroupKey, dict[int, Moves]] = defaultdict(dict)
    for k, *rest in store.conn.execute(statement, params):
        numbers, values = rest[:10], rest[10:]
        found[store.scope.key(values)][int(k)] = Moves(*map(Decimal, numbers))
    return found


def names(scope: Scope) -> str:
    return f"join (select distinct g{scope.values} from slice) named using (g)" if scope.group_by else ""


def _sums(store: Store, statement: str, params: dict[str, object], positions: int, width: int) -> Sums:
    """Edges of pieces summed up to every position."""
    edges: dict[GroupKey, list[list[Decimal]]] = {}
    for k, *rest in store.conn.execute(statement, params):
        group = edges.setdefault(store.scope.key(rest[width:]), [[ZERO] * width for _ in range(positions)])
        group[int(k)] = [Decimal(number) for number in rest[:width]]
    return {group: list(accumulate(map(tuple, rows), _add)) for group, rows in edges.items()}


def _add(one: tuple[Decimal, ...], other: Iterable[Decimal]) -> tuple[Decimal, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _edges(scope: Scope, width: int) -> str:
    """From `piece(g, lo, hi, n0, n1, ...)` and `size(n)`: what begins less what ends, by group and position."""
    plus = ", ".join(f"n{i}" for i in range(width))
    minus = ", ".join(f"-n{i}" for i in range(width))
    totals = ", ".join(f"sum(n{i})" for i in range(width))
    return f"""edge as (
  select g, lo as k, {plus} from piece
  union all
  select g, hi, {minus} from piece, size where hi < size.n
), cell(g, k, {plus}) as (select g, k, {totals} from edge group by g, k)
select k, {plus}{scope.values} from cell {names(scope)}"""


_NPS = """with {slices}, size(n) as (select cardinality(%(samples)s::date[])), step as (
  select account_id, width_bucket(day - 1, %(samples)s::date[]) as k,
    coalesce(sum(value) filter (where measure_id = %(promoters)s), 0)
      - coalesce(sum(value) filter (where measure_id = %(detractors)s), 0) as net,
    coalesce(sum(value) filter (where measure_id = %(answers)s), 0) as answers
  from published.measure_day
  where tenant_id = %(tenant)s and measure_id = any(%(measures)s) and day <= %(last)s
  group by account_id, k
), state as (
  select account_id, k, lead(k, 1, (select n from size)) over w as k_to, sum(net) over w as net, sum(answers) over w as answers
  from step window w as (partition by account_id order by k)
), piece as (
  select slice.g, greatest(state.k, slice.lo) as lo, least(state.k_to, slice.hi) as hi,
    (net > 0)::int as n0, (net < 0)::int as n1, 1 as n2
  from state join slice on slice.account_id = state.account_id and slice.lo < state.k_to and state.k < slice.hi
  where answers > 0
), {edges}"""

_LAST = """with {slices}, size(n) as (select cardinality(%(samples)s::date[])), step as (
  select distinct on (account_id, k) account_id, k, value from (
    select account_id, day, width_bucket(day - 1, %(samples)s::date[]) as k, value
    from published.last_value where tenant_id = %(tenant)s and measure_id = %(measure)s and day <= %(last)s
  ) row order by account_id, k, day desc
), state as (
  select account_id, k, lead(k, 1, (select n from size)) over (partition by account_id order by k) as k_to, value from step
), piece as (
  select slice.g, greatest(state.k, slice.lo) as lo, least(state.k_to, slice.hi) as hi, value as n0, 1 as n1
  from state join slice on slice.account_id = state.account_id and slice.lo < state.k_to and state.k < slice.hi
), {edges}"""

# first_k: the first position by which the account had ever had MRR. Without it "new" and "returned" look alike.
_MRR = """with {slices}, size(n) as (select cardinality(%(instants)s::timestamptz[])), change as (
  select account_id, at, width_bucket(at, %(instants)s::timestamptz[]) as k, delta,
    sum(delta) over (partition by account_id order by at) as after
  from published.mrr_change join account using (account_id) where tenant_id = %(tenant)s and at < %(last)s
), step as (
  select account_id, k, sum(delta) as delta, min(k) filter (where after > 0) as paid_k from change group by account_id, k
), state as (
  select account_id, k, lead(k, 1, (select n from size)) over w as k_to, sum(delta) over w as mrr,
    sum(delta) over w - delta as mrr_before, min(paid_k) over (partition by account_id) as first_k
  from step window w as (partition by account_id order by k)
), piece as (
  select slice.g, state.account_id, greatest(state.k, slice.lo) as lo, least(state.k_to, slice.hi) as hi, mrr as n0, 1 as n1
  from state join slice on slice.account_id = state.account_id and slice.lo < state.k_to and state.k < slice.hi
  where mrr > 0
)"""

# A move at position k is between instants k - 1 and k. What an account with MRR did counts in the slice it was in at the
# start, what came newly in the slice it is in at the end; an account that changed slices meanwhile is carried over by
# transfers of what it has at the end, so that start + movements = end holds in every slice.
_MOVES = """, move as (
  select account_id, k, greatest(mrr_before, 0) as was, greatest(mrr, 0) as now, first_k from state
  where k >= 1 and greatest(mrr, 0) <> greatest(mrr_before, 0)
), span as (
  select account_id, g, lo, hi, lag(hi) over w as earlier_hi, lag(g) over w as earlier_g, lead(lo) over w as later_lo,
    lead(g) over w as later_g
  from slice window w as (partition by account_id order by lo)
), crossing as (
  select account_id, g, lo as k, true as entering from span where lo >= 1 and (earlier_hi = lo and earlier_g = g) is not true
  union all
  select account_id, g, hi, false from span, size where hi < size.n and (later_lo = hi and later_g = g) is not true
), transfer as (
  select crossing.g, crossing.k, crossing.entering, now.mrr as amount
  from crossing
  join state now on now.account_id = crossing.account_id and now.k <= crossing.k and crossing.k < now.k_to
  join state was on was.account_id = crossing.account_id and was.k < crossing.k and crossing.k <= was.k_to
  where now.mrr > 0 and was.mrr > 0
), placed(g, k, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9) as (
  select slice.g, move.k, 0, 0,
    case when now > 0 then greatest(now - was, 0) else 0 end, case when now > 0 then greatest(was - now, 0) else 0 end,
    case when now = 0 then was else 0 end, now - was, least(now - was, 0), (now = 0)::int, 0, 0
  from move join slice on slice.account_id = move.account_id and slice.lo < move.k and move.k <= slice.hi
  where was > 0
  union all
  select slice.g, move.k, case when first_k >= move.k then now else 0 end, case when first_k >= move.k then 0 else now end,
    0, 0, 0, 0, 0, 0, 0, 0
  from move join slice on slice.account_id = move.account_id and slice.lo <= move.k and move.k < slice.hi
  where was = 0
  union all
  select g, k, 0, 0, 0, 0, 0, 0, 0, 0, case when entering then amount else 0 end, case when entering then 0 else amount end
  from transfer
), cell as (
  select g, k - 1 as k, sum(n0) as n0, sum(n1) as n1, sum(n2) as n2, sum(n3) as n3, sum(n4) as n4, sum(n5) as n5,
    sum(n6) as n6, sum(n7) as n7, sum(n8) as n8, sum(n9) as n9
  from placed group by g, k
)
select k, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9{values} from cell {names}"""
