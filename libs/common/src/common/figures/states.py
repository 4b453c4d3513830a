"""States of accounts at instants or on days, counted by group: the statements for MRR, NPS by account and last values.

An account's state is a step function over positions; a slice is an interval of positions. Their overlaps are pieces, and
a piece counts from its start to its end. What comes back are sums over pieces at every position.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

from common.figures.cells import WHOLE, Store, arrays, slice_table
from common.figures.slices import GroupKey, Span

ZERO = Decimal(0)
Sums = dict[GroupKey, list[tuple[Decimal, ...]]]


@dataclass(frozen=True, slots=True)
class Moves:
    """What became of a group's accounts between two instants. Money at the rates of the first, and numbers of accounts.

    `cohort_change` and `kept_change`: what accounts with MRR at the start gained or lost, and what they lost only. `fx`: what
    is paid at the second one is worth more by then. `lost` and what follows it are numbers of accounts.
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
    new_accounts: Decimal = ZERO
    reactivation_accounts: Decimal = ZERO
    expansion_accounts: Decimal = ZERO
    contraction_accounts: Decimal = ZERO
    transfer_in_accounts: Decimal = ZERO
    transfer_out_accounts: Decimal = ZERO
    fx: Decimal = ZERO
    fx_accounts: Decimal = ZERO

    @property
    def churned_accounts(self) -> Decimal:
        return self.lost

    @property
    def net_new_accounts(self) -> Decimal:
        """Those of which any movement is one."""
        return (
            self.new_accounts + self.reactivation_accounts + self.expansion_accounts + self.contraction_accounts
            + self.lost + self.transfer_in_accounts + self.transfer_out_accounts
        )  # fmt: skip


def nps_by_account(store: Store, measure: str, samples: Sequence[dt.date]) -> Sums:
    """Per group and sample: accounts with more promoters than detractors, with fewer, with any answer."""
    ids = {part: store.ids.get(f"{measure}_{part}", -1) for part in ("promoters", "detractors", "answers")}
    more = {"samples": list(samples), "last": samples[-1], "measures": list(ids.values()), **ids}
    return store.once(("nps", measure, *samples), lambda: _sums(store, _NPS, 3, more, samples))


def last_values(store: Store, measure: str, samples: Sequence[dt.date]) -> Sums:
    """Per group and sample: the sum of each account's last value up to the sample's end, who has one, and accounts that do.

    What belongs to no account, such as a figure that the tenant reports, is in the first two.
    """
    more = {"samples": list(samples), "last": samples[-1], "measure": store.ids.get(measure, -1)}
    return store.once(("last", measure, *samples), lambda: _sums(store, _LAST, 3, more, samples))


def mrr_levels(store: Store, instants: Sequence[dt.datetime]) -> Sums:
    """Per group and instant: MRR of everything strictly before it, and the number of accounts that have any."""
    more = {"instants": list(instants), "last": instants[-1]}
    return store.once(("mrr", *instants), lambda: _sums(store, _MRR, 2, more, instants))


def mrr_moves(store: Store, instants: Sequence[dt.datetime]) -> dict[GroupKey, dict[int, Moves]]:
    """Position i: each account's net change between instants[i] and instants[i + 1], by kind; absent where nothing moved."""
    return store.once(("moves", *instants), lambda: _moves(store, instants))


def _moves(store: Store, instants: Sequence[dt.datetime]) -> dict[GroupKey, dict[int, Moves]]:
    found: dict[GroupKey, dict[int, Moves]] = defaultdict(dict)
    more = {"instants": list(instants), "last": instants[-1]}
    for g, k, *numbers in _rows(store, _MRR, _MOVES, more, instants):
        found[_key(store, g)][int(k)] = Moves(*map(Decimal, numbers))
    return found


def _sums(store: Store, pieces: str, width: int, more: dict[str, Any], positions: Sequence[Any]) -> Sums:
    """Edges of pieces, summed up to every position."""
    edges: dict[GroupKey, list[list[Decimal]]] = {}
    for g, k, *numbers in _rows(store, pieces, _edges(width), more, positions):
        group = edges.setdefault(_key(store, g), [[ZERO] * width for _ in positions])
        group[int(k)] = [Decimal(number) for number in numbers]
    return {group: list(accumulate(map(tuple, rows), _add)) for group, rows in edges.items()}


def _rows(
    store: Store, pieces: str, rest: str, more: dict[str, Any], positions: Sequence[Any]
) -> Iterable[Any]:
    params = store.params(n=len(positions), **more)
    if store.slices is None:
        return store.read(f"with {_EVERYBODY}, {pieces}{rest}", params)
    spans: Iterable[Span[int]] = (
        store.slices.by_instant(positions) if "instants" in more else store.slices.by_sample(positions)
    )
    every = [*spans]
    if store.slices.nobodys is not None:
        every.append(Span(0, 0, len(positions), store.slices.nobodys))
    slices = f"slice as materialized (select account_id, g, lo, hi from {slice_table('int')})"
    return store.read(f"with {slices}, {pieces}{rest}", params | arrays(every))


def _key(store: Store, number: int) -> GroupKey:
    return WHOLE if store.slices is None else store.slices.keys[number]


def _add(one: tuple[Decimal, ...], other: Iterable[Decimal]) -> tuple[Decimal, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _edges(width: int) -> str:
    """From `piece(g, lo, hi, n0, n1, ...)`: what begins less what ends, by group and position."""
    plus = ", ".join(f"n{i}" for i in range(width))
    minus = ", ".join(f"-n{i}" for i in range(width))
    totals = ", ".join(f"sum(n{i})" for i in range(width))
    return f""", edge as (
  select g, lo as k, {plus} from piece
  union all
  select g, hi, {minus} from piece where hi < %(n)s
)
select g, k, {totals} from edge group by g, k"""


_EVERYBODY = """slice as materialized (
  select account_id, 0 as g, 0 as lo, %(n)s::int as hi from published.account where tenant_id = %(tenant)s
  union all select 0, 0, 0, %(n)s::int
)"""

_NPS = """step as (
  select account_id, width_bucket(day - 1, %(samples)s::date[]) as k,
    coalesce(sum(value) filter (where measure_id = %(promoters)s), 0)
      - coalesce(sum(value) filter (where measure_id = %(detractors)s), 0) as net,
    coalesce(sum(value) filter (where measure_id = %(answers)s), 0) as answers
  from published.measure_day
  where tenant_id = %(tenant)s and measure_id = any(%(measures)s) and day <= %(last)s
    and account_id in (select account_id from slice)
  group by account_id, k
), state as (
  select account_id, k, lead(k, 1, %(n)s::int) over w as k_to, sum(net) over w as net, sum(answers) over w as answers
  from step window w as (partition by account_id order by k)
), piece as (
  select slice.g, greatest(state.k, slice.lo) as lo, least(state.k_to, slice.hi) as hi,
    (net > 0)::int as n0, (net < 0)::int as n1, 1 as n2
  from state join slice on slice.account_id = state.account_id and slice.lo < state.k_to and state.k < slice.hi
  where answers > 0
)"""

_LAST = """step as (
  select distinct on (account_id, k) account_id, k, value from (
    select account_id, day, width_bucket(day - 1, %(samples)s::date[]) as k, value
    from published.last_value where tenant_id = %(tenant)s and measure_id = %(measure)s and day <= %(last)s
    and account_id in (select account_id from slice)
  ) row order by account_id, k, day desc
), state as (
  select account_id, k, lead(k, 1, %(n)s::int) over (partition by account_id order by k) as k_to, value from step
), piece as (
  select slice.g, greatest(state.k, slice.lo) as lo, least(state.k_to, slice.hi) as hi, value as n0, 1 as n1,
    (state.account_id > 0)::int as n2
  from state join slice on slice.account_id = state.account_id and slice.lo < state.k_to and state.k < slice.hi
)"""

# first_k: the first position by which the account had ever had MRR. Without it "new" and "returned" look alike.
_MRR = """change as (
  select account_id, at, width_bucket(at, %(instants)s::timestamptz[]) as k, delta,
    sum(delta) over (partition by account_id order by at) as after
  from published.mrr_change where tenant_id = %(tenant)s and at < %(last)s
    and account_id in (select account_id from slice)
), step as (
  select account_id, k, sum(delta) as delta, min(k) filter (where after > 0) as paid_k from change group by account_id, k
), state as (
  select account_id, k, lead(k, 1, %(n)s::int) over w as k_to, sum(delta) over w as mrr,
    sum(delta) over w - delta as mrr_before, min(paid_k) over (partition by account_id) as first_k
  from step window w as (partition by account_id order by k)
), piece as (
  select slice.g, state.account_id, greatest(state.k, slice.lo) as lo, least(state.k_to, slice.hi) as hi, mrr as n0, 1 as n1
  from state join slice on slice.account_id = state.account_id and slice.lo < state.k_to and state.k < slice.hi
  where mrr > 0
)"""

# A move at position k is between instants k - 1 and k. What an account with MRR did counts in the slice it was in at the
# start, what came newly in the slice it is in at the end; an account that changed slices meanwhile is carried over by
# transfers of what it has at the end, so that start + movements = end holds in every slice. Neighbouring slices of an
# account differ, so that each of their edges is a crossing.
_MOVES = """, move as (
  select account_id, k, greatest(mrr_before, 0) as was, greatest(mrr, 0) as now, first_k from state
  where k >= 1 and greatest(mrr, 0) <> greatest(mrr_before, 0)
), crossing as (
  select account_id, g, lo as k, true as entering from slice where lo > 0
  union all
  select account_id, g, hi, false from slice where hi < %(n)s
), transfer as (
  select crossing.g, crossing.k, crossing.entering, now.mrr as amount
  from crossing
  join state now on now.account_id = crossing.account_id and now.k <= crossing.k and crossing.k < now.k_to
  join state was on was.account_id = crossing.account_id and was.k < crossing.k and crossing.k <= was.k_to
  where now.mrr > 0 and was.mrr > 0
), placed(g, k, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15) as (
  select slice.g, move.k, 0, 0,
    case when now > 0 then greatest(now - was, 0) else 0 end, case when now > 0 then greatest(was - now, 0) else 0 end,
    case when now = 0 then was else 0 end, now - was, least(now - was, 0), (now = 0)::int, 0, 0, 0, 0,
    (now > was)::int, (now > 0 and now < was)::int, 0, 0
  from move join slice on slice.account_id = move.account_id and slice.lo < move.k and move.k <= slice.hi
  where was > 0
  union all
  select slice.g, move.k, case when first_k >= move.k then now else 0 end, case when first_k >= move.k then 0 else now end,
    0, 0, 0, 0, 0, 0, 0, 0, (first_k >= move.k)::int, (first_k < move.k)::int, 0, 0, 0, 0
  from move join slice on slice.account_id = move.account_id and slice.lo <= move.k and move.k < slice.hi
  where was = 0
  union all
  select g, k, 0, 0, 0, 0, 0, 0, 0, 0, case when entering then amount else 0 end, case when entering then 0 else amount end,
    0, 0, 0, 0, entering::int, (not entering)::int
  from transfer
)
select g, k - 1, sum(n0), sum(n1), sum(n2), sum(n3), sum(n4), sum(n5), sum(n6), sum(n7), sum(n8), sum(n9),
  sum(n10), sum(n11), sum(n12), sum(n13), sum(n14), sum(n15)
from placed group by g, k"""
