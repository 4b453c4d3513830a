"""What a trait of each account was at any instant: read once, looked into by bisection."""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from common.figures.cells import Store
from common.figures.columns import Int64s, Steps
from common.figures.instants import micros

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

    def histories() -> Mapping[int, History[T]]:
        known: dict[str, T | None] = {}
        found: dict[int, History[T]] = defaultdict(History)
        for account_id, at, text in store.read(_TRAIT, store.params(trait=trait)).fetchall():
            if text not in known:
                known[text] = read(text)
            history = found[account_id]
            history.instants.append(at)
            history.values.append(known[text])
        return found

    return store.once(("trait", trait, read), histories)


CLOSED = "closed"
"""The trait that `account.closed` sets and `account.created` clears; an account stands unless it is true."""


def standing(store: Store) -> Callable[[int, dt.datetime], bool]:
    """Whether an account stands just before an instant: is not closed then."""
    histories = store.once("closings", lambda: _closings(store))

    def stands(account_id: int, at: dt.datetime) -> bool:
        history = histories.get(account_id)
        return history is None or not history.before(at)

    return stands


def _closings(store: Store) -> Mapping[int, History[bool]]:
    """Whether each account was closed, of those alone that ever were: nearly all only say that they aren't."""
    found: dict[int, History[bool]] = defaultdict(History)
    for account_id, at, is_closed in store.read(_CLOSINGS, store.params()):
        found[account_id].instants.append(at)
        found[account_id].values.append(is_closed)
    return found


def of_health(store: Store) -> Mapping[int, History[str]]:
    """Per account the bands of its health, from when each was computed."""
    found: dict[int, History[str]] = defaultdict(History)
    for account_id, at, band in store.read(_HEALTH, store.params()):
        found[account_id].instants.append(at)
        found[account_id].values.append(band)
    return found


def grave_cases(store: Store) -> Mapping[int, Sequence[tuple[dt.datetime, dt.datetime | None]]]:
    """Per account from when to when, None: still, a case was open that is critical or that people were told of at once."""

    def cases() -> Mapping[int, Sequence[tuple[dt.datetime, dt.datetime | None]]]:
        found: dict[int, list[tuple[dt.datetime, dt.datetime | None]]] = defaultdict(list)
        for account_id, opened_at, resolved_at in store.read(_GRAVE_CASES, store.params()).fetchall():
            found[account_id].append((opened_at, resolved_at))
        return found

    return store.once(("grave-cases",), cases)


@dataclass(frozen=True, slots=True)
class Texts:
    """A trait of many accounts as codes: equal texts have equal ones, no text has -1."""

    steps: Steps
    accounts: int

    def before(self, at: dt.datetime) -> Int64s:
        return self.steps.before(micros(at), np.full(self.accounts, -1, np.int64))


def texts(store: Store, trait: str, account_ids: Int64s) -> Texts:
    """`account_ids`: in order."""
    codes: dict[str | None, int] = {None: -1}
    places, at_us, values = [], [], []
    histories = of_trait(store, trait, as_text)
    for place, account_id in enumerate(account_ids.tolist()):
        history = histories.get(account_id)
        for at, text in zip(history.instants, history.values, strict=True) if history else ():
            places.append(place)
            at_us.append(micros(at))
            values.append(codes.setdefault(text, len(codes) - 1))
    columns = (np.array(column, np.int64) for column in (places, at_us, values))
    return Texts(Steps.of(*columns), len(account_ids))


def as_text(text: str) -> str | None:
    """Of a trait's JSON text: what it says where that is text; anything but null is something."""
    value = json.loads(text)
    return None if value is None else value if isinstance(value, str) else text


_TRAIT = """
select account_id, at, value::text from published.trait
where tenant_id = %(tenant)s and person_id = 0 and name = %(trait)s
order by at, source collate "C", event_id collate "C"
"""
# Each account's own rows, however many others only say that they aren't closed.
_CLOSINGS = """
select t.account_id, t.at, t.value = 'true'::jsonb from (
  select distinct account_id from published.trait
  where tenant_id = %(tenant)s and person_id = 0 and name = 'closed' and value = 'true'::jsonb
) ever cross join lateral (
  select account_id, at, source, event_id, value from published.trait
  where account_id = ever.account_id and person_id = 0 and name = 'closed' offset 0
) t
order by t.at, t.source collate "C", t.event_id collate "C"
"""
_GRAVE_CASES = """
select account_id, opened_at, resolved_at from alerts.v_case
where tenant_id = %(tenant)s and (severity = 'critical' or paged_at is not null)
"""
_HEALTH = """
select account_id, computed_at, band from published.health_day where tenant_id = %(tenant)s order by account_id, day
"""
