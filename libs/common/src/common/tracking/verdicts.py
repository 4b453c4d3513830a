"""What is broken now: the tenant's whole pipeline, sources, or types of event; each fault said once, at its widest."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from common.tracking.judging import (
    LOW_SHARE,
    Arrivals,
    Calendar,
    Seen,
    everything,
    is_back,
    look,
    lowest,
    without,
)
from common.tracking.thinning import Days, thin_since
from common.tracking.windows import HOUR, WEEK, Span

Kind = Literal["tenant", "source", "type"]
Key = tuple[Kind, str]
EVERYTHING: Key = ("tenant", "*")
# A source takes a type with it when it usually brings most of it.
MOST = 0.8
# Of a type of which it brings at least this much, so much is missing that what rests on it is not told.
SOME = 0.1
# Whatever did not come back for so long is not sent any more: that is nothing to wait for.
RETIRED_AFTER = dt.timedelta(days=42)
# A new type that begins where another one stops is the same event under another name, if it comes from most of the same groups.
SAME_GROUPS = 0.7
RENAMING_TAKES = 2 * HOUR
# A name that was not in use before; one that was, and stopped when another took its place, may take it back.
UNUSED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Broken:
    """`types`: the event types that are missing by it. `share`: of all that the tenant usually sends, 0 to 1."""

    since: dt.datetime
    expected: float
    seen: int
    types: tuple[str, ...]
    share: float
    renamed_to: str | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """What arrived of a tenant by source and type, and what was broken before now (ended spells too)."""

    parts: Mapping[tuple[str, str], Arrivals]
    calendar: Calendar
    broken: Mapping[Key, Broken]
    spells: Mapping[Key, Sequence[Span]]
    retired: Mapping[Key, dt.datetime] = field(default_factory=dict)
    """Since when people don't wait for something any more; what was before is not compared with either."""
    days: Callable[[], Days] = Days
    """What happened, and how many people were there, by local day; asked where less comes of everything."""


def judge(tenant: Tenant, until: dt.datetime) -> dict[Key, Broken]:
    """All that is broken at `until`, the end of the last finished hour."""
    if not tenant.parts:
        return {}
    whole = everything(tenant.parts)
    found = _next(tenant, EVERYTHING, whole, None, until)
    if found is not None:
        kept = {key: was for key, was in tenant.broken.items() if key[0] != "tenant"}
        return {**kept, EVERYTHING: replace(found, types=_types(tenant), share=1.0)}
    broken: dict[Key, Broken] = {}
    carried: set[str] = set()
    for source, part in _summed(tenant, 0).items():
        key: Key = ("source", source)
        found = _next(tenant, key, part, without(whole, part), until)
        if found is not None:
            broken[key] = replace(found, types=_brought(tenant, source, found.since, SOME))
            carried |= set(_brought(tenant, source, found.since, MOST))
    for name, part in _summed(tenant, 1).items():
        key = ("type", name)
        if name in carried and key not in tenant.broken:
            continue
        found = _next(tenant, key, part, without(whole, part), until)
        if found is not None:
            broken[key] = replace(found, types=(name,))
    return {key: _with_share(tenant, whole, key, one) for key, one in broken.items()}


def _next(
    tenant: Tenant, key: Key, part: Arrivals, rest: Arrivals | None, until: dt.datetime
) -> Broken | None:
    """What it is from now on: low things break, broken ones stay so until they are back, or are not waited for any more."""
    retired = tenant.retired.get(key)
    passed = [Span(part.first_hour, retired)] if retired is not None else []
    was = tenant.broken.get(key)
    # A fault of more than a week would be among what is compared with, and never seem over: nothing is expected where nothing came.
    lasting = [Span(was.since, until)] if was is not None else []
    looks = look(part, rest, until, tenant.calendar, [*tenant.spells.get(key, ()), *passed, *lasting])
    if was is not None and retired is not None and retired > was.since:
        return None
    if was is not None:
        over = is_back(looks) or until - was.since > RETIRED_AFTER
        return None if over else _lasting(was, looks)
    low = lowest(looks)
    if low is None:
        return _thinned(tenant, looks, until) if key == EVERYTHING else None
    since = _since(part, low)
    renamed_to = _renamed_to(tenant, key[1], low, since, until) if key[0] == "type" else None
    return Broken(since, low.expected, low.seen, (), 0.0, renamed_to)


def _lasting(was: Broken, looks: Sequence[Seen]) -> Broken:
    """With what was expected and came over the longest stretch that lies within the fault."""
    inside = [seen for seen in looks if seen.span.start >= was.since]
    return replace(was, expected=inside[-1].expected, seen=inside[-1].seen) if inside else was


def _thinned(tenant: Tenant, looks: Sequence[Seen], until: dt.datetime) -> Broken | None:
    """Less than half comes of everything, while as many people as ever are there."""
    less = next((seen for seen in looks if seen.is_less), None)
    if less is None:
        return None
    spells = [*tenant.calendar.unusual, *tenant.spells.get(EVERYTHING, ())]
    since = thin_since(tenant.days(), until, tenant.calendar.zone, spells)
    return None if since is None else Broken(since, less.expected, less.seen, (), 0.0)


def _since(part: Arrivals, low: Seen) -> dt.datetime:
    """The first hour of the silence, where there is silence; else the first of the stretch that is low."""
    if low.seen:
        return low.span.start
    return part.last_before(low.span.end) or low.span.start


def _renamed_to(tenant: Tenant, name: str, low: Seen, stopped: dt.datetime, until: dt.datetime) -> str | None:
    since = stopped - RENAMING_TAKES
    best: tuple[int, str] | None = None
    for other, part in _summed(tenant, 1).items():
        came = part.within(Span(since, until))
        shared = np.count_nonzero(came[list(low.usual_groups)])
        unused = part.total(Span(since - WEEK, since)) <= UNUSED_SHARE * came.sum()
        if other == name or not unused or shared < SAME_GROUPS * len(low.usual_groups):
            continue
        if came.sum() >= LOW_SHARE * low.expected and (best is None or came.sum() > best[0]):
            best = (int(came.sum()), other)
    return best[1] if best else None


def _summed(tenant: Tenant, by: Literal[0, 1]) -> dict[str, Arrivals]:
    """By source (0) or by type (1)."""
    groups: dict[str, dict[tuple[str, str], Arrivals]] = {}
    for names, part in tenant.parts.items():
        groups.setdefault(names[by], {})[names] = part
    return {name: everything(parts) for name, parts in groups.items()}


def _types(tenant: Tenant) -> tuple[str, ...]:
    return tuple(sorted({name for _, name in tenant.parts}))


def _before(since: dt.datetime) -> Span:
    return Span(since - WEEK, since)


def _brought(tenant: Tenant, source: str, since: dt.datetime, least: float) -> tuple[str, ...]:
    """The types of which this source brought at least this share in the week before."""
    week = _before(since)
    mine = {name: part.total(week) for (of, name), part in tenant.parts.items() if of == source}
    totals = {name: part.total(week) for name, part in _summed(tenant, 1).items()}
    return tuple(sorted(name for name, n in mine.items() if n and n >= least * totals[name]))


def _with_share(tenant: Tenant, whole: Arrivals, key: Key, one: Broken) -> Broken:
    week = _before(one.since)
    by: Literal[0, 1] = 0 if key[0] == "source" else 1
    mine = sum(part.total(week) for names, part in tenant.parts.items() if names[by] == key[1])
    total = whole.total(week)
    return replace(one, share=mine / total if total else 0.0)
