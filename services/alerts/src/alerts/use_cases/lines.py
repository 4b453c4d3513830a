"""Keeps the line along which ids of cases are made, and begins another one after a gap."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.domain.gate import lag_of
from alerts.domain.identities import kept
from alerts.ports.ledger import Ledger
from common.logs import get_logger

log = get_logger("lines")


@dataclass(frozen=True, slots=True)
class KeepingLine:
    """A chore. `max_lag`: beyond it the engine is catching up."""

    new_name: Callable[[], str]
    max_lag: timedelta
    name: str = "line"
    every: timedelta = timedelta(seconds=30)

    def round(self, ledger: Ledger, now: datetime) -> None:
        is_behind = any(lag_of(progress) > self.max_lag for progress in ledger.progress())
        with ledger.transaction():
            before = ledger.lock_line()
            after = kept(before, now, self.new_name(), is_behind=is_behind)
            ledger.save_line(after)
        if after.name != before.name:
            log.info("line_begun", settled=before.settles_at and before.settles_at.isoformat())
