"""The alerts' own memory, and the engine's figures beside it, as the evaluating use cases need them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.domain.cases import Case
from alerts.domain.freshness import Arrivals
from alerts.domain.gate import Load, Progress
from alerts.domain.priority import Renewal
from alerts.domain.routing import Target
from alerts.domain.silences import Silence
from alerts.ports.edge_stops import EdgeStops
from alerts.ports.facts import FactBook
from alerts.ports.identities import Identities
from alerts.ports.lives import Lives
from alerts.ports.records import Account, Alert, ArrivalQuestion, Definitions, Notification, Watch
from alerts.ports.reviews import Reviews
from alerts.ports.rota import Rota
from alerts.ports.tracking import Tracks


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the change feed of a partition was evaluated; `sweep_after` is set while all its accounts are walked."""

    batch_no: int
    sweep_after: int | None
    updated_at: datetime


# Batches read at a time; the engine closes at most ten a second, so this is a catch-up's stride.
MAX_BATCHES = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a partition's change feed: batches in (after, through]. `end` is the cursor behind it."""

    partition: int
    after: int
    through: int
    is_whole: bool
    end: Cursor

    @staticmethod
    def of(progress: Progress, cursor: Cursor, now: datetime) -> "Stretch":
        through = min(progress.batch_no, cursor.batch_no + MAX_BATCHES)
        is_whole = through == progress.batch_no
        # Until the end is reached the cursor's age is kept, so that what is looked at while it catches up is looked at in whole.
        end = Cursor(through, None, now if is_whole else cursor.updated_at)
        return Stretch(progress.partition, cursor.batch_no, through, is_whole, end)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A walk over a tenant's accounts after its loads ended at `through`; `next_account_id` is None once it is done."""

    tenant_id: int
    through: datetime
    next_account_id: int | None
    cases_opened: int


class Ledger(Lives, Rota, Reviews, Tracks, EdgeStops, Identities, FactBook, Protocol):
    """One connection of one thread.

    Every method raises Unavailable when the database does not answer: drop the ledger, pause, open another one and do the round again; nothing of
    an unfinished transaction stays. Evaluating the same change twice gives the same state.
    """

    def transaction(self) -> AbstractContextManager[object]:
        """What happens inside becomes visible at once, or not at all."""

    def try_lease(self, name: str) -> bool:
        """Take a lease that ends with `release` or with the connection, so a killed replica holds nothing. False when another one has it."""

    def try_leases(self, names: Sequence[str]) -> list[str]:
        """Those that were taken."""

    def release(self, names: Sequence[str]) -> None: ...

    # The engine's side, read only
    def progress(self) -> list[Progress]: ...
    def changed_accounts(
        self, stretches: Sequence[Stretch], without_tenants: Sequence[int]
    ) -> dict[int, list[tuple[int, datetime]]]:
        """By partition, pairs of account and when it was last computed; those never computed are left out."""

    def accounts_of_partition(self, partition: int, after: int, limit: int) -> list[tuple[int, int]]:
        """Pairs of account and tenant."""

    def accounts_of_tenant(self, tenant_id: int, after: int, limit: int) -> list[int]: ...
    def accounts(self, account_ids: Sequence[int]) -> list[Account]:
        """Those that have a computed state."""

    def gone_accounts(self, since: datetime, limit: int) -> list[Account]:
        """Those with live alerts of which nothing is left since then, without anything that was known of them."""

    def arrivals(self, questions: Sequence[ArrivalQuestion], now: datetime) -> list[Arrivals]:
        """One answer a question, in their order."""

    def open_renewals(self, account_ids: Sequence[int]) -> dict[int, list[Renewal]]:
        """Of accounts that have any worth something."""

    def loads(self) -> dict[int, list[Load]]:
        """By tenant: loads that are not yet swept through."""

    def definitions(self, tenant_id: int) -> Definitions | None:
        """May be what was in force a moment ago."""

    def newest_definitions(self, tenant_ids: Collection[int]) -> dict[int, Definitions | None]:
        """What is in force now, of each tenant."""

    # Our own side
    def cursors(self, partitions: Sequence[int]) -> dict[int, Cursor]:
        """Those that there are."""

    def save_cursors(self, cursors: Mapping[int, Cursor]) -> None: ...
    def lock_watches(self, accounts: Iterable[Account]) -> dict[int, Watch]:
        """By account, made where missing, and locked until the transaction ends: one replica decides about an account at a time."""

    def save_watches(self, watches: Sequence[Watch]) -> None: ...
    def live_alerts(self, account_ids: Sequence[int]) -> list[Alert]: ...
    def due_alerts(self, now: datetime, limit: int, without_tenants: Sequence[int]) -> list[int]:
        """Accounts, the longest due first, one for each alert."""

    def save_alerts(self, alerts: Sequence[Alert], now: datetime) -> None: ...
    def open_cases(self, account_ids: Sequence[int]) -> list[Case]:
        """At most one of each queue an account, locked until the transaction ends."""

    def account_of_case(self, tenant_id: int, case_id: str) -> int | None: ...
    def lock_case(self, tenant_id: int, case_id: str) -> Case | None: ...
    def alerts_of_cases(self, case_ids: Sequence[str]) -> list[Alert]: ...
    def lock_untold_cases(self, after: str, limit: int) -> list[Case]:
        """By id, those behind `after`, locked until the transaction ends; those that somebody else holds are left out."""

    def save_cases(self, cases: Sequence[Case]) -> None:
        """Stores them and announces each on the change feed of cases."""

    def save_verdict(self, case: Case, real: bool | None, actor: str, at: datetime) -> None:
        """Beside earlier ones; the latest counts."""

    def targets(self, tenant_id: int) -> tuple[Target, ...]: ...
    def told_receivers(self, case_ids: Sequence[str]) -> dict[str, frozenset[int]]:
        """By case, receivers that were sent its opening or worsening."""

    def silences(self, tenant_id: int, now: datetime) -> list[Silence]: ...
    def add_notifications(self, notifications: Sequence[Notification]) -> None:
        """Part of the transaction; delivery workers see them at the commit, and are woken by it."""

    def record(
        self,
        case: Case | None,
        tenant_id: int,
        kind: str,
        actor: str,
        at: datetime,
        detail: Mapping[str, object],
    ) -> None: ...
    def sweep(self, tenant_id: int) -> Sweep | None: ...
    def save_sweep(self, sweep: Sweep) -> None: ...
    def tidy(self, now: datetime) -> None:
        """Removes what its readers no longer need."""
