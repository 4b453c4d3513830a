"""How large a batch may be.

The larger one is, the more changes meet in a cell, and the fewer cells are stored for each event. Where events change many measures of many
accounts and days hardly any meet: then a large batch spares the database little and takes much memory.
"""

from dataclasses import dataclass, field

# As many changes of cells as a batch may bring, as far as the last ones tell.
MOST_CELL_CHANGES = 300_000
# In so many steps it becomes as large as it may be: what comes next may be of more accounts. Smaller it becomes at once.
GROWTH_STEPS = 24


@dataclass(slots=True)
class BatchSize:
    """`events`: how many the next batch may have, from `least` to `most`; in the beginning half of these."""

    most: int
    least: int
    events: int = field(init=False)

    def __post_init__(self) -> None:
        self.events = max(self.most // 2, self.least)

    def learn(self, events: int, cell_changes: int) -> None:
        """After a batch that brought so many changes. One of few events tells nothing of large ones."""
        if events < self.least or not cell_changes:
            return
        fitting = min(MOST_CELL_CHANGES * events // cell_changes, self.most)
        grown = self.events + max(1, self.most // GROWTH_STEPS)
        self.events = max(min(fitting, grown), self.least)
