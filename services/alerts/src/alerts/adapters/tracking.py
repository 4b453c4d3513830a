"""Faults of tracking in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from alerts.adapters.connected import Connected
from alerts.domain.inhibition import Fault
from alerts.ports.tracking import News, Tracks
from common.tracking.verdicts import Broken


class PostgresTracking(Connected, Tracks):
    """A part of the ledger, on its connection."""

    def faults(self, tenant_ids: Sequence[int]) -> list[Fault]:
        return [_fault(row) for row in self._rows("faults", tenants=list(tenant_ids))]

    def tracking_news(self) -> list[News]:
        return [News(_fault(row[:-2]), *row[-2:]) for row in self._rows("tracking_news")]

    def fired_since(self, tenant_id: int, rules: Sequence[str], since: datetime) -> list[int]:
        found = self._rows("fired_since", tenant=tenant_id, rules=list(rules), since=since)
        return [account_id for (account_id,) in found]

    def taken_back(self, tenant_id: int, reason: str, at: datetime) -> int:
        return int(self._rows("taken_back", tenant=tenant_id, reason=reason, at=at)[0][0])

    def note_broken(self, faults: Sequence[Fault], withdrawn: int, at: datetime) -> None:
        self._do_many("note_broken", [{**_key(one), "at": at, "withdrawn": withdrawn} for one in faults])

    def note_mended(self, faults: Sequence[Fault], at: datetime) -> None:
        self._do_many("note_mended", [{**_key(one), "at": at} for one in faults])


def _fault(row: tuple[Any, ...]) -> Fault:
    tenant_id, kind, name, since, expected, seen, types, share, renamed_to = row
    return Fault(tenant_id, kind, name, Broken(since, expected, seen, tuple(types), share, renamed_to))


def _key(fault: Fault) -> dict[str, Any]:
    return {"tenant": fault.tenant_id, "kind": fault.kind, "name": fault.name, "since": fault.broken.since}
