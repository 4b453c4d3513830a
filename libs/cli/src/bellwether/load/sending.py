"""Batches in flight, settled in the order of the file: what is durable is noted, what is refused is written down."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec

from bellwether.load.batches import Batch, Pace
from bellwether.load.delivery import Delivery, InterruptedLoadError, Patience, Receipt, RefusedItem
from bellwether.load.position import Position, PositionFile
from bellwether.load.records import Place
from bellwether.load.reporting import Reporter, Standing

# Enough to keep ingest and the broker's acknowledgement busy at once; more only makes what is re-sent after a kill larger.
IN_FLIGHT: Final = 4
# A kill costs at most this much being sent again, which is harmless.
_SAVE_EVERY_SECONDS: Final = 0.25


class RefusedFile:
    """Every refused event with its file, line and reason, as JSON lines; made when the first one is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def write(self, item: RefusedItem, place: Place) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
        found = {} if place.file is None else {"file": place.file}
        line = {**found, "line": place.line, "code": item.code, "message": item.message}
        self._file.write(
            msgspec.json.encode({**line, "event": item.item.body.decode("utf-8", "replace")}) + b"\n"
        )
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@dataclass(frozen=True)
class Sink:
    """Where acknowledged batches are noted. `position_file` is None for a source that cannot be read again.

    `place`: where a line of the load is found.
    """

    refused_file: RefusedFile
    position_file: PositionFile | None
    place: Callable[[int], Place]


class Ledger:
    """Counts what is settled, in the order of the file, and notes it."""

    def __init__(self, start: Position, sink: Sink, reporter: Reporter) -> None:
        self._start, self._sink, self._reporter = start, sink, reporter
        self._position = start
        self._started = time.monotonic()
        self._settled = self._started
        self._saved_at = 0.0
        self._fraction: float | None = None

    def settle(self, batch: Batch, receipt: Receipt) -> None:
        for number, refused in enumerate(receipt.refused, start=self._position.refused + 1):
            place = self._sink.place(refused.item.line)
            self._sink.refused_file.write(refused, place)
            self._reporter.refused(refused, place, number)
        self._position = Position(
            digest=self._start.digest,
            line=batch.last_line,
            accepted=self._position.accepted + receipt.accepted,
            refused=self._position.refused + len(receipt.refused),
        )
        self._fraction = batch.fraction
        self._settled = time.monotonic()
        if time.monotonic() - self._saved_at >= _SAVE_EVERY_SECONDS:
            self.save()
        self._reporter.progress(self.standing)

    def save(self) -> None:
        self._saved_at = time.monotonic()
        if self._sink.position_file is not None:
            self._sink.position_file.write(self._position)

    @property
    def standing(self) -> Standing:
        """As of the last batch that was settled."""
        return Standing(
            accepted=self._position.accepted - self._start.accepted,
            refused=self._position.refused - self._start.refused,
            line=self._position.line,
            fraction=self._fraction,
            elapsed_seconds=self._settled - self._started,
        )


def deliver_all(
    batches: Iterable[Batch], delivery: Delivery, patience: Patience, ledger: Ledger, per_second: float | None
) -> None:
    """Several requests in flight, settled in the order of the file, so that the position never passes what is not durable.

    Whatever ends it, what was settled is saved.
    """
    pace = Pace(per_second, time.monotonic()) if per_second else None
    flying: deque[tuple[Batch, Future[Receipt]]] = deque()
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="load") as pool:
        try:
            for batch in batches:
                if pace is not None:
                    _hold(patience, pace.delay_seconds(len(batch.items), time.monotonic()))
                while len(flying) >= IN_FLIGHT:
                    _settle_next(flying, ledger)
                flying.append((batch, pool.submit(delivery.send, batch.items)))
            while flying:
                _settle_next(flying, ledger)
        finally:
            if flying:
                patience.stop()  # or the pool would wait out the back-off of the others
            ledger.save()


def _settle_next(flying: deque[tuple[Batch, Future[Receipt]]], ledger: Ledger) -> None:
    batch, future = flying[0]
    ledger.settle(batch, future.result())
    flying.popleft()


def _hold(patience: Patience, seconds: float) -> None:
    if seconds > 0 and patience.pause(seconds):
        raise InterruptedLoadError
