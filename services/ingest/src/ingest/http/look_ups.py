"""Questions to the database from the event loop: asked once for all who wait, and waited for only so long."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

# A database that is down says so within this; one that stands still never says anything.
PATIENCE_SECONDS = 4.0
# So many wait for a database that stands still; anybody can make up keys, and more of them would only fill the memory.
MOST_OPEN = 1_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Asked:
    answer: "asyncio.Future[Any]"
    at: float


class LookUps:
    """`threads` is for look-ups alone, so that a database that hangs delays nothing else."""

    def __init__(self, threads: ThreadPoolExecutor, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._threads, self._patience = threads, patience_seconds
        self._open: dict[Hashable, _Asked] = {}

    def is_open(self, question: Hashable) -> bool:
        return question in self._open

    async def ask(self, question: Hashable, answer: Callable[[], _T]) -> _T:
        """Return the answer, or raise what it raises; TimeoutError when it takes too long, and at once while it has taken too long."""
        if question not in self._open and len(self._open) >= MOST_OPEN:
            raise TimeoutError
        asked = self._open.get(question) or self.begin(question, answer)
        left = self._patience - (asyncio.get_running_loop().time() - asked.at)
        # Whoever waits may give up; the question stays open for those who ask after them.
        found: _T = await asyncio.wait_for(asyncio.shield(asked.answer), max(left, 0.0))
        return found

    def begin(self, question: Hashable, answer: Callable[[], object]) -> _Asked:
        """Have it answered beside whoever asks."""
        loop = asyncio.get_running_loop()
        asked = self._open[question] = _Asked(loop.run_in_executor(self._threads, answer), loop.time())
        asked.answer.add_done_callback(lambda done: self._close(question, done))
        return asked

    def _close(self, question: Hashable, done: "asyncio.Future[Any]") -> None:
        del self._open[question]
        if not done.cancelled():
            done.exception()  # it may be that nobody waits for it any more
