"""MRR and its movements where sums of stored steps don't answer: other currencies, and product by product.

The same figures as the statements of `states` make. Between two instants everything is counted at the rates of the first;
what the rates themselves did to what is paid at the second is `fx`. So start + movements + fx = end, in every group.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from common.figures.asked import Asked
from common.figures.book import Account, book, is_foreign, products
from common.figures.buckets import state_at
from common.figures.cells import Store
from common.figures.mrr import ZERO
from common.figures.placing import Placing, placing
from common.figures.slices import GroupKey
from common.figures.states import Moves

PRODUCT = "product"
OWN: Mapping[str, str] = {PRODUCT: PRODUCT}
Worth = tuple[Decimal, int]
"""MRR, and of how many accounts."""


def is_needed(store: Store) -> bool:
    return PRODUCT in store.scope.dimensions or is_foreign(store)


def levels(asked: Asked) -> dict[GroupKey, dict[int, Worth]]:
    """Per group and position: MRR just before the bucket's end, at the rates of then."""
    found: dict[GroupKey, dict[int, Worth]] = defaultdict(dict)
    every, place = accounts(asked), placing(asked.store, None, OWN)
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        sums: dict[GroupKey, tuple[Decimal, set[int]]] = {}
        for account in every if at is not None else ():
            assert at is not None
            mrr = account.before(at)
            group = _group(place, account, at) if mrr > 0 else None
            if group is not None:
                total, who = sums.setdefault(group, (ZERO, set()))
                who.add(account.account_id)
                sums[group] = total + mrr, who
        for group, (total, who) in sums.items():
            found[group][position] = total, len(who)
    return found


@dataclass(slots=True)
class _Cell:
    start: Decimal = ZERO
    end: Decimal = ZERO
    sums: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    who: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, kind: str, amount: Decimal, account_id: int) -> None:
        if amount:
            self.sums[kind] += amount
            self.who[kind].add(account_id)

    @property
    def moves(self) -> Moves:
        counted = {
            f"{kind}_accounts" if kind != "churned" else "lost": Decimal(len(who))
            for kind, who in self.who.items()
        }
        return Moves(**self.sums, **{name: n for name, n in counted.items() if name in _COUNTS})


_COUNTS = {name for name in Moves.__slots__ if name.endswith("_accounts")} | {"lost"}


def between(
    asked: Asked, spans: Iterable[tuple[int, dt.datetime, dt.datetime]]
) -> dict[GroupKey, dict[int, tuple[Moves, Worth, Worth]]]:
    """Per group and position: what happened from the first instant to the second, and the MRR just before each."""
    found: dict[GroupKey, dict[int, tuple[Moves, Worth, Worth]]] = defaultdict(dict)
    every, place = accounts(asked), placing(asked.store, None, OWN)
    for position, start, end in spans:
        cells: dict[GroupKey, _Cell] = defaultdict(_Cell)
        for account in every:
            _count(cells, place, account, start, end)
        for group, cell in cells.items():
            first, last = len(cell.who.pop("start", ())), len(cell.who.pop("end", ()))
            start_sum, end_sum = cell.sums.pop("start", ZERO), cell.sums.pop("end", ZERO)
            found[group][position] = cell.moves, (start_sum, first), (end_sum, last)
    return found


def _count(
    cells: Mapping[GroupKey, _Cell], place: Placing, account: Account, start: dt.datetime, end: dt.datetime
) -> None:
    """What one account did, in the group it was in at the start, or where it had nothing, in that of the end."""
    was = max(account.before(start), ZERO)
    then, now = max(account.before(end, start), ZERO), max(account.before(end), ZERO)
    before = _group(place, account, start) if was else None
    after = _group(place, account, end) if now else None
    who = account.account_id
    if before is not None:
        cell = cells[before]
        cell.add("start", was, who)
        cell.add("expansion" if then > was else "contraction" if then else "churned", abs(then - was), who)
        cell.add("cohort_change", then - was, who)
        cell.add("kept_change", min(then - was, ZERO), who)
        cell.add("fx", now - then, who)
    elif after is not None and not was:
        known = account.was_positive_before(start)
        cells[after].add("reactivation" if known else "new", then, who)
        cells[after].add("fx", now - then, who)
    if after is not None:
        cells[after].add("end", now, who)
    if was and now and before != after:
        if before is not None:
            cells[before].add("transfer_out", now, who)
        if after is not None:
            cells[after].add("transfer_in", now, who)


def accounts(asked: Asked) -> Sequence[Account]:
    """All of them; product by product where that is asked for."""
    if PRODUCT in asked.store.scope.dimensions:
        return products(asked.store, asked.now)
    return list(book(asked.store).accounts())


def group_of(store: Store, account: Account, at: dt.datetime) -> GroupKey | None:
    """The group in which an account, or one product of it, counts at an instant."""
    return _group(placing(store, None, OWN), account, at)


def _group(place: Placing, account: Account, at: dt.datetime) -> GroupKey | None:
    return place.at(account.account_id, at, None if account.product is None else {PRODUCT: account.product})
