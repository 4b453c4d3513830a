"""Account state for the accounts whose turn it is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from kpi_engine.domain.ownership import Choice, Owned
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.figures import States
from kpi_engine.ports.stores import Names


class StateComputer:
    """Computes states inside the batch's transaction, and finds accounts that only time has changed."""

    def __init__(self, names: Names, states: States) -> None:
        self._names, self._states = names, states

    def compute(self, connection: Connection, choices: Sequence[Choice], now: datetime) -> int:
        """Compute the chosen accounts; returns how many."""
        by_tenant: dict[int, list[int]] = defaultdict(list)
        for choice in choices:
            by_tenant[choice.tenant_id].append(choice.account_id)
        computed = 0
        for tenant_id, account_ids in by_tenant.items():
            catalogue = self._names.catalogue(connection, tenant_id)
            if catalogue is not None:
                computed += self._states.compute(connection, tenant_id, catalogue, account_ids, now, now)
        return computed

    def compared(self) -> list[int]:
        """The tenants of which an account was compared with its segment."""
        return self._states.compared()

    def settle(self, connection: Connection, tenants: Iterable[int], now: datetime) -> int:
        """After many events: make the accounts due whose segment has moved since they were computed; returns how many."""
        overtaken = 0
        for tenant_id in tenants:
            catalogue = self._names.catalogue(connection, tenant_id)
            if catalogue is not None:
                overtaken += self._states.overtake(connection, tenant_id, catalogue, now)
        return overtaken

    def redefined(self, connection: Connection, owned: Sequence[Owned], now: datetime) -> int:
        """Once other definitions are in force, or partitions are new here: make the accounts due that were computed by former ones;
        returns how many."""
        return self._states.redefined(connection, now, sorted(part.partition for part in owned))

    def find_due(self, connection: Connection, owned: Sequence[Owned], now: datetime, limit: int) -> int:
        """Put accounts of owned partitions that are due among the waiting ones; returns how many."""
        by_partition = {part.partition: part for part in owned}
        due = self._states.due(connection, now, limit, sorted(by_partition))
        for tenant_id, account_id, partition in due:
            by_partition[partition].dirty.setdefault(account_id, tenant_id)
        return len(due)
