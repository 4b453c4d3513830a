"""A tenant's figures as they are now, for whoever listens: computed when something changed, at most once a second."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api_gateway.domain.stream_position import encode, owner_of
from api_gateway.metrics import GatewayMetrics
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases import messages
from api_gateway.use_cases.hub import Hub
from common.clock import Clock
from common.errors import BellwetherError
from common.figures.model import Figure
from common.logs import get_logger

log = get_logger("snapshots")

MIN_INTERVAL_SECONDS = 1.0
# Time passing changes figures too (a new day begins), even when nothing happens.
MAX_INTERVAL_SECONDS = 60.0
# A tenant whose figures take long to compute gets them less often, so that they keep the database busy half of the time at most.
_REST_PER_SECOND_OF_WORK = 1.0
_TICK_SECONDS = 0.1
# What a figure says about now; the rest of it is in the catalogue.
_SHOWN = (
    "metric",
    "value",
    "numerator",
    "denominator",
    "low",
    "high",
    "n",
    "low_n",
    "censored",
    "bucket",
    "unit",
    "currency",
    "as_of",
    "complete",
    "version",
    "proxy_of",
    "accounts",
    "reason",
)


@dataclass(slots=True)
class _Tenant:
    """When figures were last computed (by the monotonic clock) and by which definitions, when they may be again, and what was told then."""

    computed_at: float = float("-inf")
    rest_until: float = float("-inf")
    dirty: bool = True
    owed: bool = False
    """What was computed last was news, and only who came then has been told it."""
    definitions: int | None = None
    told: list[dict[str, Any]] = field(default_factory=list)
    computing: threading.Lock = field(default_factory=threading.Lock)
    """Who opens a stream and who publishes must not both compute the same figures."""


class Snapshots:
    """Computes and publishes figures; `changed` and `opening` may be called from any thread."""

    def __init__(self, figures: FigureReader, hub: Hub, metrics: GatewayMetrics, clock: Clock) -> None:
        self._figures, self._hub, self._metrics, self._clock = figures, hub, metrics, clock
        self._tenants: dict[int, _Tenant] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()

    def changed(self, tenant_ids: set[int]) -> None:
        """Take note that figures of these tenants may have changed."""
        with self._lock:
            known = [self._tenants[tenant_id] for tenant_id in tenant_ids if tenant_id in self._tenants]
        # Also when nobody listens now: who comes next must not be told what was true a moment ago.
        for tenant in known:
            tenant.dirty = True
        self._news.set()

    def opening(self, tenant_id: int) -> list[bytes]:
        """Return the figures a new listener starts with; computed now unless they were a moment ago and nothing changed since."""
        tenant = self._tenant(tenant_id)
        with tenant.computing:
            old = time.monotonic() - tenant.computed_at > MIN_INTERVAL_SECONDS
            if tenant.dirty or old or not tenant.told:
                # Those who listen already wait for what changed: computing it here must not take it from them.
                news = tenant.dirty or self._is_defined_anew(tenant_id, tenant)
                before = tenant.told
                self._compute(tenant_id, tenant)
                tenant.owed = tenant.owed or (news and tenant.told != before)
        return [messages.of_figures(tenant.told, self._event_id(tenant_id)).frame] if tenant.told else []

    def run(self, stop: threading.Event) -> None:
        """Publish until told to stop."""
        while not stop.is_set():
            self._news.wait(_TICK_SECONDS)
            self._news.clear()
            self.publish_due()
            # News that came while figures rest are looked at after the next tick.
            stop.wait(_TICK_SECONDS / 2)

    def publish_due(self) -> None:
        """Compute and publish for every tenant that somebody listens to and whose figures may have changed."""
        for tenant_id in self._hub.watched_tenants("metrics"):
            tenant = self._tenant(tenant_id)
            with tenant.computing:
                self._publish(tenant_id, tenant)

    def _publish(self, tenant_id: int, tenant: _Tenant) -> None:
        now = time.monotonic()
        if now < tenant.rest_until:
            return
        old = now - tenant.computed_at > MAX_INTERVAL_SECONDS
        if tenant.dirty or old or self._is_defined_anew(tenant_id, tenant):
            before = tenant.told
            self._compute(tenant_id, tenant)
            tenant.owed = tenant.owed or tenant.told != before
        if tenant.owed:
            tenant.owed = False
            self._hub.publish(tenant_id, [messages.of_figures(tenant.told, self._event_id(tenant_id))])
            self._metrics.stream_messages.labels("metrics").inc()

    def _is_defined_anew(self, tenant_id: int, tenant: _Tenant) -> bool:
        """Definitions come into force without any account having changed. Who can't be asked is asked again."""
        try:
            return self._figures.catalogue(tenant_id).version != tenant.definitions
        except BellwetherError:
            return False

    def _compute(self, tenant_id: int, tenant: _Tenant) -> None:
        tenant.dirty = False
        started = time.monotonic()
        try:
            tenant.definitions = self._figures.catalogue(tenant_id).version
            found = self._figures.current(tenant_id, self._clock.now())
        except BellwetherError as error:
            # No catalogue yet, or a database that doesn't answer: the figures stay as they were told.
            tenant.dirty = True
            log.info("figures_not_computed", code=error.code)
        else:
            tenant.told = [_shown(figure) for figure in found]
        tenant.computed_at = time.monotonic()
        work = tenant.computed_at - started
        tenant.rest_until = started + max(MIN_INTERVAL_SECONDS, work * (1 + _REST_PER_SECOND_OF_WORK))

    def _tenant(self, tenant_id: int) -> _Tenant:
        with self._lock:
            return self._tenants.setdefault(tenant_id, _Tenant())

    def _event_id(self, tenant_id: int) -> str:
        position = self._hub.position
        assert position is not None, "a stream is opened only once the feed has been read"
        return encode(owner_of(self._hub.installation, tenant_id), position)


def _shown(figure: Figure) -> dict[str, Any]:
    whole: Mapping[str, Any] = figure.as_json()
    return {name: whole[name] for name in _SHOWN}
