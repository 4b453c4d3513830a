"""Who is who: ids of people by account and name, in fixed memory."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.seen import places

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

_NO_ACCOUNT = -1
# Odd: accounts, which are small numbers, reach all bits.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class KnownPeople:
    """Two slots per person; who comes third displaces one, and is not known any more. What it holds costs what nothing costs: a map
    of Python objects grows to twice as much while people come, or has to forget all of them at once.

    A name is known by Python's keyed 64-bit hash of it: of a million people at one account any two are taken for each other with a
    probability below 1e-7, and nobody outside can look for two such names.
    """

    def __init__(self, slots: int = 1 << 18) -> None:
        """`slots` is a power of two; 48 bytes each."""
        self._bits = slots.bit_length() - 1
        self._accounts = np.full((2, slots), _NO_ACCOUNT)
        self._names = np.zeros((2, slots), np.int64)
        self._ids = np.zeros((2, slots), np.int64)

    def find(self, accounts: Int64s, names: Int64s) -> Int64s:
        """The ids of these people, names as `hashes`; 0 of those that are not known."""
        found = np.zeros(len(accounts), np.int64)
        for way, slots in enumerate(self._slots(accounts, names)):
            here = self._at(way, slots, accounts, names)
            found[here] = self._ids[way, slots[here]]
        return found

    def put(self, accounts: Int64s, names: Int64s, ids: Int64s) -> None:
        """Remember people, each given once; ids are above 0."""
        first, second = self._slots(accounts, names)
        free = self._accounts[0, first] == _NO_ACCOUNT
        self._put(0, first, accounts, names, ids, free)
        # Taken by somebody else, or by another one of these.
        self._put(1, second, accounts, names, ids, ~self._at(0, first, accounts, names))

    def clear(self) -> None:
        self._accounts.fill(_NO_ACCOUNT)

    def _put(
        self, way: int, slots: Int64s, accounts: Int64s, names: Int64s, ids: Int64s, chosen: Booleans
    ) -> None:
        at = slots[chosen]
        columns = ((self._accounts, accounts), (self._names, names), (self._ids, ids))
        for column, values in columns:
            column[way, at] = values[chosen]

    def _at(self, way: int, slots: Int64s, accounts: Int64s, names: Int64s) -> Booleans:
        found: Booleans = (self._names[way, slots] == names) & (self._accounts[way, slots] == accounts)
        return found

    def _slots(self, accounts: Int64s, names: Int64s) -> tuple[Int64s, Int64s]:
        return places(names.astype(np.uint64) + accounts.astype(np.uint64) * _SPREAD, self._bits)


def hashes(names: Sequence[str | None]) -> Int64s:
    """Names as this process alone knows them."""
    return np.fromiter(map(hash, names), np.int64, len(names))
