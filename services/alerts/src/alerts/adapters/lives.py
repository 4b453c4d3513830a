"""Families, storms, playbooks, suppressions and turns in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.adapters import rows
from alerts.adapters.connected import Connected
from alerts.domain.cases import Case
from alerts.domain.severity import Severity
from alerts.domain.suppression import Judged
from alerts.ports.lives import Lives, SetStep, Storm, Suppression

_SUPPRESSION = ("tenant_id", "account_id", "rule", "case_id", "judged_at")
_CHILD = ("case_id", "account", "severity", "money_at_risk", "family", "queue")


class PostgresLives(Connected, Lives):
    """A part of the ledger, on its connection."""

    def tops_of_families(self, tenant_id: int, accounts: Sequence[str]) -> dict[str, str]:
        found = self._rows("tops_of_families", tenant=tenant_id, accounts=list(accounts))
        return {account: account for account in accounts} | {account: str(top) for account, top in found}

    def families_told(self, tenant_id: int, families: Sequence[str]) -> list[tuple[str, str, Severity]]:
        found = self._rows("families_told", tenant=tenant_id, families=list(families))
        return [(family, case_id, severity) for family, case_id, severity in found]

    def cases_told_since(self, tenant_id: int, since: datetime) -> int:
        return int(self._rows("cases_told_since", tenant=tenant_id, since=since)[0][0])

    def due_cases(self, now: datetime, limit: int) -> list[Case]:
        return [rows.case_of(row) for row in self._rows("due_cases", now=now, limit=limit)]

    def open_cases_after(self, case_id: str, limit: int) -> list[Case]:
        return [rows.case_of(row) for row in self._rows("open_cases_after", after=case_id, limit=limit)]

    def save_stakes(self, cases: Sequence[Case]) -> None:
        self._do_all("save_stakes", [rows.case_values(case) for case in cases])
        self.announce(cases)

    def announce(self, cases: Sequence[Case]) -> None:
        """Puts them on the change feed of cases."""
        if not cases:
            return
        self._do(
            "announce",
            count=len(cases),
            tenants=[case.tenant_id for case in cases],
            cases=[case.id for case in cases],
            accounts=[case.account_id for case in cases],
        )
        self._do("notify_changes")

    def add_to_storm(self, tenant_id: int, cases: int, now: datetime) -> Storm | None:
        ((begins, *storm),) = self._rows("add_to_storm", tenant=tenant_id, cases=cases, now=now)
        return Storm(*storm) if begins else None

    def end_storms(self, tenant_id: int, quiet_since: datetime, now: datetime) -> list[Storm]:
        found = self._rows("end_storms", tenant=tenant_id, quiet=quiet_since, now=now)
        return [Storm(*row) for row in found]

    def stormy_tenants(self) -> list[int]:
        return [row[0] for row in self._rows("stormy_tenants")]

    def add_steps(self, steps: Sequence[SetStep]) -> None:
        self._do_all("add_steps", [_values(step) for step in steps])

    def steps(self, tenant_id: int, case_ids: Sequence[str]) -> list[SetStep]:
        return [SetStep(*row) for row in self._rows("steps", tenant=tenant_id, cases=list(case_ids))]

    def lock_step(self, tenant_id: int, case_id: str, step_id: str) -> SetStep | None:
        found = self._rows("lock_step", tenant=tenant_id, case=case_id, id=step_id)
        return SetStep(*found[0]) if found else None

    def end_step(self, step: SetStep) -> None:
        self._do("end_step", **_values(step))

    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        self._do_many(
            "suppress",
            [
                {name: getattr(one, name) for name in _SUPPRESSION}
                | {name: getattr(one.judged, name) for name in Judged.__slots__}
                for one in suppressions
            ],
        )

    def suppressions(self, account_ids: Sequence[int], now: datetime) -> list[Suppression]:
        found = self._rows("suppressions", ids=list(account_ids), now=now)
        return [_suppression(row) for row in found]

    def suppressions_of_case(self, tenant_id: int, case_id: str) -> list[Suppression]:
        found = self._rows("suppressions_of_case", tenant=tenant_id, case=case_id)
        return [_suppression(row) for row in found]

    def add_turns(self, turns: Sequence[tuple[int, int, str]], now: datetime) -> None:
        if turns:
            tenants, accounts, rules = (list(column) for column in zip(*turns, strict=True))
            self._do("add_turns", tenants=tenants, accounts=accounts, rules=rules, now=now)

    def turns(self, pairs: Sequence[tuple[int, str]], since: datetime) -> Mapping[tuple[int, str], int]:
        if not pairs:
            return {}
        found = self._rows(
            "turns",
            accounts=[account for account, _ in pairs],
            rules=[rule for _, rule in pairs],
            since=since,
        )
        return {(account, rule): count for account, rule, count in found}

    def children(self, tenant_id: int, families: Sequence[str]) -> list[Mapping[str, Any]]:
        found = self._rows("children", tenant=tenant_id, families=list(families))
        return [dict(zip(_CHILD, row, strict=True)) for row in found]


def _values(step: SetStep) -> dict[str, Any]:
    return {name: getattr(step, name) for name in SetStep.__slots__}


def _suppression(row: rows.Row) -> Suppression:
    tenant_id, account_id, rule, case_id, judged_at, until, figure, value, probability = row
    judged = Judged(until, figure, value, probability)
    return Suppression(tenant_id, account_id, rule, case_id, judged_at, judged)
