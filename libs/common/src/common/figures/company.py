"""What is told of the company and of none of its accounts, such as its spend: in which slices it is known, and why not in others.

Such events belong to no account, so they have no value in any dimension but those that they answer themselves. In a slice
by another one nothing is known of them, which is not 0; all of them are in the slice without a value. A figure that is
made of them and of something else has no slice by that dimension: it would be a part over the whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from common.catalogue.models import Measure, Metric
from common.figures.asked import Asked
from common.figures.cells import Store
from common.figures.members import Scope
from common.figures.parts import leaves, measures_read, own_dimensions_of
from common.figures.slices import ACCOUNT, GroupKey


def untold(metric: Metric, asked: Asked, group: GroupKey) -> str | None:
    """Why nothing is known of a metric in a group of the question; None where something is, if only that it is 0."""
    if not asked.store.scope.reads_accounts and not metric.only:
        return None
    return asked.store.once(("untold", metric.name, group), lambda: _untold(metric, asked, group))


def counts_nobodys(metric: Metric, asked: Asked) -> bool:
    """Whether something that belongs to no account may count for the metric."""
    return any(
        _is_told(asked.store, asked.measure(name), of_accounts=False)
        for name in measures_read(metric, asked.catalogue)
    )


def _untold(metric: Metric, asked: Asked, group: GroupKey) -> str | None:
    catalogue, scope = asked.catalogue, asked.store.scope
    read = [
        (name, own_dimensions_of(leaf, catalogue))
        for leaf in leaves(metric, catalogue)
        for name in measures_read(leaf, catalogue)
    ]
    alone = len({name for name, _ in read}) == 1
    for name, own in read:
        foreign = [dimension for dimension in _dimensions(metric, scope) if dimension not in own]
        if not foreign or (alone and all(_is_without(it, metric, scope, group) for it in foreign)):
            continue
        if _is_of_company(asked, asked.measure(name)):
            return f"{name} is told of the company as a whole, not by {' and '.join(foreign)}"
    return None


def _dimensions(metric: Metric, scope: Scope) -> Iterator[str]:
    yield from dict.fromkeys((*scope.dimensions, *metric.only))
    if scope.accounts is not None and ACCOUNT not in scope.dimensions:
        yield ACCOUNT


def _is_without(dimension: str, metric: Metric, scope: Scope, group: GroupKey) -> bool:
    """Whether what has no value in a dimension is in the group, and asked for."""
    if dimension == ACCOUNT and scope.accounts is not None:
        return False
    asked_for = (scope.filter.get(dimension), metric.only.get(dimension))
    if any(wanted is not None and None not in wanted for wanted in asked_for):
        return False
    return dimension not in scope.group_by or group[scope.group_by.index(dimension)] is None


def _is_of_company(asked: Asked, measure: Measure) -> bool:
    """Whether its events need no account, and none of them has one."""
    kinds = [*measure.event_types, *(kind for step in measure.steps for kind in step.event_types)]
    if not kinds or not all(map(asked.catalogue.is_tenant_level, kinds)):
        return False
    return not _is_told(asked.store, measure, of_accounts=True)


def _is_told(store: Store, measure: Measure, *, of_accounts: bool) -> bool:
    """Whether anything of the measure is kept of accounts, or else of the company."""
    ids = [store.ids[row] for row in measure.rows if row in store.ids]
    whose = "account_id > 0" if of_accounts else "account_id = 0"

    def read() -> bool:
        table = _KEPT_IN.get(measure.agg, "measure_day")
        row = store.read(_TOLD.format(table=table, whose=whose), store.params(ids=ids)).fetchone()
        return row == (True,)

    return bool(ids) and store.once(("told of", measure.name, of_accounts), read)


_KEPT_IN = {"last": "last_value", "steps": "step"}
_TOLD = """
select exists (select from published.{table} where tenant_id = %(tenant)s and measure_id = any(%(ids)s) and {whose})"""
