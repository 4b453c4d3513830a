"""Identities in the database: a log of recent ones and blocks of sealed ones, with the memory in front of them."""

from collections.abc import Iterable

import numpy as np

from kpi_engine.domain.identity import ENTRY, Entries
from kpi_engine.domain.ids import (
    BLOCKS_BEFORE_MOVING,
    MAX_LEVEL,
    Found,
    PartitionIds,
    SortedRun,
    blocks_of,
    buckets_of,
)
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import PendingIds

# Recent identities kept in memory by one engine over all its partitions: 24 bytes each, and as much again while runs are merged.
RECENT_LIMIT = 393_216
# Buckets moved a level down per transaction, so that no batch waits long for housekeeping.
MOVED_PER_BATCH = 32
CHUNK_ROWS = 2_000


class IdStore:
    """Finds duplicates exactly. Memory changes only in `committed`, so a rolled-back transaction leaves no trace."""

    def __init__(self, recent_limit: int = RECENT_LIMIT, filter_bits_log2: int = 25) -> None:
        self._recent_limit = recent_limit
        self._filter_bits_log2 = filter_bits_log2
        self._partitions: dict[int, PartitionIds] = {}

    def take(self, connection: Connection, partition: int) -> None:
        """Read a partition's identities back: the log into memory, the blocks into the filter."""
        ids = PartitionIds(self._filter_bits_log2)
        with connection.cursor(name="sealed_ids") as cursor:
            cursor.itersize = CHUNK_ROWS
            cursor.execute(
                "select entries from engine.id_block where partition = %s", (partition,), binary=True
            )
            while rows := cursor.fetchmany(CHUNK_ROWS):
                ids.sealed(np.frombuffer(b"".join(row[0] for row in rows), dtype=ENTRY))
        rows = connection.execute(
            "select entries from engine.id_log where partition = %s order by batch_no",
            (partition,),
            binary=True,
        ).fetchall()
        ids.add(np.frombuffer(b"".join(row[0] for row in rows), dtype=ENTRY))
        self._partitions[partition] = ids

    def drop(self, partition: int) -> None:
        """Forget a partition that another engine owns now."""
        self._partitions.pop(partition, None)

    def find(self, connection: Connection, partition: int, entries: Entries) -> Found:
        """Say which identities are known, and with which fingerprint they were first seen."""
        ids = self._partitions[partition]
        found = ids.find_recent(entries)
        suspects = ids.suspects(entries, found.known)
        if len(suspects):
            in_blocks = self._find_in_blocks(connection, partition, entries[suspects])
            found.known[suspects] = in_blocks.known
            found.fp[suspects] = in_blocks.fp
        return found

    def append(self, connection: Connection, partition: int, batch_no: int, entries: Entries) -> PendingIds:
        """Log new identities; seals the partition's recent ones when memory holds enough of them."""
        if len(entries):
            connection.execute(
                """insert into engine.id_log as log (partition, batch_no, entries) values (%s, %s, %b)
                   on conflict (partition, batch_no) do update set entries = log.entries || excluded.entries""",
                (partition, batch_no, entries.tobytes()),
            )
        return PendingIds(partition, entries)

    def committed(self, pending: Iterable[PendingIds]) -> None:
        """Remember what a committed transaction added."""
        for new in pending:
            self._partitions[new.partition].add(new.entries)

    def recent(self) -> int:
        """Return how many identities memory holds."""
        return sum(ids.recent for ids in self._partitions.values())

    def seal_due(self) -> int | None:
        """Return the partition to be sealed next, or None while memory is within its limit."""
        if self.recent() <= self._recent_limit:
            return None
        return max(self._partitions, key=lambda p: self._partitions[p].recent)

    def seal(self, connection: Connection, partition: int, batch_no: int) -> Entries:
        """Write a partition's recent identities to blocks, in the caller's transaction; call `forget` after its commit."""
        entries = self._partitions[partition].recent_entries()
        self._write_blocks(connection, partition, 0, batch_no, entries)
        connection.execute("delete from engine.id_log where partition = %s", (partition,))
        for level in range(MAX_LEVEL):
            self._move_down(connection, partition, level, batch_no)
        return entries

    def sealed(self, partition: int, entries: Entries) -> None:
        """After the commit of a seal: the filter stands for what memory drops."""
        ids = self._partitions[partition]
        ids.sealed(entries)
        ids.forget_recent()

    def _find_in_blocks(self, connection: Connection, partition: int, entries: Entries) -> Found:
        found = Found(np.zeros(len(entries), dtype=np.bool_), np.zeros(len(entries), dtype=np.uint64))
        wanted = [
            (level, int(bucket))
            for level in range(MAX_LEVEL + 1)
            for bucket in np.unique(buckets_of(entries, level))
        ]
        rows = connection.execute(
            """select b.entries from engine.id_block b
               join unnest(%s::int[], %s::int[]) as w(level, bucket) on b.level = w.level and b.bucket = w.bucket
               where b.partition = %s""",
            ([level for level, _ in wanted], [bucket for _, bucket in wanted], partition),
            binary=True,
        ).fetchall()
        run = SortedRun.of(np.frombuffer(b"".join(row[0] for row in rows), dtype=ENTRY))
        run.find(entries["hi"].astype(np.uint64), entries["lo"].astype(np.uint64), found)
        return found

    def _write_blocks(
        self, connection: Connection, partition: int, level: int, generation: int, entries: Entries
    ) -> None:
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "copy engine.id_block (partition, level, bucket, generation, entries) from stdin (format binary)"
            ) as copy,
        ):
            copy.set_types(["int4", "int2", "int4", "int8", "bytea"])
            for bucket, block in blocks_of(entries, level):
                copy.write_row((partition, level, bucket, generation, block))

    def _move_down(self, connection: Connection, partition: int, level: int, generation: int) -> None:
        full = connection.execute(
            """select bucket from engine.id_block where partition = %s and level = %s
               group by bucket having count(*) >= %s limit %s""",
            (partition, level, BLOCKS_BEFORE_MOVING, MOVED_PER_BATCH),
        ).fetchall()
        if not full:
            return
        rows = connection.execute(
            "delete from engine.id_block where partition = %s and level = %s and bucket = any(%s) returning entries",
            (partition, level, [row[0] for row in full]),
            binary=True,
        ).fetchall()
        moved = np.frombuffer(b"".join(row[0] for row in rows), dtype=ENTRY)
        self._write_blocks(connection, partition, level + 1, generation, moved)
