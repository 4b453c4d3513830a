"""Finds out, once an hour, whether all arrives that usually does."""

import time
from collections.abc import Mapping
from datetime import datetime

from common.clock import Clock
from common.logs import get_logger
from common.tracking.verdicts import Broken, Key, judge
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import Names
from kpi_engine.ports.tracking import Tracking

log = get_logger("tracking")

# Of the engine's time; tenants that are left are judged at the next look.
SECONDS_A_LOOK = 1.0


class Tracker:
    """Judges finished hours that are applied as a whole, so that an engine that is behind takes nothing for missing."""

    def __init__(self, names: Names, store: Tracking, clock: Clock, topic: str) -> None:
        self._names, self._store, self._clock, self._topic = names, store, clock, topic

    def step(self, connection: Connection) -> dict[str, int]:
        """Judge tenants until none is left or the time is up. Returns how many things are missing, by kind."""
        until = self._store.until(connection, self._topic)
        if until is None:
            return {}
        closes_at = time.monotonic() + SECONDS_A_LOOK
        while time.monotonic() < closes_at and self._judge(connection, until):
            continue
        return self._store.broken(connection)

    def _judge(self, connection: Connection, until: datetime) -> bool:
        with connection.transaction():
            tenant_id = self._store.take(connection, until)
            if tenant_id is None:
                return False
            catalogue = self._names.catalogue(connection, tenant_id)
            before: Mapping[Key, Broken] = {}
            found: Mapping[Key, Broken] = {}
            if catalogue is not None:
                tenant = self._store.known(connection, tenant_id, catalogue, until)
                before, found = tenant.broken, judge(tenant, until)
            self._store.save(connection, tenant_id, before, found, until, self._clock.now())
        for kind, name in found.keys() - before.keys():
            log.warning("tracking_broken", tenant_id=tenant_id, kind=kind, name=name)
        for kind, name in before.keys() - found.keys():
            log.info("tracking_mended", tenant_id=tenant_id, kind=kind, name=name)
        return True
