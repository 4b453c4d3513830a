"""What the product finds out by itself of the simulated outages, and which warnings it holds back meanwhile.

Its own judgement (`common.tracking`) is asked at the end of every day around an outage of what had arrived by then. What it finds goes into the database as the
engine would have written it, so that replays leave those days out as they do for a user; a replay itself holds nothing back.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import psycopg
from benchmarks.bases.base import Base
from benchmarks.bases.calendar import DAYS, FIRST_DAY
from benchmarks.bases.judging import Warned
from benchmarks.bases.plan import at
from benchmarks.bed import TENANT

from common.catalogue.models import Catalogue, Rule
from common.context.holidays import public_holidays
from common.tracking.judging import Arrivals, Calendar
from common.tracking.reads import of_condition
from common.tracking.verdicts import Broken, Key, Tenant, judge
from common.tracking.windows import LOOK_BACK_WEEKS, Span, local_days

Int64s = npt.NDArray[np.int64]

GROUPS: Final = 16
# Judged from the eve of an outage until so long after it; what comes more rarely than this can't be missed in a few days.
AFTER_DAYS: Final = 15
LEAST_A_WEEK: Final = 30  # over four weeks at the least
_NAMES: Final = re.compile(rb'"source":"([^"]*)","type":"([^"]*)"')
_OPEN: Final = """
insert into engine.tracking_spell (tenant_id, kind, name, since, until, found_at, expected, seen, types, share, renamed_to)
select id, %(kind)s, %(name)s, %(since)s, %(until)s, %(found)s, %(expected)s, %(seen)s, %(types)s, %(share)s, %(renamed)s
from control.tenant where slug = %(slug)s
"""


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault that was found on day `found` and was over on day `over`."""

    key: Key
    broken: Broken
    found: int
    over: int


def spells(base: Base, catalogue: Catalogue) -> list[Spell]:
    zone = ZoneInfo(catalogue.settings.timezone)
    closed = public_holidays(catalogue.settings.holidays, FIRST_DAY, at(DAYS).date())
    calendar = Calendar(zone, local_days(sorted(closed), zone))
    arrived, broken = _arrived(base), dict[Key, Broken]()
    since: dict[Key, int] = {}
    ended: dict[Key, list[Span]] = defaultdict(list)
    found: list[Spell] = []
    for day in _around(base):
        until = at(day + 1, 0)
        now = judge(Tenant(_recent(arrived, day), calendar, broken, ended), until)
        for key in broken.keys() - now.keys():
            ended[key].append(Span(broken[key].since, until))
            found.append(Spell(key, broken[key], since.pop(key), day + 1))
        for key in now.keys() - broken.keys():
            since[key] = day + 1
        broken = now
    return found + [Spell(key, one, since[key], DAYS) for key, one in broken.items()]


def _around(base: Base) -> list[int]:
    days = {day for one in base.outages for day in range(one.first - 1, one.end + AFTER_DAYS)}
    return sorted(day for day in days if day < DAYS)


def _arrived(base: Base) -> Mapping[tuple[str, str], Int64s]:
    """Events by source and type: a row an hour, a column a group of accounts."""
    groups = {name: n % GROUPS for n, name in enumerate(sorted(base.accounts))}
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for line in base.lines:
        names = _NAMES.search(line.body)
        assert names is not None
        places[names[1].decode(), names[2].decode()].append(
            line.second // 3600 * GROUPS + groups[line.account]
        )
    size = DAYS * 24 * GROUPS
    return {
        names: np.bincount(np.array(of), minlength=size).reshape(-1, GROUPS) for names, of in places.items()
    }


def _recent(arrived: Mapping[tuple[str, str], Int64s], day: int) -> dict[tuple[str, str], Arrivals]:
    """As far back as anything is compared with."""
    first = max(day - LOOK_BACK_WEEKS * 7 - 4, 0)
    cut = {names: of[first * 24 : (day + 1) * 24] for names, of in arrived.items()}
    return {names: Arrivals.of(at(first, 0), of) for names, of in cut.items() if of.any()}


def note(url: str, found: Sequence[Spell]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for spell in found:
            values = {
                "kind": spell.key[0], "name": spell.key[1], "since": spell.broken.since, "slug": TENANT,
                "until": at(spell.over, 0) if spell.over < DAYS else None, "found": at(spell.found, 0),
                "expected": spell.broken.expected, "seen": spell.broken.seen, "types": list(spell.broken.types),
                "share": spell.broken.share, "renamed": spell.broken.renamed_to,
            }  # fmt: skip
            connection.execute(_OPEN, values)


def heeded(
    warned: Sequence[Warned], rule: Rule, catalogue: Catalogue, found: Sequence[Spell]
) -> list[Warned]:
    """What is left when time alone makes nothing fire while what the rule reads is broken: those episodes begin when all is back, if ever."""
    if rule.driven_by:
        return list(warned)
    reads = of_condition(catalogue, rule.condition)
    held = [(_day(spell.broken.since), spell.over) for spell in found if reads.is_hit([spell.broken])]
    kept = []
    for one in warned:
        start = one.start
        for since, over in sorted(held):
            start = over if since < start <= over else start
        if start == one.start or start < one.end:
            kept.append(Warned(one.account, start, one.end))
    return kept


def _day(when: datetime) -> int:
    return (when - at(0, 0)) // timedelta(days=1)
