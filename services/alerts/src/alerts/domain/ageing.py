"""What time alone does to a case: an acknowledgement runs out, a recovered case closes."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from alerts.domain.cases import Case, Resolution, Status, close
from alerts.domain.terms import Terms


class Aged(Enum):
    """What became of a case; also the kind of the action that is recorded."""

    LAPSED = "acknowledgement-lapsed"
    CLOSED = "closed-after-healthy-days"


@dataclass(frozen=True, slots=True)
class Step:
    case: Case
    what: Aged | None = None


def closes_at(recovered_at: datetime, terms: Terms) -> datetime:
    """When a case that nobody acknowledged closes, if it stays healthy."""
    return terms.calendar.after_working_days(recovered_at, terms.closes_after_healthy_days)


def timed(case: Case, terms: Terms) -> Case:
    """The case with the instant at which the clock has something to do."""
    return replace(case, due_at=_due_at(case, terms))


def _due_at(case: Case, terms: Terms) -> datetime | None:
    if case.status is Status.ACKNOWLEDGED:
        touched_at = case.touched_at or case.acknowledged_at
        if touched_at is None or terms.acknowledged_for is None:
            return None
        ends_at = touched_at + terms.acknowledged_for
        return ends_at if case.snoozed_until is None else max(ends_at, case.snoozed_until)
    if case.status is Status.OPEN and case.recovered_at is not None:
        return closes_at(case.recovered_at, terms)
    return None


def age(case: Case, terms: Terms, now: datetime) -> Step:
    """One step, and when to look again. What isn't due by today's terms, as after they changed, is only timed anew."""
    case = timed(case, terms)
    if case.due_at is None or now < case.due_at:
        return Step(case)
    if case.status is Status.ACKNOWLEDGED:
        reopened = replace(
            case,
            status=Status.OPEN,
            acknowledged_at=None,
            acknowledged_by=None,
            lapsed_at=now,
            updated_at=now,
        )
        return Step(timed(reopened, terms), Aged.LAPSED)
    return Step(close(case, Resolution.RECOVERED, now), Aged.CLOSED)
