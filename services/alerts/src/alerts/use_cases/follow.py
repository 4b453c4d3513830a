"""Follows what the engine changed, partition by partition, and looks again at what time alone can change.

While a tenant loads its accounts are passed over (the walk at the load's end looks at each once); while the engine catches up the cursor stays, and
what changed meanwhile is evaluated once.

Replicas share the work by a lease per partition and round. A round that is cut off is done again by whoever comes next: evaluating twice gives the
same state, and the cursor moves only after its accounts were evaluated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.domain.gate import Progress, is_held, lag_of, loading_tenants
from alerts.metrics import Metrics
from alerts.ports.ledger import Cursor, Ledger
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.evaluate import Evaluator

# A transaction holds the locks of this many accounts at most.
CHUNK = 500
# Batches read at a time; the engine closes at most ten a second, so this is a catch-up's stride.
MAX_BATCHES = 200
# The engine keeps its change feed for an hour; a cursor that was not touched for this long may have missed rows.
FEED_IS_KEPT_FOR = timedelta(minutes=45)
IDLE_CURSOR_REFRESH = timedelta(minutes=1)


@dataclass
class Follower:
    """Runs in one thread. `max_lag`: nothing is evaluated on a partition whose last record was older than this when it was applied."""

    evaluator: Evaluator
    calm: CalmAccounts
    metrics: Metrics
    max_lag: timedelta

    def __post_init__(self) -> None:
        self._left: dict[int, Cursor] = {}
        self._loading: frozenset[int] = frozenset()

    def round(self, ledger: Ledger, now: datetime) -> bool:
        """Whether there may be more to do at once."""
        held, more = 0, False
        tenants = loading_tenants(ledger.loads())
        if tenants != self._loading:
            # What was calm before a load says nothing about what its sweep, perhaps another replica's, found.
            self._loading = tenants
            self.calm.forget_all()
        for progress in ledger.progress():
            left = self._left.get(progress.partition)
            if is_held(progress, left.updated_at if left else None, now, self.max_lag):
                held += 1
                continue
            if left is not None and _is_up_to_date(left, progress, now):
                continue
            lease = f"partition-{progress.partition}"
            if not ledger.try_lease(lease):
                continue
            try:
                more |= self._follow(ledger, progress, sorted(tenants), now)
            finally:
                ledger.release(lease)
        self.metrics.partitions_held(held)
        return more

    def _follow(self, ledger: Ledger, progress: Progress, loading: Sequence[int], now: datetime) -> bool:
        cursor = ledger.cursor(progress.partition)
        if cursor is not None and self._left.get(progress.partition) != cursor:
            # Another replica was here: what we remember of these accounts is no longer sure.
            self.calm.forget_all()
        if cursor is None or _may_have_missed(cursor, progress, now):
            cursor = Cursor(progress.batch_no, 0, now)
            self._leave(ledger, progress.partition, cursor)
        if cursor.sweep_after is not None:
            self._walk(ledger, progress.partition, cursor, set(loading), now)
            return True
        if cursor.batch_no == progress.batch_no:
            self._leave(ledger, progress.partition, replace(cursor, updated_at=now))
            return False
        if is_held(progress, cursor.updated_at, now, self.max_lag):
            self._left[progress.partition] = cursor
            return False
        through = min(progress.batch_no, cursor.batch_no + MAX_BATCHES)
        changed = ledger.changed_accounts(progress.partition, cursor.batch_no, through, loading)
        stirred = [account for account, at in changed if not self.calm.is_as_it_was(account, at, now)]
        self._evaluate(ledger, stirred, now)
        is_at_end = through == progress.batch_no
        # Until the end is reached its age is kept, so that a partition that is looked at while it catches up is looked at in whole.
        self._leave(
            ledger, progress.partition, Cursor(through, None, now if is_at_end else cursor.updated_at)
        )
        return not is_at_end

    def _walk(self, ledger: Ledger, partition: int, cursor: Cursor, loading: set[int], now: datetime) -> None:
        """One page of all accounts of the partition."""
        page = ledger.accounts_of_partition(partition, cursor.sweep_after or 0, CHUNK)
        self._evaluate(ledger, [account for account, tenant in page if tenant not in loading], now)
        after = page[-1][0] if len(page) == CHUNK else None
        self._leave(ledger, partition, Cursor(cursor.batch_no, after, now))

    def _leave(self, ledger: Ledger, partition: int, cursor: Cursor) -> None:
        ledger.save_cursor(partition, cursor)
        self._left[partition] = cursor

    def look_at_due(self, ledger: Ledger, now: datetime) -> bool:
        """Alerts whose pending, recovering or expected time may have ended. Whether there may be more."""
        if any(lag_of(progress) > self.max_lag for progress in ledger.progress()):
            return False
        due = ledger.due_alerts(now, CHUNK, sorted(loading_tenants(ledger.loads())))
        self._evaluate(ledger, sorted(set(due)), now)
        return len(due) == CHUNK

    def _evaluate(self, ledger: Ledger, account_ids: Sequence[int], now: datetime) -> None:
        for start in range(0, len(account_ids), CHUNK):
            self.evaluator.evaluate(ledger, account_ids[start : start + CHUNK], now)


def _is_up_to_date(left: Cursor, progress: Progress, now: datetime) -> bool:
    """Nothing changed since we left it; no walk is under way, and its cursor need not be kept alive yet."""
    is_at_end = left.sweep_after is None and left.batch_no == progress.batch_no
    return is_at_end and now - left.updated_at <= IDLE_CURSOR_REFRESH


def _may_have_missed(cursor: Cursor, progress: Progress, now: datetime) -> bool:
    """The feed went back (a topic made anew) or is no longer whole from the cursor on."""
    if progress.batch_no < cursor.batch_no:
        return True
    return progress.batch_no > cursor.batch_no and now - cursor.updated_at > FEED_IS_KEPT_FOR
