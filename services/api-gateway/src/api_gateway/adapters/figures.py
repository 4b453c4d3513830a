"""Figures from common.figures, with the catalogue kept for a few seconds."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api_gateway.domain.records import Standing
from common import figures
from common.catalogue import current as current_catalogue
from common.catalogue import store
from common.catalogue.health import HealthProfile
from common.catalogue.models import Catalogue
from common.catalogue.store import current_version
from common.clock import Clock
from common.db.pool import Connection, Pool, borrow
from common.errors import NotFound, Rejected
from common.figures.evidence import Evidence
from common.figures.formulas import rows_read
from common.figures.model import MAX_METRICS, Answer, Figure, Grain, Moment, Query

# `bellwether apply` is seen after at most this long.
_FRESH = timedelta(seconds=5)
_MAX_REMEMBERED = 1_000
_SLOW_SECONDS = 30.0
_MAX_SLOW = 100

_STANDING = """
select (select string_agg(partition || ':' || batch_no, ',' order by partition) from published.standing where tenant_id = %(tenant)s),
  case when count(*) = count(applied_at) then min(applied_at) end
from published.progress"""


class PostgresFigures:
    """FigureReader on PostgreSQL."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock
        self._known: OrderedDict[int, tuple[int, Catalogue, datetime]] = OrderedDict()
        self._slowly: OrderedDict[int, tuple[int, date, float, Sequence[Figure]]] = OrderedDict()
        self._lock = threading.Lock()

    def catalogue(self, tenant_id: int) -> Catalogue:
        now = self._clock.now()
        with self._lock:
            known = self._known.get(tenant_id)
        if known is not None and now - known[2] <= _FRESH:
            return known[1]
        with borrow(self._pool) as connection:
            version = current_version(connection, tenant_id)
            if known is not None and version == known[0]:
                catalogue: Catalogue | None = known[1]
            else:
                catalogue = current_catalogue(connection, tenant_id)
        if catalogue is None or version is None:
            raise NotFound(
                "catalogue-missing", "this tenant has no definitions yet; load them with `bellwether apply`"
            )
        with self._lock:
            self._known[tenant_id] = (version, catalogue, now)
            while len(self._known) > _MAX_REMEMBERED:
                self._known.popitem(last=False)
        return catalogue

    def health_profiles(self, tenant_id: int) -> Mapping[str, HealthProfile]:
        """By name; none while the tenant has no definitions."""
        try:
            return self.catalogue(tenant_id).health
        except NotFound:
            return {}

    def standing(self, tenant_id: int) -> Standing:
        version = self.catalogue(tenant_id).version
        with borrow(self._pool) as connection:
            row = connection.execute(_STANDING, {"tenant": tenant_id}).fetchone()
        assert row is not None
        return Standing(f"{version} {row[0]}", row[1])

    def query(self, tenant_id: int, query: Query) -> Answer:
        with borrow(self._pool) as connection:
            catalogue = self._asked(connection, tenant_id, query.definitions, query.metrics)
            return figures.query(connection, tenant_id, catalogue, query, self._clock.now())

    def behind(
        self,
        tenant_id: int,
        metric: str,
        account_id: int,
        span: tuple[Moment, Moment],
        definitions: int | None,
    ) -> Evidence:
        with borrow(self._pool) as connection:
            catalogue = self._asked(connection, tenant_id, definitions, (metric,))
            found = catalogue.metrics.get(metric)
            if found is None:
                raise NotFound(
                    "metric-unknown", "there is no metric of that name; GET /v1/metrics lists them"
                )
            return figures.behind(
                connection, tenant_id, catalogue, found, account_id, span, self._clock.now()
            )

    def _asked(
        self, connection: Connection, tenant_id: int, definitions: int | None, metrics: Sequence[str]
    ) -> Catalogue:
        """The definitions that answer. Raises Rejected for a version that has not been in force."""
        catalogue = self.catalogue(tenant_id)
        if definitions not in (None, catalogue.version):
            return _earlier(connection, tenant_id, definitions or 0)
        if unknown := [name for name in metrics if name not in catalogue.metrics]:
            _say_if_counting(connection, tenant_id, unknown[0])
        return catalogue

    def counting(self, tenant_id: int) -> dict[str, Any] | None:
        with borrow(self._pool) as connection:
            found = store.counting(connection, tenant_id)
            if found is None:
                return None
            version, share = found
            metrics = _brought(connection, tenant_id, version)
            return {"version": version, "share": round(share, 4), "metrics": metrics}

    def current(self, tenant_id: int, now: datetime) -> Sequence[Figure]:
        catalogue = self.catalogue(tenant_id)
        today = now.astimezone(ZoneInfo(catalogue.settings.timezone)).date()
        live: list[str] = []
        slow: list[str] = []
        for name, metric in catalogue.metrics.items():
            if metric.feasibility != "planned":
                (live if metric.cadence in ("live", "daily") else slow).append(name)
        return [
            *self._of(tenant_id, live, today, today, "day"),
            *self._slow(tenant_id, catalogue, slow, today),
        ]

    def _slow(
        self, tenant_id: int, catalogue: Catalogue, names: Sequence[str], today: date
    ) -> Sequence[Figure]:
        """Figures that people look at by the week or month; they cost most, and are computed twice a minute at most."""
        known = self._slowly.get(tenant_id)
        if known is not None and known[:2] == (catalogue.version, today) and time.monotonic() < known[2]:
            return known[3]
        found = self._of(tenant_id, names, today.replace(day=1), today, "month")
        with self._lock:
            self._slowly[tenant_id] = (catalogue.version, today, time.monotonic() + _SLOW_SECONDS, found)
            while len(self._slowly) > _MAX_SLOW:
                self._slowly.popitem(last=False)
        return found

    def _of(
        self, tenant_id: int, names: Sequence[str], start: date, today: date, grain: Grain
    ) -> list[Figure]:
        found: list[Figure] = []
        for first in range(0, len(names), MAX_METRICS):
            asked = Query(tuple(names[first : first + MAX_METRICS]), start, today + timedelta(days=1), grain)
            found += self.query(tenant_id, asked).figures
        return found


def _earlier(connection: Connection, tenant_id: int, version: int) -> Catalogue:
    """The definitions of a version that has been in force: its figures are kept as of when the next one took over."""
    ready = store.is_ready(connection, tenant_id, version)
    catalogue = store.at_version(connection, tenant_id, version) if ready else None
    if catalogue is None:
        raise Rejected(
            "definitions-unknown",
            f"No version {version} of the definitions has been in force; GET /v1/metrics names the one that is",
        )
    return catalogue


def _say_if_counting(connection: Connection, tenant_id: int, metric: str) -> None:
    """A metric that comes with the next version is not unknown, only not whole yet."""
    found = store.counting(connection, tenant_id)
    if found is not None and metric in _brought(connection, tenant_id, found[0]):
        raise Rejected(
            "metric-being-counted",
            f"{metric} comes with version {found[0]} of the definitions, of which {found[1]:.0%} of the past is counted; "
            "it answers when all of it is",
        )


def _brought(connection: Connection, tenant_id: int, version: int) -> list[str]:
    """Metrics of a version that read a measure which it brought."""
    catalogue = store.at_version(connection, tenant_id, version)
    assert catalogue is not None
    origins = catalogue.row_origins()
    return sorted(
        name
        for name, metric in catalogue.metrics.items()
        if any(origins.get(row) == version for row in rows_read(catalogue, [metric]))
    )
