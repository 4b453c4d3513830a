"""The next batch is read and decoded while the database works on this one."""

from collections.abc import Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from common.streams.port import InRecord
from kpi_engine.use_cases.apply_batch import BatchWriter, Prepared

Key = tuple[str, int]


@dataclass(slots=True)
class Batch:
    """Records of one poll. `preparing`: what they say, worked out beside the engine's own thread."""

    records: list[InRecord] = field(default_factory=list)
    preparing: Future[Prepared] | None = None

    def add(self, records: Iterable[InRecord]) -> None:
        self.records.extend(records)
        self.preparing = None

    def drop(self, partitions: Collection[Key]) -> None:
        """Forget the records of these partitions: whoever owns them now reads them again from where they were committed."""
        kept = [r for r in self.records if (r.topic, r.partition) not in partitions]
        if len(kept) < len(self.records):
            self.records, self.preparing = kept, None

    def prepared(self) -> Prepared | None:
        """What the records say, where it was worked out; waits for it."""
        return None if self.preparing is None else self.preparing.result()


class Ahead:
    """Holds the batch that comes next. Only decoding happens beside the engine's thread: it touches no connection."""

    def __init__(self, writer: BatchWriter) -> None:
        self._writer = writer
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._held: list[Batch] = []

    def new(self) -> Batch:
        """A batch whose records are forgotten when their partition moves."""
        batch = Batch()
        self._held.append(batch)
        return batch

    def done(self, batch: Batch) -> None:
        self._held.remove(batch)

    def prepare(self, batch: Batch) -> None:
        if batch.records:
            batch.preparing = self._worker.submit(self._writer.prepare, list(batch.records))

    def moved(self, partitions: Collection[Key]) -> None:
        """These partitions were given or taken."""
        for batch in self._held:
            batch.drop(partitions)

    def close(self) -> None:
        self._worker.shutdown(wait=True, cancel_futures=True)
