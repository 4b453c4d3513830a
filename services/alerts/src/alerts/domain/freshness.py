"""Whether a condition is true because of what happens now. Nothing opens from events older than 24 hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.domain.episodes import Cause, Episode, State
from alerts.domain.gate import FIGURES_ARE_COMPUTED_WITHIN
from alerts.domain.rules import Rule

# Given by the product: what is older than a day is history.
HISTORY_AGE = timedelta(hours=24)
# The engine may compute figures a moment after it stored the events behind them, so arrivals are looked for from a little earlier.
ARRIVAL_SLACK = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events of one account that arrived since it was last looked at, by what they say about one rule.

    `driving_recent`: of the rule's event types, younger than 24 hours. `historic`: of any type, older than 24 hours when they arrived.
    `late` and `fresh`: of the rule's types (any, when time drives it), before and after the alert fired.
    """

    driving_recent: int = 0
    historic: int = 0
    late: int = 0
    fresh: int = 0


NOTHING_ARRIVED = Arrivals()


def cause_of(rule: Rule, arrivals: Arrivals, *, seen_before: bool, previous: Episode | None) -> Cause:
    """Why a condition that was not firing is true.

    A rule driven by events needs one of them from the last 24 hours. A rule driven by time needs that we saw the account before (else nobody
    knows when it became true) and that no old events arrived meanwhile, which would move its figures without anything having happened.
    """
    if not rule.is_driven_by_time:
        return Cause.NOW if arrivals.driving_recent > 0 else Cause.HISTORY
    if previous is not None and previous.state is State.STANDING:
        # Time passing adds nothing to a condition that was already true.
        return Cause.HISTORY
    return Cause.NOW if seen_before and arrivals.historic == 0 else Cause.HISTORY


def is_refuted(rule: Rule, arrivals: Arrivals) -> bool:
    """Whether late events, not anything new, made a firing condition false: then the warning was wrong, and says so."""
    if arrivals.late == 0:
        return False
    return rule.reads_finished_days_only or arrivals.fresh == 0


def looks_back_from(last_ingest_at: datetime | None, now: datetime) -> datetime:
    """From which ingest stamp on arrivals count as new since the last look."""
    return (last_ingest_at or now - HISTORY_AGE) - ARRIVAL_SLACK


def stored_since(evaluated_at: datetime | None, after: datetime) -> datetime:
    """From when on events must have been stored to be new: what was stored well before the last look was in the figures looked at.

    Without this the last seconds of a load would look new for ever to an account that no event ever came for again.
    """
    return after if evaluated_at is None else max(after, evaluated_at - FIGURES_ARE_COMPUTED_WITHIN)
