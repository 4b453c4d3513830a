"""When an edge of the tree that held stops to hold, and when it holds again: told from many looks, never from one. Pure.

A look is what the test (`common/analysis/edges.py`) says once another week or month is over. Between two looks less than a fiftieth of what
they look at is new, so one that differs from the one before says little; and an effect that was barely seen is not gone because it is barely
not seen. So `not_seen` never counts as gone: what counts is that the test, in one look, finds the effect in the earlier periods, none in the
latest third, and the two to differ by more than chance does (`stopped`), or that it finds the opposite.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from common.analysis.edges import State
from common.analysis.panels import Grain
from common.analysis.reading import EVERYTHING
from common.catalogue.changes import meaning
from common.catalogue.models import Catalogue
from common.catalogue.tree import Driver

LOOKS: Mapping[Grain, int] = {"week": 6, "month": 3}
"""On so many looks it must have held, so many in a row must find it gone, and so many in a row find it there again: about a third of what
the test compares with the time before is new by then."""
HELD_WITHIN = timedelta(days=366)
"""Before the latest look."""
MOST_MISSING = 0.1
"""Of the time that is compared with what was before; beyond it a look says nothing about customers."""
_GONE = frozenset({"stopped", "opposite"})

LookState = State | Literal["tracking_broken"]


@dataclass(frozen=True, slots=True)
class PastLook:
    """`through`: the first local day after the periods that were looked at."""

    through: date
    state: LookState


@dataclass(frozen=True, slots=True)
class Lasting:
    """What all looks together say. `held_until`: the end of the latest periods by which it was found to hold. `stopped_at`: when it was
    found to hold no more; None unless that is so now."""

    held_until: date | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A time in which events of these types didn't arrive."""

    types: frozenset[str]
    since: datetime
    until: datetime


def stopped(looks: Sequence[PastLook], grain: Grain) -> date | None:
    """Until when an edge held that holds no more; None where nothing says so. `looks`: by one definition, in order."""
    enough = LOOKS[grain]
    latest, before = looks[-enough:], looks[:-enough]
    if len(latest) < enough or any(look.state not in _GONE for look in latest):
        return None
    since = latest[-1].through - HELD_WITHIN
    held = [look.through for look in before if look.state == "holds" and look.through >= since]
    return held[-1] if len(held) >= enough else None


def holds_again(looks: Sequence[PastLook], grain: Grain) -> bool:
    """Whether an edge that had stopped holds by its latest looks, which all came after it stopped. `looks`: in order."""
    latest = looks[-LOOKS[grain] :]
    return len(latest) == LOOKS[grain] and all(look.state == "holds" for look in latest)


def is_in_doubt(faults: Iterable[Missing], types: AbstractSet[str], start: datetime, end: datetime) -> bool:
    """Whether events of these types were missing for so long in [start, end) that figures made of them may have moved by that alone."""
    reached, missing = start, timedelta(0)
    for fault in sorted(faults, key=lambda one: one.since):
        if EVERYTHING in types or not types.isdisjoint(fault.types):
            first, last = max(fault.since, reached), min(fault.until, end)
            missing += max(timedelta(0), last - first)
            reached = max(reached, last)
    return missing > MOST_MISSING * (end - start)


def meaning_of(edge: Driver, catalogue: Catalogue) -> str:
    """A digest of what the edge claims and of what its two metrics count: looks at another one say nothing about this one."""
    claims = edge.model_dump(mode="json", include={"driver", "moves", "effect", "lag_days"})
    metrics = [meaning(name, catalogue) for name in (edge.driver, edge.moves)]
    text = json.dumps([claims, metrics], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
