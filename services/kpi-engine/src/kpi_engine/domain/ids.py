"""Which identities were seen before: exact, in bounded memory.

Per partition, recent identities lie in sorted flat arrays. When they are many they are *sealed*: written to blocks in the database
and remembered in a filter of fixed size. A filter hit is only a suspicion, which the blocks confirm or clear.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.identity import ENTRY, Entries

TOP_BITS = 12  # bucket bits at level 0
LEVEL_BITS = 4  # more bits at each level below
MAX_LEVEL = 4  # 28 bits of bucket: blocks grow from there on
BLOCKS_BEFORE_MOVING = 16
MERGE_RUNS = 8

Mask = npt.NDArray[np.bool_]
Halves = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Found:
    """Which of the asked identities are known, and the fingerprint each was first seen with (0 where unknown)."""

    known: Mask
    fp: npt.NDArray[np.uint64]


class SortedRun:
    """Entries sorted by the first half of their identity, as columns; immutable."""

    def __init__(self, hi: Halves, lo: Halves, fp: Halves) -> None:
        self.hi, self.lo, self.fp = hi, lo, fp

    @classmethod
    def of(cls, entries: Entries) -> Self:
        # As machine integers: others are compared one by one.
        hi, lo, fp = (entries[name].astype(np.uint64) for name in ENTRY.names or ())
        order = np.argsort(hi)
        return cls(hi[order], lo[order], fp[order])

    def __len__(self) -> int:
        return len(self.hi)

    def find(self, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], into: Found) -> None:
        """Mark what is known here. First halves that are equal by chance (once in 2^64 pairs) are walked through one by one."""
        if not len(self.hi):
            return
        at = np.searchsorted(self.hi, hi)
        at_safe = np.minimum(at, len(self.hi) - 1)
        same_hi = (at < len(self.hi)) & (self.hi[at_safe] == hi)
        same = same_hi & (self.lo[at_safe] == lo)
        into.known[same] = True
        into.fp[same] = self.fp[at_safe[same]]
        for i in np.flatnonzero(same_hi & ~same):
            walk = int(at[i]) + 1
            while walk < len(self.hi) and self.hi[walk] == hi[i]:
                if self.lo[walk] == lo[i]:
                    into.known[i], into.fp[i] = True, self.fp[walk]
                walk += 1


class Filter:
    """A Bloom filter of fixed size: never says no to what was added; its false alarms grow with what it holds."""

    PROBES = 4

    def __init__(self, bits_log2: int) -> None:
        self._mask = np.uint64((1 << bits_log2) - 1)
        self._words = np.zeros(1 << (bits_log2 - 6), dtype=np.uint64)
        self.added = 0

    def add(self, entries: Entries) -> None:
        for word, bit in self._places(entries["hi"].astype(np.uint64), entries["lo"].astype(np.uint64)):
            np.bitwise_or.at(self._words, word, bit)
        self.added += len(entries)

    def maybe(self, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]) -> Mask:
        hit = np.ones(len(hi), dtype=np.bool_)
        if not self.added:
            return np.zeros(len(hi), dtype=np.bool_)
        for word, bit in self._places(hi, lo):
            hit &= (self._words[word] & bit) != 0
        return hit

    def _places(
        self, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]:
        # Double hashing: Kirsch and Mitzenmacher, "Less Hashing, Same Performance" (2006).
        step = lo | np.uint64(1)
        for k in range(self.PROBES):
            at = (hi + np.uint64(k) * step) & self._mask
            yield (at >> np.uint64(6)).astype(np.int64), np.uint64(1) << (at & np.uint64(63))


class PartitionIds:
    """The identities of one partition. Changes become part of it only by `add`, which the caller does after its commit."""

    def __init__(self, filter_bits_log2: int = 23) -> None:
        self._runs: list[SortedRun] = []
        self._filter = Filter(filter_bits_log2)
        self.recent = 0

    def find_recent(self, entries: Entries) -> Found:
        """Look among recent identities."""
        hi, lo = entries["hi"].astype(np.uint64), entries["lo"].astype(np.uint64)
        # In ascending order the search goes through a run once, where it would jump about in it: twice as quick in a long one.
        order = np.argsort(hi)
        hi, lo = hi[order], lo[order]
        ranked = Found(np.zeros(len(entries), dtype=np.bool_), np.zeros(len(entries), dtype=np.uint64))
        for run in self._runs:
            run.find(hi, lo, ranked)
        found = Found(np.empty_like(ranked.known), np.empty_like(ranked.fp))
        found.known[order], found.fp[order] = ranked.known, ranked.fp
        return found

    def suspects(self, entries: Entries, known: Mask) -> npt.NDArray[np.int64]:
        """Return the positions of entries that the blocks must be asked about."""
        maybe = self._filter.maybe(entries["hi"].astype(np.uint64), entries["lo"].astype(np.uint64))
        return np.flatnonzero(maybe & ~known)

    def add(self, entries: Entries) -> None:
        """Remember new identities (committed ones)."""
        if len(entries):
            self._runs.append(SortedRun.of(entries))
            self.recent += len(entries)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            self._runs[-2:] = [merged(self._runs[-2], self._runs[-1])]

    def recent_entries(self) -> Entries:
        """Return all recent identities, in no particular order."""
        out = np.empty(self.recent, dtype=ENTRY)
        at = 0
        for run in self._runs:
            part = out[at : at + len(run)]
            part["hi"], part["lo"], part["fp"] = run.hi, run.lo, run.fp
            at += len(run)
        return out

    def sealed(self, entries: Entries) -> None:
        """Move entries behind the filter: all recent ones, or ones read back from blocks at a start."""
        self._filter.add(entries)

    def forget_recent(self) -> None:
        """Drop recent identities, once they are sealed."""
        self._runs, self.recent = [], 0


def merged(one: SortedRun, other: SortedRun) -> SortedRun:
    """Return both runs as one."""
    hi = np.concatenate([one.hi, other.hi])
    # This kind of sort finds the two runs in order, and only merges them.
    order = np.argsort(hi, kind="stable")
    lo, fp = np.concatenate([one.lo, other.lo]), np.concatenate([one.fp, other.fp])
    return SortedRun(hi[order], lo[order], fp[order])


def first_of_each(entries: Entries) -> npt.NDArray[np.int64]:
    """For each entry return the position of the first entry with the same identity (its own position when it is the first)."""
    first = np.arange(len(entries))
    hi = entries["hi"].astype(np.uint64)
    ranked = np.sort(hi)
    # Nearly all of them are there once, and told apart by their first halves.
    several = np.flatnonzero(np.isin(hi, ranked[1:][ranked[1:] == ranked[:-1]]))
    if len(several):
        first[several] = several[_first_of_each(entries[several])]
    return first


def _first_of_each(entries: Entries) -> npt.NDArray[np.int64]:
    pairs = np.stack([entries["hi"].astype(np.uint64), entries["lo"].astype(np.uint64)], axis=1)
    order = np.lexsort((np.arange(len(pairs)), pairs[:, 1], pairs[:, 0]))
    ranked = pairs[order]
    starts = np.ones(len(pairs), dtype=np.bool_)
    starts[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    heads = order[np.maximum.accumulate(np.where(starts, np.arange(len(pairs)), 0))]
    first = np.empty(len(pairs), dtype=np.int64)
    first[order] = heads
    return first


def bucket_bits(level: int) -> int:
    """Return how many leading bits of an identity make its bucket at a level."""
    return TOP_BITS + LEVEL_BITS * level


def buckets_of(entries: Entries, level: int) -> npt.NDArray[np.int64]:
    """Return the bucket of each entry at a level."""
    return (entries["hi"].astype(np.uint64) >> np.uint64(64 - bucket_bits(level))).astype(np.int64)


def blocks_of(entries: Entries, level: int) -> list[tuple[int, bytes]]:
    """Split entries into (bucket, entries as bytes), sorted by bucket."""
    if not len(entries):
        return []
    buckets = buckets_of(entries, level)
    order = np.argsort(buckets, kind="stable")
    ranked, ranked_entries = buckets[order], entries[order]
    cuts = np.flatnonzero(np.diff(ranked)) + 1
    starts = [0, *cuts.tolist()]
    return [
        (int(ranked[start]), part.tobytes())
        for start, part in zip(starts, np.split(ranked_entries, cuts), strict=True)
    ]
