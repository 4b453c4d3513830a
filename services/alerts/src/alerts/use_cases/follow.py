"""Follows what the engine changed, partition by partition, and looks again at what time alone can change.

While a tenant loads its accounts are passed over (the walk at the load's end looks at each once); while the engine catches up the cursor stays, and
what changed meanwhile is evaluated once.

Replicas share the work by a lease per partition and round. A round that is cut off is done again by whoever comes next: evaluating twice gives the
same state, and the cursor moves only after its accounts were evaluated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts.domain.gate import Progress, is_held, lag_of, loading_tenants
from alerts.metrics import Metrics
from alerts.ports.ledger import Cursor, Ledger, Stretch
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.evaluate import Evaluator

# A transaction holds the locks of this many accounts at most.
CHUNK = 500
# The engine keeps its change feed for an hour; a cursor that was not touched for this long may have missed rows.
FEED_IS_KEPT_FOR = timedelta(minutes=45)
IDLE_CURSOR_REFRESH = timedelta(minutes=1)
# An account is gone as of when the transaction began that took its last event out, and a large backfill takes a while to revert.
GONE_ARE_SEEN_WITHIN = timedelta(hours=2)


def _waiting_since(cursor: Cursor | None, now: datetime) -> datetime:
    return cursor.updated_at if cursor else now


def _lease(partition: int) -> str:
    return f"partition-{partition}"


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
        # At first all that ever went: nobody may have looked for a while.
        self._gone_since = datetime.min.replace(tzinfo=UTC)

    def round(self, ledger: Ledger, now: datetime) -> bool:
        """Whether there may be more to do at once."""
        tenants = loading_tenants(ledger.loads())
        if tenants != self._loading:
            # What was calm before a load says nothing about what its sweep, perhaps another replica's, found.
            self._loading = tenants
            self.calm.forget_all()
        free, waiting = [], 0
        for one in ledger.progress():
            left = self._left.get(one.partition)
            if is_held(one, left.updated_at if left else None, now, self.max_lag):
                waiting += 1
            elif left is None or not _is_up_to_date(left, one, now):
                free.append(one)
        self.metrics.partitions_held(waiting)
        if not free:
            return False
        leased = ledger.try_leases([_lease(one.partition) for one in free])
        try:
            return self._follow(ledger, [one for one in free if _lease(one.partition) in leased], now)
        finally:
            ledger.release(leased)

    def _follow(self, ledger: Ledger, mine: Sequence[Progress], now: datetime) -> bool:
        """Evaluates what changed on partitions that are leased to us, all of it together, and moves their cursors."""
        cursors = ledger.cursors([one.partition for one in mine])
        if any(cursor != self._left.get(partition) for partition, cursor in cursors.items()):
            # Another replica was here: what we remember of these accounts is no longer sure.
            self.calm.forget_all()
        ranges, left, more = [], {}, False
        for one in sorted(mine, key=lambda one: _waiting_since(cursors.get(one.partition), now)):
            cursor = cursors.get(one.partition)
            if cursor is None or _may_have_missed(cursor, one, now):
                cursor = Cursor(one.batch_no, 0, now)
            if cursor.sweep_after is not None:
                left[one.partition] = self._walk(ledger, one.partition, cursor, now)
                more = True
            elif cursor.batch_no == one.batch_no:
                left[one.partition] = replace(cursor, updated_at=now)
            elif is_held(one, cursor.updated_at, now, self.max_lag):
                self._left[one.partition] = cursor
            else:
                ranges.append(Stretch.of(one, cursor, now))
        return self._look(ledger, ranges, left, now) or more

    def _look(
        self, ledger: Ledger, stretches: Sequence[Stretch], left: dict[int, Cursor], now: datetime
    ) -> bool:
        """One stretch of the feed per partition; those that would make the round long are left for the next one, or another replica."""
        stirred: set[int] = set()
        changed = ledger.changed_accounts(stretches, sorted(self._loading)) if stretches else {}
        more = False
        for stretch in stretches:
            if len(stirred) > CHUNK:
                more = True
                continue
            stirred |= {
                account
                for account, at in changed.get(stretch.partition, ())
                if not self.calm.is_as_it_was(account, at, now)
            }
            left[stretch.partition] = stretch.end
            more |= not stretch.is_whole
        self._evaluate(ledger, sorted(stirred), now)
        if left:
            ledger.save_cursors(left)
            self._left |= left
        return more

    def _walk(self, ledger: Ledger, partition: int, cursor: Cursor, now: datetime) -> Cursor:
        """One page of all accounts of the partition."""
        page = ledger.accounts_of_partition(partition, cursor.sweep_after or 0, CHUNK)
        self._evaluate(ledger, [account for account, tenant in page if tenant not in self._loading], now)
        return Cursor(cursor.batch_no, page[-1][0] if len(page) == CHUNK else None, now)

    def look_at_due(self, ledger: Ledger, now: datetime) -> bool:
        """Alerts whose pending, recovering or expected time may have ended, and those of accounts that are gone. Whether there may be more."""
        if any(lag_of(progress) > self.max_lag for progress in ledger.progress()):
            return False
        due = ledger.due_alerts(now, CHUNK, sorted(loading_tenants(ledger.loads())))
        self._evaluate(ledger, sorted(set(due)), now)
        more_gone = self.evaluator.withdraw_of_gone(ledger, self._gone_since, now, CHUNK)
        if not more_gone:
            self._gone_since = now - GONE_ARE_SEEN_WITHIN
        return more_gone or len(due) == CHUNK

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
