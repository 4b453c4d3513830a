"""Arrays of PostgreSQL in its binary format as columns, without a Python object per element."""

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

# Dimensions, nulls, type, length and lower bound of an array of one dimension; an empty one has only the first three.
_HEADER_BYTES, _EMPTY_BYTES = 20, 12
_EIGHT = np.dtype([("size", ">i4"), ("value", ">i8")])
# PostgreSQL counts from 2000-01-01.
_US_TO_2000 = 946_684_800_000_000


def int8s(packed: bytes) -> Int64s:
    """From `array_send` of a bigint[] without nulls."""
    if len(packed) == _EMPTY_BYTES:
        return np.zeros(0, np.int64)
    return np.frombuffer(packed, _EIGHT, offset=_HEADER_BYTES)["value"].astype(np.int64)


def instants(packed: bytes) -> Int64s:
    """From `array_send` of a timestamptz[] without nulls: microseconds since 1970."""
    return int8s(packed) + _US_TO_2000
