"""In which group a case counts: by its account's traits, or by what the case itself says where its measure keeps that."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from common.catalogue.models import Measure
from common.figures.calendar import DAY
from common.figures.cases import Entity, told
from common.figures.cells import WHOLE, Store
from common.figures.columns import Groups, Int64s
from common.figures.slices import GroupKey, Text, text_of

_TWO_DAYS = 2 * DAY  # no local day is as long
Own = Mapping[str, str]
"""What a case says of itself, by label."""


@dataclass(frozen=True)
class Placing:
    """`labels`: for each dimension that is a label of the cases and no trait of the account, the name of that label."""

    store: Store
    labels: Mapping[int, str] = field(default_factory=dict)

    def on_day(self, account_id: int, at: dt.datetime, own: Own | None = None) -> GroupKey | None:
        """By the traits at the start of the event's local day, as counts do. None: in none that was asked for."""
        if self.store.slices is None:
            return WHOLE
        start, calendar = at - _TWO_DAYS, self.store.calendar
        if not self.store.slices.is_settled(account_id, start):
            start = calendar.day_start(calendar.day_of(at))
        return self.store.slices.group_at(account_id, start, own=self._own(own))

    def in_cohort(self, account_id: int, start: dt.datetime, own: Own | None = None) -> GroupKey | None:
        """By the traits when it started; by the first ones it was given where it had none yet."""
        if self.store.slices is None:
            return WHOLE
        return self.store.slices.group_at(account_id, start, or_first=True, own=self._own(own))

    def at(self, account_id: int, instant: dt.datetime, own: Own | None = None) -> GroupKey | None:
        if self.store.slices is None:
            return WHOLE
        return self.store.slices.group_at(account_id, instant, own=self._own(own))

    def groups(self, account_ids: Int64s, instant: dt.datetime) -> Groups[GroupKey]:
        """Of many accounts, as `at` gives it for each."""
        if self.store.slices is None:
            return Groups([WHOLE], np.zeros(len(account_ids), np.int64))
        keys: dict[GroupKey | None, int] = {None: -1}
        found = [keys.setdefault(self.at(who, instant), len(keys) - 1) for who in account_ids.tolist()]
        return Groups([key for key in keys if key is not None], np.array(found, np.int64))

    def _own(self, own: Own | None) -> Mapping[int, Text]:
        said = own or {}
        return {index: text_of(said.get(label)) for index, label in self.labels.items()}


def own_dimensions(measure: Measure) -> Mapping[str, str]:
    """The dimensions that cases of this measure answer themselves, with the label that does."""
    return {**{label: label for label in measure.labels}, **measure.slices}


def placing(store: Store, measure: Measure | None, more: Mapping[str, str] | None = None) -> Placing:
    """Of cases of this measure. `more`: dimensions that they answer without a label being kept."""
    known = {**(own_dimensions(measure) if measure else {}), **(more or {})}
    return Placing(
        store, {index: known[name] for index, name in enumerate(store.scope.dimensions) if name in known}
    )


@dataclass(slots=True)
class _Said:
    instants: list[dt.datetime] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


class Labels:
    """What each case said of itself and when; the last said stands. Reads nothing where no dimension is a label."""

    def __init__(self, store: Store, measure: Measure, place: Placing, now: dt.datetime) -> None:
        self._said: dict[Entity, dict[str, _Said]] = {}
        for entity, events in told(store, measure, now).items() if place.labels else ():
            its = self._said.setdefault(entity, {})
            for event in events:
                for label, value in event.labels.items():
                    said = its.setdefault(label, _Said())
                    said.instants.append(event.at)
                    said.values.append(value)

    def until(self, entity: Entity, at: dt.datetime) -> Own:
        """As said up to an instant, itself included."""
        return self._at(entity, at, inclusive=True)

    def before(self, entity: Entity, at: dt.datetime) -> Own:
        return self._at(entity, at, inclusive=False)

    def in_cohort(self, entity: Entity, start: dt.datetime) -> Own:
        """As said by its start; what it only said later counts as said from the first."""
        first = {label: said.values[0] for label, said in self._said.get(entity, {}).items()}
        return {**first, **self.until(entity, start)}

    def _at(self, entity: Entity, at: dt.datetime, *, inclusive: bool) -> Own:
        found = {}
        for label, said in self._said.get(entity, {}).items():
            position = (bisect_right if inclusive else bisect_left)(said.instants, at)
            if position:
                found[label] = said.values[position - 1]
        return found
