"""Looks at every edge of every tenant's tree once its week or month is over, by night, and says which of them stopped to hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api_gateway.domain import lasting
from api_gateway.ports.analysis import Analysis
from api_gateway.ports.edge_book import EdgeBook, Looked, Segment, Stop
from api_gateway.use_cases.driving import USUAL_DIMENSION, Driving, EdgesAsked, periods_of
from common.analysis.edges import LATEST_SHARE
from common.analysis.panels import grain_of
from common.analysis.reading import types_read
from common.catalogue.models import Catalogue
from common.catalogue.tree import Driver
from common.clock import Clock
from common.errors import Unavailable
from common.figures.buckets import Bucket
from common.figures.calendar import Calendar
from common.logs import get_logger

log = get_logger("edges")

NIGHT = range(1, 5)
"""Local hours."""
MOST_TIME = timedelta(minutes=50)
"""Of one round; the next one, an hour after this one began, goes on with what is left."""
_MOST_CHARACTERS = 512
"""A longer name of a segment fits into no index; such a segment is looked at on request alone."""


@dataclass(frozen=True)
class WatchEdges:
    """One process at a time. Every edge is a transaction: what is killed goes on with the next edge, and nothing is looked at twice."""

    book: EdgeBook
    analysis: Analysis
    clock: Clock

    def round(self) -> int:
        """How many edges were looked at. Definitions of another release, or an edge that can't be looked at, keep no other from it.

        Raises Unavailable when the database doesn't answer: then nothing can be looked at.
        """
        if not self.book.try_lease():
            return 0
        end, looked = self.clock.now() + MOST_TIME, 0
        for tenant_id, zone in self.book.tenants():
            if self.clock.now().astimezone(ZoneInfo(zone)).hour in NIGHT:
                looked += self._tenant(tenant_id, end)
        self.book.release()
        return looked

    def _tenant(self, tenant_id: int, end: datetime) -> int:
        try:
            catalogue = self.book.definitions(tenant_id)
        except ValueError:
            log.exception("edges_not_looked_at", tenant_id=tenant_id)
            return 0
        if catalogue is None:
            return 0
        with self.book.transaction():
            self.book.forget_others(tenant_id, catalogue.drivers)
        looked = 0
        for edge in catalogue.drivers.values():
            if self.clock.now() >= end:
                break
            looked += self._edge(tenant_id, catalogue, edge)
        return looked

    def _edge(self, tenant_id: int, catalogue: Catalogue, edge: Driver) -> bool:
        """Whether there was anything to look at: periods that are over since the last look, or another meaning."""
        now = self.clock.now()
        through = finished(catalogue, edge, now)[-1].end
        day = Calendar.of(catalogue.settings).day_of(through)
        look = Looked(tenant_id, edge.name, day, lasting.meaning_of(edge, catalogue), catalogue.version, now)
        if self.book.has(look):
            return False
        try:
            found = self._found(tenant_id, catalogue, edge, now)
        except Unavailable:
            raise
        except Exception:
            log.exception("edge_not_looked_at", tenant_id=tenant_id, edge=edge.name)
            return False
        if self._is_in_doubt(tenant_id, catalogue, edge, now):
            found = {segment: {**one, "state": "tracking_broken"} for segment, one in found.items()}
        with self.book.transaction():
            self.book.begin_anew(look)
            self.book.keep(look, found)
            self._judge(look, catalogue, edge, found)
        return True

    def _found(
        self, tenant_id: int, catalogue: Catalogue, edge: Driver, now: datetime
    ) -> Mapping[Segment, Mapping[str, Any]]:
        """What the test says of all accounts and of each segment, as the API shows it."""
        with self.analysis.look(tenant_id) as figures:
            asked = EdgesAsked(edge.driver, edge.moves, USUAL_DIMENSION)
            answer = Driving(figures, catalogue, now).edges(asked)
        [seen] = [one for one in answer["data"] if one["name"] == edge.name]
        segments = {
            one["segment"]: one for one in seen["segments"] if len(one["segment"]) <= _MOST_CHARACTERS
        }
        return {None: seen, **segments}

    def _is_in_doubt(self, tenant_id: int, catalogue: Catalogue, edge: Driver, now: datetime) -> bool:
        periods = finished(catalogue, edge, now)
        start, end = periods[-(len(periods) // LATEST_SHARE)].start, periods[-1].end
        types = frozenset[str]().union(
            *(types_read(catalogue.metrics[name], catalogue) for name in (edge.driver, edge.moves))
        )
        return lasting.is_in_doubt(self.book.faults(tenant_id, start, now), types, start, end)

    def _judge(
        self, look: Looked, catalogue: Catalogue, edge: Driver, found: Mapping[Segment, Mapping[str, Any]]
    ) -> None:
        grain, past = grain_of(edge), self.book.past(look)
        stopped = self.book.stopped(look.tenant_id, edge.name)
        for segment, seen in found.items():
            if segment in stopped:
                if lasting.holds_again(past[segment], grain):
                    self.book.resume(look, segment)
                    log.info("edge_holds_again", tenant_id=look.tenant_id, edge=edge.name)
                continue
            held_until = lasting.stopped(past[segment], grain)
            if held_until is not None:
                owners = _owners(edge, catalogue)
                self.book.stop(look, Stop(segment, edge.driver, edge.moves, owners, seen["says"], held_until))
                log.info("edge_stopped", tenant_id=look.tenant_id, edge=edge.name)


def finished(catalogue: Catalogue, edge: Driver, now: datetime) -> Sequence[Bucket]:
    """The weeks or months that a look at this edge looks at now."""
    return periods_of(Calendar.of(catalogue.settings), grain_of(edge), now)


def _owners(edge: Driver, catalogue: Catalogue) -> list[str]:
    metrics = (catalogue.metrics[name].owner for name in (edge.driver, edge.moves))
    return list(dict.fromkeys((edge.owner, *metrics)))
