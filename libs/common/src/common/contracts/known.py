"""When each event was known: by its arrival, by the source's `recordedtime`, or, for history that was loaded without it, taken as known
when it happened (ADR 0055).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from common.contracts.instants import instant_of, microseconds

Int64s = npt.NDArray[np.int64]
# Loaded events that are younger arrived as they happened.
_HISTORY_US: Final = timedelta(hours=24) // timedelta(microseconds=1)
_RECORDED: Final = b'"recordedtime"'


class Body(msgspec.Struct, gc=False):
    """What is read of an event's text once it is kept."""

    id: str = ""
    source: str = ""
    recordedtime: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


class KnownCounts(msgspec.Struct, frozen=True):
    """Events by how it was told when they were known."""

    by_arrival: int = 0
    by_recorded_time: int = 0
    assumed: int = 0

    def __add__(self, other: KnownCounts) -> KnownCounts:
        return KnownCounts(
            self.by_arrival + other.by_arrival,
            self.by_recorded_time + other.by_recorded_time,
            self.assumed + other.assumed,
        )


body_of = msgspec.json.Decoder(Body).decode


def known_at(
    at_us: Int64s, ingested_us: Int64s, bodies: Sequence[bytes], loads: Sequence[tuple[int, int]]
) -> tuple[Int64s, KnownCounts]:
    """Microseconds since 1970, as all times here. `loads`: from when to when history was loaded."""
    loaded = np.zeros(len(at_us), np.bool_)
    for start, end in loads:
        loaded |= (ingested_us >= start) & (ingested_us <= end)
    assumed = loaded & (ingested_us - at_us > _HISTORY_US)
    known_us = np.where(assumed, at_us, ingested_us)
    recorded = 0
    for n, body in enumerate(bodies):
        if _RECORDED in body and (said := body_of(body).recordedtime) is not None:
            known_us[n], assumed[n] = microseconds(instant_of(said)), False
            recorded += 1
    guessed = int(assumed.sum())
    return known_us, KnownCounts(len(at_us) - guessed - recorded, recorded, guessed)
