"""What follows from changed alerts, collected for a batch of accounts, and what was read once for all of them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alerts.domain.cases import Case, NoticeType, Status
from alerts.domain.on_call import Override, Page
from alerts.domain.people import Team
from alerts.domain.routing import Target
from alerts.domain.severity import Severity
from alerts.domain.silences import Silence
from alerts.domain.workdays import MuteTime
from alerts.ports.ledger import Ledger
from alerts.ports.records import Account, Alert, Definitions, Notification

Family = tuple[int, str]
"""Of a tenant, by its topmost account."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice that is decided and not yet worded. `only_told`: to those of its receivers that heard of the case before."""

    notice: NoticeType
    account: Account
    case: Case
    evidence: Sequence[Alert]
    receivers: Sequence[Target]
    only_told: bool
    more: Mapping[str, Any]


@dataclass
class Outcome:
    """What is to be written: alerts with their case, cases, pages and the outbox. Letters are worded at its end, all together."""

    alerts: list[Alert] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    fresh: list[tuple[Account, Case, tuple[str, ...]]] = field(default_factory=list)
    """Cases with rules that are new to them: their playbooks are to be set."""
    opened: int = 0
    """Of the risk queue: nobody is told of growth."""
    stormed: Counter[int] = field(default_factory=Counter)
    """Cases by tenant that a storm's summary tells of instead."""
    _told_before: dict[int, int] = field(default_factory=dict)
    _told_now: Counter[int] = field(default_factory=Counter)
    _families: dict[Family, dict[str, Severity]] = field(default_factory=dict)
    _targets: dict[int, tuple[Target, ...]] = field(default_factory=dict)
    _silences: dict[int, list[Silence]] = field(default_factory=dict)
    _records: dict[int, Mapping[str, str]] = field(default_factory=dict)
    _mute_times: dict[int, Sequence[MuteTime]] = field(default_factory=dict)
    _teams: dict[int, Team] = field(default_factory=dict)
    _overrides: dict[int, Sequence[Override]] = field(default_factory=dict)

    def targets(self, ledger: Ledger, tenant_id: int) -> tuple[Target, ...]:
        if tenant_id not in self._targets:
            self._targets[tenant_id] = ledger.targets(tenant_id)
        return self._targets[tenant_id]

    def silences(self, ledger: Ledger, tenant_id: int, now: datetime) -> list[Silence]:
        if tenant_id not in self._silences:
            self._silences[tenant_id] = ledger.silences(tenant_id, now)
        return self._silences[tenant_id]

    def mute_times(self, ledger: Ledger, definitions: Definitions) -> Sequence[MuteTime]:
        tenant_id = definitions.tenant_id
        if tenant_id not in self._mute_times:
            self._mute_times[tenant_id] = mute_times(ledger, definitions)
        return self._mute_times[tenant_id]

    def team(self, ledger: Ledger, definitions: Definitions, now: datetime) -> Team:
        tenant_id = definitions.tenant_id
        if tenant_id not in self._teams:
            leaves = [row.leave for row in ledger.leaves(tenant_id, now)]
            self._teams[tenant_id] = definitions.team.joined_by(leaves)
        return self._teams[tenant_id]

    def overrides(self, ledger: Ledger, tenant_id: int, now: datetime) -> Sequence[Override]:
        if tenant_id not in self._overrides:
            self._overrides[tenant_id] = ledger.on_call_overrides(tenant_id, now)
        return self._overrides[tenant_id]

    def records(self, ledger: Ledger, tenant_id: int) -> Mapping[str, str]:
        if tenant_id not in self._records:
            self._records[tenant_id] = ledger.records_in_words(tenant_id)
        return self._records[tenant_id]

    def told_recently(self, ledger: Ledger, tenant_id: int, within: timedelta, now: datetime) -> int:
        """Cases that people were told of one by one, those of this outcome included."""
        if tenant_id not in self._told_before:
            self._told_before[tenant_id] = ledger.cases_told_since(tenant_id, now - within)
        return self._told_before[tenant_id] + self._told_now[tenant_id]

    def note_told(self, case: Case, within: timedelta, now: datetime) -> None:
        """That people are told of the case now; one that they were told of within that time counts already."""
        if case.paged_at is None or case.paged_at <= now - within:
            self._told_now[case.tenant_id] += 1

    def read_families(self, ledger: Ledger, families: Collection[Family]) -> None:
        """Reads, once, what people were paged of these."""
        missing = set(families) - self._families.keys()
        for tenant_id in sorted({tenant for tenant, _ in missing}):
            names = sorted(name for tenant, name in missing if tenant == tenant_id)
            self._families |= {(tenant_id, name): {} for name in names}
            for name, case_id, severity in ledger.families_told(tenant_id, names):
                self._families[(tenant_id, name)][case_id] = severity

    def family_told(self, ledger: Ledger, family: Family, besides: str) -> list[Severity]:
        """What people were paged of the family's other open cases."""
        self.read_families(ledger, [family])
        return [severity for case_id, severity in self._families[family].items() if case_id != besides]

    def add_case(self, case: Case) -> None:
        self.cases.append(case)
        family = self._families.get((case.tenant_id, case.family or ""))
        if family is None:
            return
        family.pop(case.id, None)
        if (
            case.status is not Status.RESOLVED
            and case.paged_at is not None
            and case.told_severity is not None
        ):
            family[case.id] = case.told_severity


def mute_times(ledger: Ledger, definitions: Definitions) -> Sequence[MuteTime]:
    """Of alerting.yaml, and those made by hand."""
    made = (one.window for one in ledger.mute_times(definitions.tenant_id))
    return (*definitions.terms.mute_times, *made)
