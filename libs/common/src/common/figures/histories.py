"""What a trait of each account was at any instant: read once, looked into by bisection."""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from common.figures.cells import Store

T = TypeVar("T")


@dataclass(slots=True)
class History(Generic[T]):
    """The value told last strictly before an instant holds; None before the first."""

    instants: list[dt.datetime] = field(default_factory=list)
    values: list[T | None] = field(default_factory=list)

    def before(self, at: dt.datetime) -> T | None:
        position = bisect_left(self.instants, at)
        return self.values[position - 1] if position else None


def of_trait(store: Store, trait: str, read: Callable[[str], T | None]) -> Mapping[int, History[T]]:
    """Per account; `read` makes a value of its JSON text, or None."""
    found: dict[int, History[T]] = defaultdict(History)
    for account_id, at, text in store.read(_TRAIT, store.params(trait=trait)):
        found[account_id].instants.append(at)
        found[account_id].values.append(read(text))
    return found


def of_health(store: Store) -> Mapping[int, History[str]]:
    """The bands of each account, a day's from when it was last computed that day."""
    found: dict[int, History[str]] = defaultdict(History)
    for account_id, at, band in store.read(_HEALTH, store.params()):
        found[account_id].instants.append(at)
        found[account_id].values.append(band)
    return found


def as_text(text: str) -> str | None:
    """Of a trait's JSON text: what it says where that is text; anything but null is something."""
    value = json.loads(text)
    return None if value is None else value if isinstance(value, str) else text


_TRAIT = """
select account_id, at, value::text from published.trait
where tenant_id = %(tenant)s and person_id = 0 and name = %(trait)s
order by at, source collate "C", event_id collate "C"
"""
_HEALTH = """
select account_id, computed_at, band from published.health_day where tenant_id = %(tenant)s order by account_id, day
"""
