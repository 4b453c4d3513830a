"""A record that can't be applied never blocks its partition and never takes its batch with it."""

from collections import deque
from collections.abc import Iterable, Sequence

from common.contracts.record import unpack_events
from common.errors import Rejected
from common.logs import get_logger
from common.streams.port import InRecord
from kpi_engine.domain.decode import Place
from kpi_engine.ports.errors import EngineStopped, caused_by_data, without_values
from kpi_engine.use_cases.apply_batch import Applied, BatchWriter, DryRun, Prepared

log = get_logger("engine")

# More unforeseen poison than this among so many records means that we are broken, not the data.
POISON_LIMIT = 50
POISON_WINDOW = 1_000


class Isolator:
    """Applies batches; isolates what can't be stored, and stops the engine when that is too much."""

    def __init__(self, writer: BatchWriter) -> None:
        self._writer = writer
        self._recent: deque[bool] = deque(maxlen=POISON_WINDOW)

    def apply(
        self, records: Sequence[InRecord], compute_limit: int, pieces: Iterable[Prepared] | None = None
    ) -> Applied:
        """Apply records in one transaction; when the data makes that fail, one by one, with what can't be stored set aside."""
        try:
            return self._writer.apply(records, compute_limit, pieces=pieces)
        except Exception as error:
            if not records or not caused_by_data(error):
                raise
            log.warning("batch_failed", records=len(records), error=without_values(error))
        total = Applied()
        for record in records:
            total = _sum(total, self._apply_one(record))
        return total

    def _apply_one(self, record: InRecord) -> Applied:
        try:
            applied = self._writer.apply([record], 0)
        except Exception as error:
            if not caused_by_data(error):
                raise
            log.warning(
                "record_failed", partition=record.partition, offset=record.offset, error=without_values(error)
            )
            self._count(found=True)
            return self._writer.apply([record], 0, _poison_of(self._writer, record))
        self._count(found=False)
        return applied

    def _count(self, *, found: bool) -> None:
        self._recent.append(found)
        if sum(self._recent) > POISON_LIMIT:
            raise EngineStopped(
                "poison-ratio",
                f"{sum(self._recent)} of the last {len(self._recent)} records could not be stored: stopping instead of emptying "
                "the topic into the table of rejected events. See docs/runbooks/engine-stopped.md",
            )


def _poison_of(writer: BatchWriter, record: InRecord) -> dict[Place, tuple[str, str]]:
    """Find the events of a record that can't be stored, by trying each alone and undoing the trial."""
    try:
        count = len(unpack_events(record.value, record.headers).bodies)
    except Rejected:
        return {}
    places = [Place(record.topic, record.partition, record.offset, index) for index in range(count)]
    other = ("event-not-tried", "set aside while another event of its record was tried")
    poison: dict[Place, tuple[str, str]] = {}
    for place in places:
        rest = {p: other for p in places if p != place}
        try:
            writer.apply([record], 0, rest, dry_run=True)
        except DryRun:
            continue
        except Exception as error:
            if not caused_by_data(error):
                raise
            poison[place] = ("event-poisoned", f"the event can't be stored: {type(error).__name__}: {error}")
    return poison


def _sum(one: Applied, other: Applied) -> Applied:
    return Applied(*(getattr(one, name) + getattr(other, name) for name in Applied.__slots__))
