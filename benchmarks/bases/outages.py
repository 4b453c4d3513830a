"""Days on which the customers worked as ever and our tracking said something else."""

from dataclasses import dataclass

import numpy as np
from benchmarks.bases.calendar import DAYS, JUDGED_FROM


@dataclass(frozen=True, slots=True)
class Outage:
    """On days [first, end) events of `kind` (None: of all kinds) from `source` (None: from all) are missing, or come under another name."""

    name: str
    first: int
    end: int
    kind: str | None
    source: str | None
    renamed_to: str | None = None

    def hits(self, kind: str, source: str) -> bool:
        return self.kind in (None, kind) and self.source in (None, source)


def outages(seed: int) -> tuple[Outage, ...]:
    """One of each sort in a base, in weeks without much of a holiday and apart from each other: spring, late autumn, early autumn."""
    rng = np.random.default_rng([seed, 3])
    of_type = JUDGED_FROM + int(rng.integers(75, 100))
    of_source = JUDGED_FROM + int(rng.integers(12, 25))
    renamed = JUDGED_FROM + int(rng.integers(300, 315))
    found = (
        Outage("an event type missing", of_type, of_type + int(rng.integers(6, 13)), str(rng.choice(("user.logged_in", "feature.used"))), None),
        Outage("a source missing", of_source, of_source + int(rng.integers(4, 11)), None, "/product/eu"),
        Outage("an event renamed", renamed, renamed + int(rng.integers(25, 41)), "user.logged_in", "/product/us", "user.signed_in"),
    )  # fmt: skip
    assert all(outage.end < DAYS for outage in found)
    return found
