"""New events by the hour of their arrival, their source and type, and by group of accounts."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.batch import TenantBatch

Int64s = npt.NDArray[np.int64]

# Of one partition. Accounts fall into groups by chance, so that a fault shows in all of them and one account in one.
GROUPS = 16
HOUR_US = 3_600 * 1_000_000
# What happened earlier than this before it arrived is history: it says nothing of how things arrive.
HISTORY_US = 48 * HOUR_US
# Spreads account numbers, which follow each other, over the groups (Knuth's multiplicative hash).
_SPREAD, _SPREAD_BITS = 2_654_435_761, 16
_PARTITION_BITS = 15  # partitions are stored as smallint


@dataclass(frozen=True, slots=True)
class Cell:
    """Events of one hour (in hours since 1970), partition, source and type; `groups` has one number a group."""

    hour: int
    partition: int
    source: str
    type: str
    groups: Int64s


def cells(batch: TenantBatch) -> list[Cell]:
    """In the order of their keys, so that writers never wait for each other in a circle."""
    live = np.flatnonzero(batch.event_at_us >= batch.ingested_at_us - HISTORY_US)
    if not len(live):
        return []
    codes: dict[tuple[str, str], int] = defaultdict(count().__next__)
    pairs = zip(batch.sources, batch.types, strict=True)
    names = np.fromiter(map(codes.__getitem__, pairs), np.int64, len(batch.types))[live]
    hours = batch.ingested_at_us[live] // HOUR_US
    # One number for hour, partition and name: sorting rows of them takes ten times as long.
    keys = ((hours << _PARTITION_BITS) + batch.partitions[live]) * len(codes) + names
    found, cell_of = np.unique(keys, return_inverse=True)
    flat = cell_of * GROUPS + group_of(batch.account_ids[live])
    counts = np.bincount(flat, minlength=len(found) * GROUPS).reshape(-1, GROUPS)
    known, last = list(codes), (1 << _PARTITION_BITS) - 1
    made = []
    for key, of in zip(found.tolist(), counts, strict=True):
        place, name = divmod(key, len(codes))
        source, kind = known[name]
        made.append(Cell(place >> _PARTITION_BITS, place & last, source, kind, of))
    return sorted(made, key=lambda cell: (cell.hour, cell.partition, cell.source, cell.type))


def group_of(account_ids: Int64s) -> Int64s:
    found: Int64s = ((account_ids * _SPREAD) >> _SPREAD_BITS) % GROUPS
    return found
