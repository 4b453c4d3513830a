"""Records are decoded in pieces, each while the database works on the one before."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from common.streams.port import InRecord
from kpi_engine.use_cases.apply_batch import BatchWriter, Prepared

Key = tuple[str, int]


@dataclass(slots=True)
class Batch:
    """Records of one poll. `first`: what the first piece of them says, worked out beside the engine's own thread."""

    records: list[InRecord] = field(default_factory=list)
    first: Future[Prepared] | None = None

    def add(self, records: Iterable[InRecord]) -> None:
        self.records.extend(records)
        self.first = None

    def drop(self, partitions: Collection[Key]) -> None:
        """Forget the records of these partitions: whoever owns them now reads them again from where they were committed."""
        kept = [r for r in self.records if (r.topic, r.partition) not in partitions]
        if len(kept) < len(self.records):
            self.records, self.first = kept, None


class Ahead:
    """Holds the batch that comes next. Only decoding happens beside the engine's thread: it touches no connection."""

    def __init__(self, writer: BatchWriter, piece_events: int) -> None:
        self._writer, self._piece_events = writer, piece_events
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._held: list[Batch] = []

    def new(self) -> Batch:
        """A batch whose records are forgotten when their partition moves."""
        batch = Batch()
        self._held.append(batch)
        return batch

    def done(self, batch: Batch) -> None:
        """Nothing of it is needed any more.

        It is emptied, for others still hold it: a poll of kafka-python 3.0.12 that has waited in vain leaves an exception that holds itself,
        and with it all frames from the client up to the engine's, until the collector comes by.
        """
        self._held.remove(batch)
        batch.records.clear()
        batch.first = None

    def pieces(self, batch: Batch, following: Batch | None) -> Iterator[Prepared]:
        """What the records say, piece by piece; while one is worked on the next is decoded, in the end the first of what follows."""
        runs, ready, batch.first = self._cut(batch.records), batch.first, None
        for number, run in enumerate(runs, start=1):
            piece = self._writer.prepare(run) if ready is None else ready.result()
            ready = self._decoding(runs[number]) if number < len(runs) else None
            if ready is None and following is not None and following.records:
                following.first = self._decoding(self._cut(following.records)[0])
            yield piece

    def _cut(self, records: Sequence[InRecord]) -> list[list[InRecord]]:
        runs: list[list[InRecord]] = []
        left = 0
        for record in records:
            if left <= 0:
                runs.append([])
                left = self._piece_events
            runs[-1].append(record)
            left -= events_about([record])
        return runs

    def _decoding(self, records: Sequence[InRecord]) -> Future[Prepared]:
        return self._worker.submit(self._writer.prepare, records)

    def moved(self, partitions: Collection[Key]) -> None:
        """These partitions were given or taken."""
        for batch in self._held:
            batch.drop(partitions)

    def close(self) -> None:
        self._worker.shutdown(wait=True, cancel_futures=True)


def events_about(records: Iterable[InRecord]) -> int:
    """Estimate how many events records hold: sizes go by it, nothing else depends on it."""
    return sum(1 + len(r.value or b"") // 250 for r in records)
