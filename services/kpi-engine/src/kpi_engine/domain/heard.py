"""When accounts were heard of and last active, put together over the pieces of a transaction before it is stored."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.measures import Grouping

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

# Stands for "never" in columns, which have no nulls.
NEVER_US = 0
_LAST_US = np.iinfo(np.int64).max


class Ends(NamedTuple):
    """Of each account, in ascending order and each once, in epoch microseconds: its first and last event, its last activity, or
    NEVER_US, and the newest ingest stamp, or NEVER_US."""

    accounts: Int64s
    first: Int64s
    last: Int64s
    activity: Int64s
    ingested: Int64s


@dataclass(slots=True)
class Heard:
    """Of one tenant; events of the tenant itself, of no account, aside."""

    _pieces: list[Ends] = field(default_factory=list)

    def note(self, batch: TenantBatch, grouping: Grouping, kept: Booleans, active: Booleans) -> None:
        """Add the batch's `kept` events; `active` marks activity that counts."""
        of, at = grouping.account_of[kept], batch.event_at_us[kept]
        stamps = batch.ingested_at_us[kept] if len(batch.ingested_at_us) else np.full(len(at), NEVER_US)
        activity = np.where(active[kept], at, NEVER_US)
        self._pieces.append(_ends(grouping.accounts, of, at, at, activity, stamps))

    def take(self) -> Ends:
        """Return all that was noted, and forget it."""
        pieces, self._pieces = self._pieces, []
        if len(pieces) < 2:
            return pieces[0] if pieces else Ends(*[np.zeros(0, np.int64)] * 5)
        accounts, *columns = (np.concatenate(column) for column in zip(*pieces, strict=True))
        known, of = np.unique(accounts, return_inverse=True)
        return _ends(known, of, *columns)


def _ends(
    accounts: Int64s, of: Int64s, first: Int64s, last: Int64s, activity: Int64s, ingested: Int64s
) -> Ends:
    """Row i is of account `accounts[of[i]]`; accounts without a row, and account 0, are left out."""
    firsts = np.full(len(accounts), _LAST_US)
    np.minimum.at(firsts, of, first)
    latest = [np.full(len(accounts), NEVER_US) for _ in range(3)]
    for column, values in zip(latest, (last, activity, ingested), strict=True):
        np.maximum.at(column, of, values)
    chosen = (firsts != _LAST_US) & (accounts != 0)
    return Ends(accounts[chosen], firsts[chosen], *(column[chosen] for column in latest))
