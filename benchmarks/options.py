"""How large a run is to be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """All but `quick` as asked for, 0 where a bench is to choose by itself."""

    quick: bool = False
    events: int = 0
    rounds: int = 0
    seeds: int = 0
    accounts: int = 0
    engines: int = 0
    copies: int = 0

    def size(self, *, quick: int, full: int) -> int:
        return self.events or (quick if self.quick else full)

    def times(self, *, quick: int, full: int) -> int:
        return self.rounds or (quick if self.quick else full)
