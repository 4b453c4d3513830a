"""One open case per account and queue: what its alerts add up to, and when people are told.

People are told when a case opens and when it gets worse (a severity above what they know, or a rule they have not heard of), not otherwise.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum

from alerts.domain.episodes import State
from alerts.domain.priority import Paging, Queue, Stakes
from alerts.domain.severity import Severity, rank, worst


class Status(Enum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Resolution(Enum):
    RECOVERED = "recovered"
    WITHDRAWN = "withdrawn"
    EXPECTED = "expected"
    SAVED = "saved"
    LOST = "lost"
    WON = "won"
    NOT_REAL = "not_real"


class Origin(Enum):
    LIVE = "live"
    LOAD = "load"


class NoticeType(Enum):
    OPENED = "case.opened"
    WORSENED = "case.worsened"
    LAPSED = "case.lapsed"
    ESCALATED = "case.escalated"
    ACKNOWLEDGED = "case.acknowledged"
    RESOLVED = "case.resolved"
    WITHDRAWN = "alert.withdrawn"
    LOAD_SUMMARY = "load.summary"
    STORM_SUMMARY = "storm.summary"
    DIGEST = "digest.morning"
    HEARTBEAT = "heartbeat"
    TRACKING_BROKEN = "tracking.broken"
    TRACKING_MENDED = "tracking.mended"
    DRIVER_STOPPED = "driver.stopped"
    DRIVER_HOLDS = "driver.holds"
    RECEIVER_TEST = "receiver.test"
    RECEIVER_DISABLED = "receiver.disabled"


@dataclass(frozen=True, slots=True)
class Case:
    """`told_*` is what people know; `untold` says that something is waiting to be told, and `held` what holds it back.

    From `probability` to `paging`, and `severity`: what is at stake, as last weighed. `touched_at`: when somebody last did something about it. `due_at`: when
    the clock has something to do. `family`: the topmost account above its account, itself where there is none.
    """

    id: str
    tenant_id: int
    account_id: int
    status: Status
    origin: Origin
    severity: Severity
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    assignee: str | None = None
    snoozed_until: datetime | None = None
    recovered_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: Resolution | None = None
    told_severity: Severity | None = None
    told_rules: tuple[str, ...] = ()
    untold: bool = False
    queue: Queue = "risk"
    probability: Decimal | None = None
    probability_from: str | None = None
    money_at_risk: Decimal | None = None
    notice_deadline: datetime | None = None
    priority: Decimal = Decimal(0)
    paging: Paging = Paging.NO_LIMIT
    paged_at: datetime | None = None
    held: str | None = None
    touched_at: datetime | None = None
    lapsed_at: datetime | None = None
    due_at: datetime | None = None
    parent: str | None = None
    family: str | None = None

    def with_stakes(self, stakes: Stakes) -> "Case":
        """Weighed anew. Whom a case was told to before there was a limit, or as one of much money that is due soon, knows that it is grave."""
        is_known = self.told_severity is not None and self.paging in (
            Paging.NO_LIMIT,
            Paging.MONEY_AND_DEADLINE,
        )
        is_no_news = is_known and stakes.paging is Paging.MONEY_AND_DEADLINE
        return replace(
            self,
            severity=stakes.severity,
            told_severity=stakes.severity if is_no_news else self.told_severity,
            probability=stakes.probability,
            probability_from=stakes.probability_from,
            money_at_risk=stakes.money,
            notice_deadline=stakes.notice_deadline,
            priority=stakes.priority,
            paging=stakes.paging,
        )


@dataclass(frozen=True, slots=True)
class AlertFact:
    """What a case needs to know of one of its alerts."""

    rule: str
    state: State
    severity: Severity


def open_case(
    case_id: str, tenant_id: int, account_id: int, origin: Origin, now: datetime, queue: Queue = "risk"
) -> Case:
    """A case without evidence yet; `settle` gives it its severity."""
    return Case(case_id, tenant_id, account_id, Status.OPEN, origin, "info", now, now, queue=queue)


def at_once(at: datetime) -> datetime:
    return at


def settle(
    case: Case,
    alerts: Sequence[AlertFact],
    now: datetime,
    closes_at: Callable[[datetime], datetime] = at_once,
) -> Case:
    """The case after its alerts changed: its gravest rule's severity until it is weighed, whether it recovered, whether it closes.

    A case nobody acknowledged closes when it was healthy until `closes_at` of its recovery, and at once when all of it was wrong; an
    acknowledged one waits for its outcome.
    """
    firing = [alert.severity for alert in alerts if alert.state is State.FIRING]
    if firing:
        return replace(case, severity=worst(firing), recovered_at=None, updated_at=now)
    if case.status is Status.ACKNOWLEDGED:
        return replace(case, recovered_at=case.recovered_at or now, updated_at=now)
    if alerts and all(alert.state is State.WITHDRAWN for alert in alerts):
        return close(case, Resolution.WITHDRAWN, now)
    recovered_at = case.recovered_at or now
    if now >= closes_at(recovered_at):
        return close(case, Resolution.RECOVERED, now)
    return replace(case, recovered_at=recovered_at, updated_at=now)


def close(case: Case, resolution: Resolution, now: datetime) -> Case:
    return replace(
        case,
        status=Status.RESOLVED,
        resolution=resolution,
        recovered_at=case.recovered_at or now,
        resolved_at=now,
        updated_at=now,
        untold=False,
        held=None,
        due_at=None,
    )


def news_of(case: Case, firing: Sequence[AlertFact]) -> NoticeType | None:
    """What people do not know yet of an open case; None when they know all of it."""
    if case.status is Status.RESOLVED or not firing:
        return None
    if not case.told_rules:
        return NoticeType.OPENED
    is_new = any(alert.rule not in case.told_rules for alert in firing)
    is_graver = rank(case.severity) > rank(case.told_severity)
    return NoticeType.WORSENED if is_new or is_graver else None


def news_among(firing: Sequence[str], told: Collection[str]) -> list[str]:
    """The rules that news is about: those that people have not heard of, else all of them."""
    return [rule for rule in firing if rule not in told] or list(firing)


def mark_told(case: Case, firing: Sequence[AlertFact]) -> Case:
    """People know all of this now (or are meant to find it in the list, as after a load)."""
    rules = tuple(sorted({*case.told_rules, *(alert.rule for alert in firing)}))
    graver = worst([case.severity, case.told_severity or "info"])
    return replace(case, told_rules=rules, told_severity=graver, untold=False, held=None)
