"""Declared types as requests get them: from memory while that can be relied on."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from common.auth.keys import KeyRow, mint
from common.auth.ring import KeyRing
from common.clock import FixedClock, SystemClock
from common.contracts.event_types import TypeRules
from common.errors import Unauthorized, Unavailable
from ingest.http.callers import REFRESH, RELIED_ON, Callers
from ingest.http.look_ups import MOST_OPEN
from ingest.ports.backfills import BackfillChecks

OLD, NEW = cast("TypeRules", "as they were"), cast("TypeRules", "as they are")
MOMENT = timedelta(seconds=1)


class Store:
    """Remembers the old types since a while; reading gives the new ones."""

    def __init__(self, age: timedelta | None) -> None:
        self.age, self.reads = age, 0

    def remembered(self, tenant_id: int) -> tuple[TypeRules, timedelta] | None:
        return None if self.age is None else (OLD, self.age)

    def read(self, tenant_id: int) -> TypeRules:
        self.reads += 1
        return NEW


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize(
    ("age", "relied_on", "given", "reads"),
    [
        (None, RELIED_ON, NEW, 1),
        (REFRESH, RELIED_ON, OLD, 0),
        (REFRESH + MOMENT, RELIED_ON, OLD, 1),
        (RELIED_ON + MOMENT, RELIED_ON, NEW, 1),
        (MOMENT, MOMENT, OLD, 0),
        (2 * MOMENT, MOMENT, NEW, 1),
    ],
)
def test_types_are_as_new_as_relied_on(
    threads: ThreadPoolExecutor, age: timedelta | None, relied_on: timedelta, given: TypeRules, reads: int
) -> None:
    store = Store(age)
    callers = Callers(cast("KeyRing", None), store, cast("BackfillChecks", None), SystemClock(), threads)

    async def ask() -> TypeRules:
        found = await callers.types(1, relied_on)
        await asyncio.get_running_loop().run_in_executor(
            threads, lambda: None
        )  # after what is read beside it
        return found

    assert asyncio.run(ask()) == given
    assert store.reads == reads


class Frozen:
    """A database that takes what is asked and says nothing until it is let go on."""

    def __init__(self) -> None:
        self.rows: dict[str, KeyRow] = {}
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.asked = 0

    def load(self, key_id: str) -> KeyRow | None:
        self.asked += 1
        self.goes_on.wait(60)
        return self.rows.get(key_id)

    def remembered(self, tenant_id: int) -> tuple[TypeRules, timedelta] | None:
        return OLD, 2 * RELIED_ON

    def read(self, tenant_id: int) -> TypeRules:
        self.goes_on.wait(60)
        return NEW


class Checks:
    """Which backfills are open, asked of a database that may stand still."""

    def __init__(self, database: Frozen) -> None:
        self.database = database

    def remembered(self, tenant_id: int, backfill_id: str) -> str | None:
        return None

    def check(self, tenant_id: int, backfill_id: str) -> str:
        self.database.goes_on.wait(60)
        return backfill_id


PATIENCE_SECONDS = 0.3


def test_what_is_remembered_holds_while_the_database_stands_still() -> None:
    known, unknown = mint("ingest", 1, "t", "known"), mint("ingest", 1, "t", "unknown")
    database, clock = Frozen(), FixedClock(datetime(2026, 3, 1, tzinfo=UTC))
    database.rows[known.row.id] = known.row

    async def use(threads: ThreadPoolExecutor) -> None:
        checks = Checks(database)
        callers = Callers(KeyRing(database.load), database, checks, clock, threads, PATIENCE_SECONDS)
        assert (await callers.principal(known.text, "ingest")).tenant_id == 1
        assert await callers.types(1) == NEW
        database.goes_on.clear()
        clock.advance(timedelta(minutes=2))
        loop = asyncio.get_running_loop()
        for _ in range(2):  # the second time it is known that nothing comes
            everybody = [callers.principal(known.text, "ingest") for _ in range(50)]
            assert {one.tenant_id for one in await asyncio.gather(*everybody)} == {1}
            assert await callers.types(1) == OLD
            with pytest.raises(Unavailable):
                await callers.principal(unknown.text, "ingest")
            with pytest.raises(Unauthorized):
                await callers.principal(known.text[:-1] + "!", "ingest")
            began = loop.time()
        assert loop.time() - began < PATIENCE_SECONDS
        assert database.asked <= 4, "one question for all who wait"
        clock.advance(timedelta(hours=2))
        with pytest.raises(Unavailable):
            await callers.principal(known.text, "ingest")
        database.goes_on.set()
        clock.advance(timedelta(seconds=1))
        answers = [asked.answer for asked in callers._look_ups._open.values()]
        await asyncio.gather(*answers, return_exceptions=True)
        assert (await callers.principal(known.text, "ingest")).tenant_id == 1
        with pytest.raises(Unauthorized):
            await callers.principal(unknown.text, "ingest")
        assert await callers.types(1) == NEW

    with ThreadPoolExecutor(8) as threads:
        asyncio.run(use(threads))


def test_a_backfill_that_nobody_can_look_up_is_refused_for_now() -> None:
    database = Frozen()

    async def use(threads: ThreadPoolExecutor) -> None:
        ring = KeyRing(database.load)
        callers = Callers(ring, database, Checks(database), SystemClock(), threads, PATIENCE_SECONDS)
        assert await callers.backfill(1, "b") == "b"
        database.goes_on.clear()
        with pytest.raises(Unavailable):
            await callers.backfill(1, "b")
        database.goes_on.set()

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(use(threads))


def test_made_up_keys_do_not_pile_up_while_the_database_stands_still() -> None:
    database = Frozen()
    database.goes_on.clear()

    async def use(threads: ThreadPoolExecutor) -> None:
        ring = KeyRing(database.load)
        callers = Callers(ring, database, Checks(database), SystemClock(), threads, PATIENCE_SECONDS)
        made_up = [mint("ingest", 1, "t", "made up").text for _ in range(MOST_OPEN + 50)]
        refused = await asyncio.gather(*(callers.principal(key) for key in made_up), return_exceptions=True)
        assert {type(one) for one in refused} == {Unavailable}
        assert len(callers._look_ups._open) == MOST_OPEN
        database.goes_on.set()

    with ThreadPoolExecutor(8) as threads:
        asyncio.run(use(threads))
