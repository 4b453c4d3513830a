"""While something that a rule rests on does not arrive, what is missing proves nothing: the rule is held."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.domain.episodes import Episode, Reason, State
from alerts.domain.rules import Rule, Verdict
from common.tracking.reads import Reads
from common.tracking.verdicts import Broken

# What is held is looked at again after a while, so that it goes on soon after all arrives again.
LOOKED_AT_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not arrive. `name` is `*` for a tenant as a whole."""

    tenant_id: int
    kind: str
    name: str
    broken: Broken


def hit_since(reads: Reads, faults: Iterable[Fault]) -> datetime | None:
    """Since when a rule that reads this can't be trusted; None while it can."""
    return min((fault.broken.since for fault in faults if reads.is_hit([fault.broken])), default=None)


def holds_back(rule: Rule, verdict: Verdict) -> bool:
    """Whether the verdict may come of what is missing. Events that did arrive, and make a rule fire, are no less true for it."""
    return rule.is_driven_by_time or verdict is not Verdict.FIRING


def held(previous: Episode | None, rule: Rule, since: datetime, now: datetime) -> Episode | None:
    """The episode while it is held: nothing begins, nothing ends. What time alone made fire since the fault began is taken back."""
    if previous is None or not previous.is_live:
        return None
    fired_since = previous.fired_at is not None and previous.fired_at >= since
    if previous.state is State.FIRING and fired_since and rule.is_driven_by_time:
        return replace(
            previous, state=State.WITHDRAWN, reason=Reason.TRACKING_BROKEN, ended_at=now, due_at=None
        )
    is_due = previous.due_at is not None and previous.due_at <= now
    if not is_due and (previous.due_at is not None or previous.state is State.STANDING):
        return previous
    return replace(previous, due_at=now + LOOKED_AT_EVERY)


def released(previous: Episode | None) -> Episode | None:
    """The episode as it goes on after it was held: only what waits for a time of its own is due."""
    if previous is None or previous.due_at is None:
        return previous
    waits = (
        previous.state is State.PENDING
        or (previous.state is State.FIRING and previous.recovering_since is not None)
        or (previous.state is State.STANDING and previous.reason is Reason.EXPECTED)
    )
    return previous if waits else replace(previous, due_at=None)
