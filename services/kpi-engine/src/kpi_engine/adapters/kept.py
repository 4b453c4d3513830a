"""Which measures are stored, and from which day on their counts are whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Kept:
    """By the names that counts are kept under. `ids`: of those that something was counted for.

    `whole_from`: the first whole local day, of those that were counted for the past when raw events had been dropped.
    """

    ids: Mapping[str, int]
    whole_from: Mapping[str, date]

    def is_whole_from(self, name: str, day: date) -> bool:
        return self.whole_from.get(name, day) <= day

    def all_whole_from(self, names: Iterable[str]) -> date | None:
        """None where all ever was counted of all of them."""
        return max((self.whole_from[name] for name in names if name in self.whole_from), default=None)
