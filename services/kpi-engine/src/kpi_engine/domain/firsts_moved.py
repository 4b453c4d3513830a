"""What a transaction changed of steps of which only the first by each person is kept. Told as revisions."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from kpi_engine.domain.steps import Kind

Key = tuple[int, int]
"""(account, person)"""


@dataclass(slots=True)
class FirstsMoved:
    """`before`: by kind, when each that was touched took the step first, as it counted; None where it didn't count or was unknown.

    `added`: how many are known for the first time; `known`: kinds of which others were. `earliest_us`: nothing before it moved.
    """

    before: dict[Kind, dict[Key, int | None]] = field(default_factory=lambda: defaultdict(dict))
    added: Counter[Kind] = field(default_factory=Counter)
    known: set[Kind] = field(default_factory=set)
    earliest_us: int | None = None

    def touched(self, kind: Kind, key: Key, stored_us: int | None, *, counts: bool, at_us: int) -> None:
        """It is about to be another one, or to count or not. `stored_us`: what was known of it, `counts`: under the marks of then,
        `at_us`: the earliest instant that is concerned. What was there when it was touched first is kept."""
        self.earliest_us = at_us if self.earliest_us is None else min(at_us, self.earliest_us)
        if key in self.before[kind]:
            return
        self.before[kind][key] = stored_us if counts else None
        if stored_us is None:
            self.added[kind] += 1
        else:
            self.known.add(kind)

    def merge(self, later: "FirstsMoved") -> None:
        for kind, before in later.before.items():
            for key, at_us in before.items():
                self.before[kind].setdefault(key, at_us)
        self.added.update(later.added)
        self.known |= later.known
        instants = [at for at in (self.earliest_us, later.earliest_us) if at is not None]
        self.earliest_us = min(instants, default=None)
