"""Who came back for more, and what was settled without anybody's help."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from common.catalogue.economics import Repeated, Unaided
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.cases import Moment, moments
from common.figures.instants import instant, micros
from common.figures.lifecycles import windowed
from common.figures.model import Value
from common.figures.placing import Labels, placing
from common.figures.runs import Run, accounts_of, by_bucket, grouped
from common.figures.slices import GroupKey

Formula = Unaided | Repeated
PURCHASES = (Unaided, Repeated)


def answer(formula: Formula, asked: Asked) -> ByBucket:
    if isinstance(formula, Repeated):
        return _repeated(formula, asked)
    return windowed(formula, asked, _unaided)


def empty(formula: Formula) -> Value:
    return values.estimated_share(0, 0, min_n=formula.min_n)


def _unaided(formula: Unaided, asked: Asked) -> ByBucket:
    wanted = (Moment((formula.step,)), Moment(formula.without))
    rows = moments(asked.store, asked.measure(formula.measure), wanted, asked.now, asked.span)
    runs = [
        Run(a, entity, at, None if helped is not None and helped <= at else at)
        for a, entity, at, helped in rows
    ]

    def value(some: Sequence[Run]) -> Value:
        alone = sum(run.end is not None for run in some)
        return values.estimated_share(alone, len(some), min_n=formula.min_n, accounts=accounts_of(some))

    return by_bucket(grouped(asked, runs, formula.measure, on_day=True), value)


def _repeated(formula: Repeated, asked: Asked) -> ByBucket:
    """An account counts in every bucket in which it bought; as one that came back where an earlier purchase is known."""
    measure = asked.measure(formula.measure)
    place = placing(asked.store, measure)
    labels = Labels(asked.store, measure, place, asked.now)
    bought: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for account_id, entity, at_us in moments(asked.store, measure, (Moment((formula.step,)),), asked.now):
        if at_us < micros(asked.now):
            bought[account_id].append((at_us, entity))
    cells: dict[tuple[GroupKey, int], dict[int, bool]] = defaultdict(dict)
    for account_id, purchases in bought.items():
        for number, (at_us, entity) in enumerate(sorted(purchases)):
            bucket, at = asked.bucket_at(at_us), instant(at_us)
            group = None
            if bucket is not None:
                group = place.on_day(account_id, at, labels.until((account_id, entity), at))
            if group is not None and bucket is not None:
                cell = cells[group, bucket]
                cell[account_id] = cell.get(account_id, False) or number > 0
    found: ByBucket = defaultdict(dict)
    for (group, bucket), again in cells.items():
        found[group][bucket] = values.estimated_share(
            sum(again.values()), len(again), min_n=formula.min_n, accounts=len(again)
        )
    return found
