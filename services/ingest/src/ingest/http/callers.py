"""Who is calling, and which types they have declared: from memory where possible, else looked up beside the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from common.auth.keys import Principal
from common.auth.ring import KeyRing
from common.clock import Clock
from common.contracts.event_types import TypeRules
from common.errors import Unauthorized
from common.http.auth import check_scope
from ingest.ports.backfills import BackfillChecks
from ingest.ports.types import TypeStore

REFRESH = timedelta(seconds=15)
# Who sends seldom would else be judged by what was declared when they sent last.
RELIED_ON = timedelta(minutes=1)


class Callers:
    """Authenticates without blocking the event loop. `threads` is for look-ups alone, so that a database that hangs delays nothing else."""

    def __init__(
        self,
        ring: KeyRing,
        types: TypeStore,
        backfills: BackfillChecks,
        clock: Clock,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._ring, self._types, self._clock, self._threads = ring, types, clock, threads
        self._backfills = backfills
        self._reading: set[int] = set()

    async def principal(self, key: str, *scopes: str) -> Principal:
        """Return who holds a key with one of the scopes; raises Unauthorized, Forbidden, Unavailable."""
        if not key:
            raise Unauthorized("key-missing", "send an API key: `Authorization: Bearer KEY`")
        now = self._clock.now()
        found = self._ring.cached(key, now)
        if found is None:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._threads, self._ring.authenticate, key, now)
        check_scope(found, *scopes)
        return found

    async def types(self, tenant_id: int, relied_on: timedelta = RELIED_ON) -> TypeRules:
        """Return the tenant's declared types. Known ones are refreshed beside the request that asks; those known for longer than
        `relied_on` are read first."""
        known = self._types.remembered(tenant_id)
        loop = asyncio.get_running_loop()
        if known is None or known[1] > relied_on:
            return await loop.run_in_executor(self._threads, self._types.read, tenant_id)
        types, age = known
        if age > REFRESH and tenant_id not in self._reading:
            self._reading.add(tenant_id)
            reading = loop.run_in_executor(self._threads, self._types.read, tenant_id)
            reading.add_done_callback(lambda _: self._reading.discard(tenant_id))
        return types

    async def backfill(self, tenant_id: int, backfill_id: str | None) -> str | None:
        """Return the id of an open backfill as it is kept. Raises NotFound, Conflict when it takes no more events, Unavailable."""
        if backfill_id is None:
            return None
        known = self._backfills.remembered(tenant_id, backfill_id)
        if known is None:
            loop = asyncio.get_running_loop()
            known = await loop.run_in_executor(self._threads, self._backfills.check, tenant_id, backfill_id)
        return known
