"""What people may do with a case. Each returns the case as it is from now on, or says why it can't be done."""

from dataclasses import replace
from datetime import datetime

from alerts.domain.cases import Case, Resolution, Status
from common.errors import Conflict, Rejected

OUTCOMES = {
    "saved": Resolution.SAVED,
    "lost": Resolution.LOST,
    "won": Resolution.WON,
    "not_real": Resolution.NOT_REAL,
}


def acknowledge(case: Case, actor: str, now: datetime) -> Case:
    """Someone has it. Again by another one: it changes hands. From here on the case waits for its outcome."""
    _must_be_open(case)
    return replace(
        case,
        status=Status.ACKNOWLEDGED,
        acknowledged_at=now,
        acknowledged_by=actor,
        updated_at=now,
        untold=False,
    )


def assign(case: Case, assignee: str | None, now: datetime) -> Case:
    _must_be_open(case)
    return replace(case, assignee=assignee, updated_at=now)


def snooze(case: Case, until: datetime, now: datetime) -> Case:
    """People hear nothing of the case until then; what they missed they are told after."""
    _must_be_open(case)
    _must_be_ahead(until, now)
    return replace(case, snoozed_until=until, updated_at=now)


def check_expectation(case: Case, until: datetime, now: datetime) -> None:
    _must_be_open(case)
    _must_be_ahead(until, now)


def check_outcome(case: Case, outcome: str) -> None:
    """A chance is won or lost, a risk saved or lost; either may turn out not to have been real."""
    _must_be_open(case)
    elsewhere = "saved" if case.queue == "growth" else "won"
    if outcome == elsewhere:
        fitting = "won" if case.queue == "growth" else "saved"
        raise Rejected(
            "outcome-unfit",
            f"a case of the queue {case.queue} ends as {fitting}, lost or not_real, never as {outcome}",
        )


def verdict_of(outcome: str, real: bool | None) -> bool | None:
    """Whether the risk was real, apart from what happened. Raises Rejected for a risk that was real and "not real"."""
    if outcome != "not_real":
        return real
    if real:
        raise Rejected(
            "verdict-contradicts", "an outcome `not_real` says that the risk was not real; leave `real` out"
        )
    return False


def _must_be_open(case: Case) -> None:
    if case.status is Status.RESOLVED:
        ended = case.resolution.value if case.resolution else "resolved"
        raise Conflict(
            "case-closed",
            f"the case {case.id} is closed ({ended}); a new one opens when the account crosses again",
        )


def _must_be_ahead(until: datetime, now: datetime) -> None:
    if until <= now:
        raise Rejected("time-passed", f"`until` must lie ahead; {until.isoformat()} is over")
