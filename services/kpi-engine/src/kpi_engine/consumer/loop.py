"""The engine's one thread: poll, apply, and in quiet moments the work that time brings."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from common.clock import Clock
from common.contracts.record import stamp_of
from common.logs import get_logger
from common.streams.port import Consumer, LogCut, OffsetGone, TopicPartition
from kpi_engine.consumer.ahead import Ahead, Batch, events_about
from kpi_engine.consumer.poison import Isolator
from kpi_engine.domain.ownership import IN_TIME_US, Owned, with_events
from kpi_engine.domain.sizing import BatchSize
from kpi_engine.metrics import EngineMetrics
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.errors import EngineStopped
from kpi_engine.ports.stores import Feed, Ids, Names, Progress
from kpi_engine.use_cases.apply_batch import Applied, BatchWriter
from kpi_engine.use_cases.apply_control import ControlWriter
from kpi_engine.use_cases.compute_states import StateComputer
from kpi_engine.use_cases.count_past import PastCounter
from kpi_engine.use_cases.load_ends import LoadEnds
from kpi_engine.use_cases.track import Tracker

log = get_logger("engine")

# A poll returns as soon as a record is there; without any, account states whose second is over get their turn this often.
IDLE_POLL_SECONDS = 0.1
# Where events wait already, so long is waited for those that the broker is about to hand over: else they come a whole batch later.
MORE_POLL_SECONDS = 0.02
LATELY_SECONDS = 1.0
# Segments are looked at again after so many events once all are read, and after fewer in their time.
UNSETTLED_EVENTS = 1_000
SETTLE_SECONDS = 5.0
# Settling takes at most 2 % of the engine's time, however many accounts there are.
SETTLE_SHARE = 50
SETTLE_FEW_SECONDS = 60.0
# Who applies events so soon after they came keeps up, though there may always be some: then what time brings gets its turn too.
KEEPING_UP_US = 1_000_000
# Before anything is known of the records, they are taken to be as full as ingest packs them.
LARGEST_PACK_EVENTS = 1_000
# A batch is taken in so many, each sized by the records of the one before.
STEPS = 6


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken at once."""

    records: int  # records of one poll; each holds up to some hundred events
    events: int  # a batch, one transaction, closes at this many events, or at fewer that change more ...
    piece_events: int  # of a batch so many are held decoded at once, and as many of what follows
    batch_seconds: float  # ... or after this long
    states_per_batch: int  # accounts computed in one transaction while events are waiting
    states_when_idle: int
    watchdog_seconds: float


class Engine:
    """Owns the connection, the consumer and the partitions. Ends by returning (told to), or by raising: then start it again."""

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        writer: BatchWriter,
        progress: Progress,
        ids: Ids,
        names: Names,
        feed: Feed,
        states: StateComputer,
        load_ends: LoadEnds,
        past: PastCounter,
        control: ControlWriter,
        tracker: Tracker,
        clock: Clock,
        metrics: EngineMetrics,
        topics: tuple[str, str],
        limits: Limits,
    ) -> None:
        self._connection, self._consumer, self._writer = connection, consumer, writer
        self._progress, self._ids, self._names, self._feed, self._states = progress, ids, names, feed, states
        self._load_ends = load_ends
        self._past, self._past_at = past, 0.0
        self._control, self._tracker = control, tracker
        self._clock, self._metrics, self._topics, self._limits = clock, metrics, topics, limits
        self._isolator = Isolator(writer)
        self._ahead = Ahead(writer, limits.piece_events)
        self._next: Batch | None = None
        self._shapes: dict[str, tuple[str, int]] = {}
        self._quiet_work_at = 0.0
        self._more_corrections = False
        self._sweep_at = 0.0
        self._settled_at = 0.0
        self._settle_pause = SETTLE_SECONDS
        self._unsettled = 0
        self._events_at = 0.0
        self._behind_since: float | None = None
        self._events_per_record = float(LARGEST_PACK_EVENTS)
        self._size = BatchSize(limits.events, min(limits.piece_events, limits.events))
        self._stopping = False

    def stop(self) -> None:
        """End after the current batch; safe from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Consume until told to stop. Raises EngineStopped by name; database and broker errors pass through."""
        self.start()
        try:
            while not self._stopping:
                self.step()
        finally:
            self._consumer.close()
            self._ahead.close()

    def start(self) -> None:
        """Read the definitions and join the group; the first steps then bring the partitions. Raises Unavailable while a topic is not
        there: a member that joins before the client knows its topics is given no partition and is not asked again.
        """
        for topic in self._topics:
            self._consumer.topic_shape(topic)
        self._names.refresh_definitions(self._connection)
        self._weigh()
        self._consumer.subscribe(self._topics, self._assigned, self._revoked)

    def step(self) -> Applied:
        """Do one round: a batch if records are there, else account states whose turn it is."""
        turn = self._writer.has_turn(self._clock.now())
        idle = not turn and not self._more_corrections
        batch = self._next or self._poll(IDLE_POLL_SECONDS if idle else 0.0)
        # Who catches up decodes what comes next while the database works on this batch; else it would only grow old meanwhile.
        many = events_about(batch.records) >= self._limits.piece_events
        self._next = self._poll(0.0) if many else None
        applied, drained = Applied(), not batch.records
        keeps_up = drained or self._late_us(batch) <= KEEPING_UP_US
        if batch.records or turn:
            applied = self._apply(batch, self._states_wanted(batch))
        self._ahead.done(batch)
        if self._next is not None and not self._next.records:
            self._ahead.done(self._next)
            self._next = None
        self._quiet_work(drained=drained, keeps_up=keeps_up)
        self._count_past(waiting=not drained)
        return applied

    def _poll(self, wait_seconds: float) -> Batch:
        closes_at = time.monotonic() + self._limits.batch_seconds
        batch, size = self._ahead.new(), 0
        try:
            while True:
                came = self._take(batch, wait_seconds, self._records_wanted(size))
                size += came
                late = bool(batch.records) and self._late_us(batch) > IN_TIME_US
                wait_seconds = MORE_POLL_SECONDS if late else 0.0
                if not came or size >= self._size.events or time.monotonic() >= closes_at:
                    break
        except OffsetGone as gone:
            raise EngineStopped(
                "offset-gone", f"{gone}: records were deleted unread. See docs/runbooks/engine-stopped.md"
            ) from gone
        except LogCut as cut:
            raise EngineStopped(
                "offset-gone",
                f"{cut}: what stands there now was not read yet. See docs/runbooks/engine-stopped.md",
            ) from cut
        if batch.records:
            self._behind_since, self._events_at = None, time.monotonic()
        return batch

    def _take(self, batch: Batch, wait_seconds: float, wanted: int) -> int:
        """Add what is there to the batch; returns about how many events came."""
        records = self._consumer.poll(wait_seconds, wanted)
        owned = self._writer.owned
        batch.add(r for r in records if (r.topic, r.partition) in owned)
        came = events_about(records)
        if records:
            self._events_per_record = max(1.0, came / len(records))
        return came

    def _states_wanted(self, batch: Batch) -> int:
        """How many accounts are brought up to date with a batch."""
        limits = self._limits
        if batch.records:
            return with_events(limits.states_per_batch, self._late_us(batch))
        # The next events are not to wait for long; many accounts at once are cheaper where none come.
        lately = time.monotonic() - self._events_at < LATELY_SECONDS
        return min(limits.states_when_idle, limits.states_per_batch) if lately else limits.states_when_idle

    def _late_us(self, batch: Batch) -> int:
        """How long ago the first of its events came."""
        stamp = stamp_of(batch.records[0].headers)
        return 0 if stamp is None else _epoch_us(self._clock.now()) - stamp

    def _records_wanted(self, size: int) -> int:
        """Return how many records to take, so that a batch stays about as large as it may be however many events a record packs.

        In steps, as those that come next may pack several times as many as the last ones did.
        """
        events = min(self._size.events - size, self._size.events // STEPS)
        return max(1, min(self._limits.records, int(events / self._events_per_record)))

    def _apply(self, batch: Batch, compute_limit: int) -> Applied:
        started = time.perf_counter()
        records = batch.records
        pieces = self._ahead.pieces(batch, self._next) if records else None
        applied = self._isolator.apply(records, compute_limit, pieces)
        self._metrics.batch(applied, time.perf_counter() - started)
        self._unsettled += applied.new
        self._size.learn(applied.new, applied.cell_changes)
        if records:
            self._consumer.commit_for_lag(
                {
                    TopicPartition(topic, partition): self._writer.owned[(topic, partition)].next_offset
                    for topic, partition in {(r.topic, r.partition) for r in records}
                }
            )
        self._seal()
        return applied

    def _seal(self) -> None:
        partition = self._ids.seal_due()
        if partition is None:
            return
        with self._connection.transaction():
            batch_no = self._writer.owned[(self._topics[0], partition)].batch_no
            entries = self._ids.seal(self._connection, partition, batch_no)
        self._ids.sealed(partition, entries)
        log.info("ids_sealed", partition=partition, ids=len(entries))

    def owns_nothing(self) -> str | None:
        """Readiness: the reason when no partition is owned (starting, or more engines than partitions)."""
        return (
            None
            if self._writer.owned
            else "it owns no partition: it is joining the group, or there are more engines than partitions"
        )

    def quiet_work_now(self) -> None:
        """Let the next step do the work that time brings, without waiting for its second."""
        self._quiet_work_at = 0.0

    def _quiet_work(self, *, drained: bool, keeps_up: bool) -> None:
        """Once a second: notice new definitions and corrections, say of which partitions nothing is unread, find accounts that are due."""
        at = time.monotonic()
        if at < self._quiet_work_at:
            return
        self._quiet_work_at = at + 1.0
        now = self._clock.now()
        events = self._owned_events()
        self._refresh_definitions(events)
        partitions = self._shapes[self._topics[0]][1] if events else 0
        self._more_corrections = self._control.step(self._connection, events, partitions)
        if self._more_corrections:
            self.quiet_work_now()
        waiting = 0
        if keeps_up:
            self._settle(at, now)
            self._load_ends.settle(self._connection, events, now)
            waiting = self._states.find_due(self._connection, events, now, self._limits.states_when_idle)
            if not waiting:
                self._load_ends.computed(self._connection)
        if drained and waiting:
            self.quiet_work_now()
        else:
            # Who reads that all is applied may rely on accounts that were due having their states too.
            self._note_unread(all_computed=keeps_up and not waiting)
        if at >= self._sweep_at:
            self._sweep_at = at + 60.0
            self._feed.sweep(self._connection)
            self._control.sweep(self._connection, now)
            self._metrics.broken(self._tracker.step(self._connection))
            self._check_shapes()
            self._weigh()
        self._metrics.owned(len(events), sum(len(o.dirty) for o in events))

    def _settle(self, at: float, now: datetime) -> None:
        since = at - self._settled_at
        many = self._unsettled >= UNSETTLED_EVENTS and since >= self._settle_pause
        if many or (self._unsettled and since >= max(SETTLE_FEW_SECONDS, self._settle_pause)):
            # What is still to be computed moves what accounts are compared with again.
            self._settled_at, self._unsettled = (
                at,
                sum(len(part.dirty) for part in self._writer.owned.values()),
            )
            self._states.settle(self._connection, self._states.compared(), now)
            self._settle_pause = max(SETTLE_SECONDS, SETTLE_SHARE * (time.monotonic() - at))

    def _count_past(self, *, waiting: bool) -> None:
        """Between batches, a piece of what pending definitions still have to count; at most a third of the time while events wait."""
        at = time.monotonic()
        events = self._owned_events()
        # Who owns nothing (yet) knows no topic either.
        if not events or not self._names.pending() or (waiting and at < self._past_at):
            return
        if self._past.step(self._connection, events, self._shapes[self._topics[0]][1]):
            self._past_at = time.monotonic() + 2 * (time.monotonic() - at)
        else:
            self.quiet_work_now()

    def _owned_events(self) -> list[Owned]:
        return [owned for owned in self._writer.owned.values() if owned.topic == self._topics[0]]

    def _refresh_definitions(self, events: Sequence[Owned]) -> None:
        changed = self._names.refresh_definitions(self._connection)
        if changed:
            self._past.take_up(self._connection, events)
            self._states.redefined(self._connection, events, self._clock.now())
        for tenant_id, version in changed:
            for owned in events:
                self._names.activated(
                    self._connection, tenant_id, version, owned.partition, owned.next_offset
                )
            log.info("definitions_activated", tenant_id=tenant_id, version=version)

    def _note_unread(self, *, all_computed: bool) -> None:
        asked_us = _epoch_us(self._clock.now())
        unread = self._unread()
        read = [(o.topic, o.partition, o.epoch) for key, o in self._writer.owned.items() if not unread[key]]
        behind = sum(unread.values())
        if all_computed:
            self._progress.drained(self._connection, read, asked_us)
        self._metrics.behind(behind)
        at = time.monotonic()
        if not behind:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = at
        elif at - self._behind_since > self._limits.watchdog_seconds:
            raise EngineStopped(
                "watchdog",
                f"{behind} records are unread and none came for {self._limits.watchdog_seconds:.0f} s: starting anew",
            )

    def _unread(self) -> dict[tuple[str, int], int]:
        """How many records each partition holds that were not applied yet."""
        owned = self._writer.owned
        bounds = self._consumer.bounds([TopicPartition(*key) for key in owned])
        return {
            key: max(0, bounds[TopicPartition(*key)][1] - part.next_offset) for key, part in owned.items()
        }

    def _weigh(self) -> None:
        """Whoever joins later is to get as much work as there is for each, not as many partitions."""
        events, rejected = self._topics
        loads = self._feed.loads(self._connection).items()
        self._consumer.weigh(
            {TopicPartition(*((events, p) if p >= 0 else (rejected, -1 - p))): load for p, load in loads}
        )

    def _check_shapes(self) -> None:
        for topic, shape in self._shapes.items():
            self._check_shape(topic, self._consumer.topic_shape(topic), shape)

    def _check_shape(self, topic: str, found: tuple[str, int], known: tuple[str, int]) -> None:
        if found[0] != known[0]:
            raise EngineStopped(
                "topic-recreated", f"topic {topic} was deleted and created again while it was read"
            )
        if found[1] != known[1]:
            raise EngineStopped(
                "partitions-changed",
                f"topic {topic} has {found[1]} partitions, it had {known[1]}: accounts would move between partitions. "
                "See docs/runbooks/engine-stopped.md",
            )

    def _assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._ahead.moved({(p.topic, p.partition) for p in partitions})
        for topic in {p.topic for p in partitions}:
            self._shapes[topic] = self._consumer.topic_shape(topic)
        bounds = self._consumer.bounds(list(partitions)) if partitions else {}
        self._progress.check_topics(self._connection, *self._topics)
        owned: dict[tuple[str, int], Owned] = {}
        for partition in partitions:
            key = (partition.topic, partition.partition)
            topic_id, count = self._shapes[partition.topic]
            with self._connection.transaction():
                taken = self._progress.take(
                    self._connection,
                    partition.topic,
                    partition.partition,
                    topic_id,
                    count,
                    bounds[partition][0],
                )
                if partition.topic == self._topics[0]:
                    self._ids.take(self._connection, partition.partition)
                homes = self._names.homes(self._connection, taken.dirty)
            if taken.next_offset > bounds[partition][1]:
                self._check_end(partition, taken.next_offset)
            owned[key] = Owned(
                partition.topic,
                partition.partition,
                taken.epoch,
                taken.next_offset,
                taken.batch_no,
                {account_id: tenant_id for account_id, (tenant_id, _) in homes.items()},
                list(taken.dirty),
            )
            self._consumer.seek(partition, taken.next_offset, taken.leader_epoch)
        # All at once: an engine that may not have one of them is not ready while it ends.
        self._writer.owned.update(owned)
        self._control.taken()
        # Another engine may have taken a version up here that this one has not heard of.
        self._refresh_definitions(self._owned_events())
        self._past.take_up(self._connection, self._owned_events())
        self._states.redefined(self._connection, self._owned_events(), self._clock.now())
        self._behind_since = None
        log.info("partitions_taken", partitions=sorted((p.topic, p.partition) for p in partitions))

    def _check_end(self, partition: TopicPartition, next_offset: int) -> None:
        """Ask again, for whoever owned the partition may have gone on until it was taken."""
        end = self._consumer.bounds([partition])[partition][1]
        if next_offset > end:
            raise EngineStopped(
                "offset-gone",
                f"{partition.topic}/{partition.partition}: offset {next_offset} is wanted, but the log ends at {end}: it lost records that "
                "were applied already. See docs/runbooks/engine-stopped.md",
            )

    def _revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._ahead.moved({(p.topic, p.partition) for p in partitions})
        for partition in partitions:
            self._writer.owned.pop((partition.topic, partition.partition), None)
            if partition.topic == self._topics[0]:
                self._ids.drop(partition.partition)
        log.info("partitions_given_up", partitions=sorted((p.topic, p.partition) for p in partitions))


def _epoch_us(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1_000_000)
