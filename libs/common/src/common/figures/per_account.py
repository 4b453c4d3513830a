"""Every account's sums at sample days: windows of N days, and running sums of deltas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from common.figures.calendar import DAY
from common.figures.cells import Store
from common.figures.columns import PerAccount


def per_account(
    store: Store,
    row: str,
    samples: Sequence[dt.date],
    window: int | None,
    offset: int = 0,
    *,
    others: bool = False,
) -> PerAccount:
    """The sum over `window` days up to each sample; all up to it where that is None. `offset`: so many days before.

    `others`: also of accounts that nobody asked for, where the question names some.
    """
    measure = store.ids.get(row)
    if measure is None:
        return PerAccount.of([], len(samples))
    only = None if others or store.slices is None else store.slices.chosen_ids
    key = ("per account", row, window, offset, only is None, *samples)
    return store.once(key, lambda: _read(store, measure, samples, window, offset, only))


def _read(
    store: Store,
    measure: int,
    samples: Sequence[dt.date],
    window: int | None,
    offset: int,
    only: list[int] | None,
) -> PerAccount:
    since = dt.date.min if window is None else samples[0] - (window + offset) * DAY
    params = store.params(
        measure=measure, samples=list(samples), since=since, last=samples[-1], offset=offset, window=window, only=only
    )  # fmt: skip
    whose = "account_id > 0" if only is None else "account_id = any(%(only)s::bigint[])"
    rows = store.read(_STEPS.format(whose=whose), params).fetchall()
    return PerAccount.of([(who, start, end, int(value)) for who, start, end, value in rows], len(samples))


_STEPS = """
select account_id, width_bucket(day + %(offset)s - 1, %(samples)s::date[]) as first_k,
  width_bucket(day + %(offset)s + %(window)s::int - 1, %(samples)s::date[]) as end_k, sum(value)
from (
  select account_id, day, value from published.measure_day
  where tenant_id = %(tenant)s and measure_id = %(measure)s and {whose}
) row
where day >= %(since)s and day + %(offset)s <= %(last)s
group by account_id, first_k, end_k"""
