"""Which keys were stored lately: a set in fixed memory that may forget, and never errs otherwise."""

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
Booleans = npt.NDArray[np.bool_]

# Odd constants of splitmix64: every bit of a key reaches the bits that choose its slot.
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_TAG = 0x9E3779B97F4A7C15
_LOW_64 = (1 << 64) - 1
_NO_TAG = np.int32(np.iinfo(np.int32).min)


class SeenKeys:
    """Two slots per key; who comes third displaces one. A key is (tag, int64), the tag any int32 but the smallest."""

    def __init__(self, slots: int = 1 << 20) -> None:
        """`slots` is a power of two; 24 bytes each."""
        self._bits = slots.bit_length() - 1
        self._keys = np.zeros((2, slots), np.int64)
        self._tags = np.full((2, slots), _NO_TAG, np.int32)

    def holds(self, tag: int, keys: Int64s) -> Booleans:
        first, second = self._slots(tag, keys)
        return self._at(0, first, tag, keys) | self._at(1, second, tag, keys)

    def add(self, tag: int, keys: Int64s) -> None:
        first, second = self._slots(tag, keys)
        free = self._tags[0, first] == _NO_TAG
        self._put(0, first[free], tag, keys[free])
        # Taken by somebody else, or by another key of these.
        left = ~self._at(0, first, tag, keys)
        self._put(1, second[left], tag, keys[left])

    def forget(self, tag: int, keys: Int64s) -> None:
        for way, slots in enumerate(self._slots(tag, keys)):
            self._tags[way, slots[self._at(way, slots, tag, keys)]] = _NO_TAG

    def clear(self) -> None:
        self._tags.fill(_NO_TAG)

    def _put(self, way: int, slots: Int64s, tag: int, keys: Int64s) -> None:
        self._keys[way, slots] = keys
        self._tags[way, slots] = tag

    def _at(self, way: int, slots: Int64s, tag: int, keys: Int64s) -> Booleans:
        found: Booleans = (self._keys[way, slots] == keys) & (self._tags[way, slots] == tag)
        return found

    def _slots(self, tag: int, keys: Int64s) -> tuple[Int64s, Int64s]:
        return places(keys.astype(np.uint64) + np.uint64(tag * _TAG & _LOW_64), self._bits)


def places(keys: UInt64s, bits: int) -> tuple[Int64s, Int64s]:
    """Two places for each key among 2**bits of them, which look as if they were chosen by chance."""
    mixed = keys
    for shift, factor in zip((np.uint64(30), np.uint64(27)), _MIX, strict=True):
        mixed = (mixed ^ (mixed >> shift)) * factor
    mixed = mixed ^ (mixed >> np.uint64(31))
    mask = np.uint64((1 << bits) - 1)
    return (mixed & mask).astype(np.int64), ((mixed >> np.uint64(32)) & mask).astype(np.int64)
