"""One batch at ingest's door, until it is durable there or refused for good. Safe to use from several threads."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx

from bellwether.load.answers import Again, Delivered, Halve, Stop, judge
from bellwether.load.records import FileType, Item

_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 10.0
UNFIT: Final = "row-unreadable"
"""The code of what is refused here and never sent."""


class StoppedError(Exception):
    """Ingest will not take this file; the message says why and what to do."""


class GivenUpError(Exception):
    """Ingest was not there for as long as we were told to wait."""


class InterruptedLoadError(Exception):
    """We were asked to stop while waiting."""


@dataclass(frozen=True)
class RefusedItem:
    item: Item
    code: str
    message: str


@dataclass(frozen=True)
class Receipt:
    """What became of a batch: `accepted` events are durable, the refused ones will never be."""

    accepted: int
    refused: tuple[RefusedItem, ...]


class Patience:
    """How long we go on without an answer that got us further, and a way to be woken from waiting. Shared by all threads."""

    def __init__(self, give_up_after_seconds: float | None, on_wait: Callable[[str, float], None]) -> None:
        self._limit = give_up_after_seconds
        self._on_wait = on_wait
        self._stopping = threading.Event()
        self._progress_at = time.monotonic()

    def stop(self) -> None:
        self._stopping.set()

    def got_further(self) -> None:
        self._progress_at = time.monotonic()

    def pause(self, seconds: float) -> bool:
        """True when it was cut short by `stop`."""
        return self._stopping.wait(seconds)

    def wait(self, seconds: float, reason: str) -> None:
        """Raises GivenUpError instead of a wait that would end too late, InterruptedLoadError when woken by `stop`."""
        waited = time.monotonic() - self._progress_at
        if self._limit is not None and waited + seconds > self._limit:
            raise GivenUpError(
                f"{reason}; nothing was accepted for {waited:.0f} s. The same command goes on from here."
            )
        self._on_wait(reason, seconds)
        if self.pause(seconds):
            raise InterruptedLoadError


class Delivery:
    """Sends batches over one pooled connection. `url` is ingest's base address."""

    def __init__(self, client: httpx.Client, file_type: FileType, patience: Patience) -> None:
        self._client = client
        self._segment = file_type is FileType.SEGMENT
        self._patience = patience

    def send(self, items: Sequence[Item]) -> Receipt:
        """Returns once every item is durable or refused. Raises StoppedError, GivenUpError or InterruptedLoadError."""
        unfit = tuple(RefusedItem(item, UNFIT, item.wrong) for item in items if item.wrong is not None)
        fit = [item for item in items if item.wrong is None] if unfit else items
        receipt = self._send(fit) if fit else Receipt(0, ())
        refused = (*receipt.refused, *unfit)
        return Receipt(receipt.accepted, tuple(sorted(refused, key=lambda one: one.item.line)))

    def _send(self, items: Sequence[Item]) -> Receipt:
        pauses = 0
        while True:
            verdict = self._ask(items)
            match verdict:
                case Delivered(accepted, refused):
                    self._patience.got_further()
                    named = tuple(RefusedItem(items[r.index], r.code, r.message) for r in refused)
                    return Receipt(accepted, named)
                case Halve():
                    middle = len(items) // 2
                    first, second = self._send(items[:middle]), self._send(items[middle:])
                    return Receipt(first.accepted + second.accepted, first.refused + second.refused)
                case Stop(message):
                    raise StoppedError(message)
                case Again(after_seconds, reason):
                    self._patience.wait(_pause(pauses) if after_seconds is None else after_seconds, reason)
                    pauses += 1

    def _ask(self, items: Sequence[Item]) -> Delivered | Again | Halve | Stop:
        try:
            response = self._post(items)
        except httpx.TransportError as error:
            return Again(None, f"ingest cannot be reached ({type(error).__name__}: {error})")
        now = datetime.now(UTC)
        header = response.headers.get("retry-after")
        return judge(
            response.status_code,
            header,
            response.content,
            events=len(items),
            now=now,
            segment=self._segment,
        )

    def _post(self, items: Sequence[Item]) -> httpx.Response:
        if self._segment:
            body = b'{"batch":[' + b",".join(item.body for item in items) + b"]}"
            return self._client.post("/v1/batch", content=body, headers={"content-type": "application/json"})
        body = b"\n".join(item.body for item in items)
        return self._client.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})


def _pause(pauses: int) -> float:
    """Doubling, with half of it random so that many clients do not return at one moment."""
    full = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(pauses, 10))
    return full * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
