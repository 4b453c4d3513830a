"""Figures from common.figures, with the catalogue kept for a few seconds."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from api_gateway.domain.records import Standing
from api_gateway.use_cases.newest import by_newest, metric_of
from common import figures
from common.catalogue import current as current_catalogue
from common.catalogue import store
from common.catalogue.health import HealthProfile
from common.catalogue.models import Catalogue
from common.clock import Clock
from common.db.pool import Connection, Pool, borrow
from common.errors import NotFound, Rejected
from common.figures.evidence import Evidence
from common.figures.formulas import rows_read
from common.figures.model import MAX_METRICS, Answer, Figure, Grain, Moment, Query

# `bellwether apply` is seen after at most this long.
_FRESH = timedelta(seconds=5)
# ... but a name that they lack is looked up in what is in force now, so often in a second however many such names come.
_MOST_LOOKS = 10
_MAX_REMEMBERED = 1_000
_SLOW_SECONDS = 30.0
_MAX_SLOW = 100
T = TypeVar("T")

_STANDING = """
select (select string_agg(partition || ':' || batch_no, ',' order by partition) from published.standing where tenant_id = %(tenant)s),
  case when count(*) = count(applied_at) then min(applied_at) end,
  (select max(id) from control.target where tenant_id = %(tenant)s)
from published.progress"""

_BEGAN = "select min(first_event_at) from published.account_seen where tenant_id = %s"


class PostgresFigures:
    """FigureReader on PostgreSQL."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock
        self._known: OrderedDict[int, tuple[int, Catalogue, datetime]] = OrderedDict()
        self._looks: OrderedDict[tuple[int, str], tuple[int, int]] = OrderedDict()
        self._coming: OrderedDict[int, dict[str, Any] | None] = OrderedDict()
        self._slowly: OrderedDict[int, tuple[int, date, float, Sequence[Figure]]] = OrderedDict()
        self._lock = threading.Lock()

    def catalogue(self, tenant_id: int) -> Catalogue:
        with self._lock:
            known = self._known.get(tenant_id)
        if known is not None and abs(self._clock.now() - known[2]) <= _FRESH:
            return known[1]
        return self._in_force(tenant_id, known)

    def renewed(self, tenant_id: int, than: Catalogue) -> Catalogue | None:
        with self._lock:
            known = self._known.get(tenant_id)
        may = self._may_look(tenant_id, "definitions")
        found = self._in_force(tenant_id, known) if may else self.catalogue(tenant_id)
        return None if found.version == than.version else found

    def _may_look(self, tenant_id: int, at: str) -> bool:
        """Whether names that aren't known may cost one more read within this second."""
        second = int(self._clock.now().timestamp())
        with self._lock:
            last, looks = self._looks.get((tenant_id, at), (second, 0))
            looks = looks + 1 if last == second else 1
            self._looks[tenant_id, at] = second, looks
            while len(self._looks) > _MAX_REMEMBERED:
                self._looks.popitem(last=False)
        return looks <= _MOST_LOOKS

    def _in_force(self, tenant_id: int, known: tuple[int, Catalogue, datetime] | None) -> Catalogue:
        now = self._clock.now()
        with borrow(self._pool) as connection:
            version = store.current_version(connection, tenant_id)
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
        return Standing(f"{version} {row[0]} {row[2]}", row[1])

    def began(self, tenant_id: int) -> datetime | None:
        with borrow(self._pool) as connection:
            row = connection.execute(_BEGAN, (tenant_id,)).fetchone()
        return None if row is None else row[0]

    def query(self, tenant_id: int, query: Query) -> Answer:
        def answer(catalogue: Catalogue) -> Answer:
            with borrow(self._pool) as connection:
                return figures.query(connection, tenant_id, catalogue, query, self._clock.now())

        return self._answered(tenant_id, query.definitions, query.metrics, answer)

    def behind(
        self,
        tenant_id: int,
        metric: str,
        account_id: int,
        span: tuple[Moment, Moment],
        definitions: int | None,
    ) -> Evidence:
        def answer(catalogue: Catalogue) -> Evidence:
            found, now = metric_of(catalogue, metric), self._clock.now()
            with borrow(self._pool) as connection:
                return figures.behind(connection, tenant_id, catalogue, found, account_id, span, now)

        return self._answered(tenant_id, definitions, (metric,), answer)

    def _answered(
        self,
        tenant_id: int,
        definitions: int | None,
        metrics: Sequence[str],
        answer: Callable[[Catalogue], T],
    ) -> T:
        """By the definitions that are asked for. Raises Rejected for a version that has not been in force."""
        if definitions is not None and definitions != self.catalogue(tenant_id).version:
            with borrow(self._pool) as connection:
                earlier = _earlier(connection, tenant_id, definitions)
            return answer(earlier)
        if definitions is not None:
            return answer(self.catalogue(tenant_id))
        try:
            return by_newest(self, tenant_id, answer)
        except (NotFound, Rejected) as refused:
            if refused.code == "metric-unknown":
                self._say_if_counting(tenant_id, metrics)
            raise

    def _say_if_counting(self, tenant_id: int, metrics: Sequence[str]) -> None:
        """A metric that comes with the next version is not unknown, only not whole yet."""
        coming = self._lately_counting(tenant_id)
        found = [name for name in metrics if coming and name in coming["metrics"]]
        if coming and found:
            raise Rejected(
                "metric-being-counted",
                f"{found[0]} comes with version {coming['version']} of the definitions, of which {coming['share']:.0%} of the past "
                "is counted; it answers when all of it is",
            )

    def _lately_counting(self, tenant_id: int) -> dict[str, Any] | None:
        """What is being counted; what was found last where this second has no more looks."""
        if not self._may_look(tenant_id, "counting"):
            with self._lock:
                return self._coming.get(tenant_id)
        found = self.counting(tenant_id)
        with self._lock:
            self._coming[tenant_id] = found
            while len(self._coming) > _MAX_REMEMBERED:
                self._coming.popitem(last=False)
        return found

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
