"""Who is calling, and which types they have declared: from memory where possible, else looked up beside the event loop."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from common.auth.keys import Principal
from common.auth.ring import KeyRing
from common.clock import Clock
from common.contracts.event_types import TypeRules
from common.errors import Unauthorized, Unavailable
from common.http.auth import check_scope
from ingest.http.look_ups import PATIENCE_SECONDS, LookUps
from ingest.ports.backfills import BackfillChecks
from ingest.ports.types import TypeStore

REFRESH = timedelta(seconds=15)
# Who sends seldom would else be judged by what was declared when they sent last.
RELIED_ON = timedelta(minutes=1)


class Callers:
    """Authenticates without blocking the event loop. What is remembered holds while the database stands still, as it does while it is down."""

    def __init__(
        self,
        ring: KeyRing,
        types: TypeStore,
        backfills: BackfillChecks,
        clock: Clock,
        threads: ThreadPoolExecutor,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._ring, self._types, self._clock, self._backfills = ring, types, clock, backfills
        self._look_ups = LookUps(threads, patience_seconds)

    async def principal(self, key: str, *scopes: str) -> Principal:
        """Return who holds a key with one of the scopes; raises Unauthorized, Forbidden, Unavailable."""
        if not key:
            raise Unauthorized("key-missing", "send an API key: `Authorization: Bearer KEY`")
        now = self._clock.now()
        found = self._ring.cached(key, now)
        if found is None:
            try:
                found = await self._look_ups.ask(("key", key), partial(self._ring.authenticate, key, now))
            except TimeoutError:
                found = self._ring.remembered(key, now)
        check_scope(found, *scopes)
        return found

    async def types(self, tenant_id: int, relied_on: timedelta = RELIED_ON) -> TypeRules:
        """Return the tenant's declared types. Known ones are refreshed beside the request that asks; those known for longer than
        `relied_on` are read first."""
        known = self._types.remembered(tenant_id)
        question, read = ("types", tenant_id), partial(self._types.read, tenant_id)
        if known is None or known[1] > relied_on:
            try:
                return await self._look_ups.ask(question, read)
            except TimeoutError:
                if known is None:
                    raise _stands_still() from None
        elif known[1] > REFRESH and not self._look_ups.is_open(question):
            self._look_ups.begin(question, read)
        return known[0]

    async def backfill(self, tenant_id: int, backfill_id: str | None) -> str | None:
        """Return the id of an open backfill as it is kept. Raises NotFound, Conflict when it takes no more events, Unavailable."""
        if backfill_id is None:
            return None
        known = self._backfills.remembered(tenant_id, backfill_id)
        if known is None:
            check = partial(self._backfills.check, tenant_id, backfill_id)
            try:
                known = await self._look_ups.ask(("backfill", tenant_id, backfill_id), check)
            except TimeoutError:
                raise _stands_still() from None
        return known


def _stands_still() -> Unavailable:
    return Unavailable("database-unavailable", "the database does not answer; try again shortly", 2)
