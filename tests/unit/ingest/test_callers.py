"""Declared types as requests get them: from memory while that can be relied on."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import cast

import pytest

from common.auth.ring import KeyRing
from common.clock import SystemClock
from common.contracts.event_types import TypeRules
from ingest.http.callers import REFRESH, RELIED_ON, Callers
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
