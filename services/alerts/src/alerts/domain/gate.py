"""When nothing may open: while a tenant loads history, and while the engine is behind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# A load that nobody keeps alive counts as ended at its last sign of life (docs/architecture.md, "Loading history").
HEARTBEAT_TIMEOUT = timedelta(minutes=5)
FIGURES_ARE_COMPUTED_WITHIN = timedelta(seconds=60)
# From this lag on a partition is catching up: its accounts change again and again before they are right.
CATCHING_UP_LAG = timedelta(seconds=5)
# How often it is looked at all the same, so that a partition that never quite catches up still warns.
LOOKED_AT_WHILE_CATCHING_UP_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Load:
    """A tenant's load of history."""

    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the engine is on one partition.

    `applied_at`: ingest stamp of the last applied record, moved to the present while nothing is unread. `updated_at`: when that was written.
    `dirty_accounts`: those whose figures are still to be computed. `settled_at`: its accounts are compared with segments in which every load
    that ended by then was counted.
    """

    partition: int
    batch_no: int
    dirty_accounts: int
    applied_at: datetime | None
    updated_at: datetime
    settled_at: datetime | None


def effective_end(load: Load, now: datetime) -> datetime | None:
    """None while it runs."""
    if load.ended_at is not None:
        return load.ended_at
    return load.heartbeat_at if now - load.heartbeat_at > HEARTBEAT_TIMEOUT else None


def lag_of(progress: Progress) -> timedelta:
    """How old the last applied record was when it was applied. A drained partition applies records as they come, so it stays small."""
    if progress.applied_at is None:
        return timedelta(0)
    return max(progress.updated_at - progress.applied_at, timedelta(0))


def is_held(progress: Progress, evaluated_at: datetime | None, now: datetime, max_lag: timedelta) -> bool:
    """Whether a partition waits: what changes meanwhile stays in its feed and is evaluated once, when it has caught up.

    `evaluated_at`: when it last was; None when nobody knows.
    """
    lag = lag_of(progress)
    if lag > max_lag:
        return True
    is_due = evaluated_at is None or now - evaluated_at >= LOOKED_AT_WHILE_CATCHING_UP_EVERY
    return lag > CATCHING_UP_LAG and not is_due


def loading_tenants(loads: Mapping[int, Sequence[Load]]) -> frozenset[int]:
    """Tenants with a load that is not swept through yet: running, being applied, or waiting for its sweep."""
    return frozenset(tenant for tenant, of_tenant in loads.items() if of_tenant)


def ready_to_sweep(loads: Sequence[Load], progress: Iterable[Progress], now: datetime) -> datetime | None:
    """When a tenant's last load ended, once all its loads ended and every partition has applied what came before; else None."""
    ends = [effective_end(load, now) for load in loads]
    if not ends or any(end is None for end in ends):
        return None
    last = max(end for end in ends if end is not None)
    return last if all(has_passed(one, last) for one in progress) else None


def has_passed(progress: Progress, instant: datetime) -> bool:
    """Whether all records stamped before `instant` are applied, and the figures of their accounts computed and compared.

    Live events keep some account's figures waiting at any moment, so after a while that is not waited for any more.
    """
    if progress.applied_at is None or progress.applied_at < instant:
        return False
    is_compared = progress.settled_at is not None and progress.settled_at >= instant
    return (
        is_compared and progress.dirty_accounts == 0
    ) or progress.applied_at >= instant + FIGURES_ARE_COMPUTED_WITHIN
