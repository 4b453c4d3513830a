"""The life of one rule on one account: pending -> firing -> resolved or withdrawn.

*standing*: the condition is true, but not because of anything that happened now (history, a load, an expected quiet). It opens nothing until it
crosses anew, until fresh evidence comes, or until its hold ends.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from alerts.domain.rules import Verdict


class State(Enum):
    PENDING = "pending"
    FIRING = "firing"
    STANDING = "standing"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


LIVE_STATES = (State.PENDING, State.FIRING, State.STANDING)


class Cause(Enum):
    """Why a condition is true now, as far as arrivals and the clock tell."""

    NOW = "now"  # events of the last 24 hours, or time passing
    HISTORY = "history"  # events that are older, or a state that nobody saw begin
    LOAD_ENDED = "load-ended"  # the first look after a load


class Reason(Enum):
    """Why a transition did, or did not, happen. Also a metric label, a log field and a column."""

    CROSSED = "crossed"
    STILL_PENDING = "still-pending"
    HELD_FOR_PENDING_TIME = "held-for-pending-time"
    FROM_HISTORY = "from-history"
    STOOD_AFTER_LOAD = "stood-after-load"
    EXPECTED = "expected"
    EXPECTATION_ENDED = "expectation-ended"
    FRESH_EVIDENCE = "fresh-evidence"
    STILL_TRUE = "still-true"
    STILL_STANDING = "still-standing"
    NO_DATA = "no-data"
    RECOVERING = "recovering"
    RELAPSED = "relapsed"
    RECOVERED = "recovered"
    REFUTED_BY_LATE_DATA = "refuted-by-late-data"
    CLEARED_BEFORE_FIRING = "cleared-before-firing"
    RULE_REMOVED = "rule-removed"
    ACCOUNT_GONE = "account-gone"
    TRACKING_BROKEN = "tracking-broken"
    JUDGED = "judged"
    NOT_REAL = "not-real"
    MATERIALLY_WORSE = "materially-worse"
    SUPPRESSION_ENDED = "suppression-ended"
    FLAPPING = "flapping"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Episode:
    """What is remembered of the current episode. `due_at`: when it must be looked at although nothing happened."""

    state: State
    reason: Reason
    since_at: datetime
    fired_at: datetime | None = None
    recovering_since: datetime | None = None
    no_data_since: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision depends on beside the verdict. `expected_until`: people said that this is expected until then.

    `not_real_until`: people judged it not real, and it opens nothing until then; None too when it got materially worse since (`is_worse`).
    `calm_for`: it flaps, and has to be healthy for so long before it is over.
    """

    cause: Cause
    pending_for: timedelta
    recover_for: timedelta
    refuted_by_late_data: bool = False
    expected_until: datetime | None = None
    not_real_until: datetime | None = None
    is_worse: bool = False
    calm_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """The episode from now on (None: there is none) and why."""

    episode: Episode | None
    reason: Reason


def decide(
    previous: Episode | None, verdict: Verdict, now: datetime, circumstances: Circumstances
) -> Transition:
    """The next state. Pure: the same input gives the same transition; an ended episode is never changed again."""
    return _damped(_decide(previous, verdict, now, circumstances), circumstances)


def _damped(found: Transition, circumstances: Circumstances) -> Transition:
    """What flaps says so for as long as it does."""
    episode = found.episode
    if episode is None or episode.state is not State.FIRING:
        return found
    if circumstances.calm_for is not None:
        return Transition(replace(episode, reason=Reason.FLAPPING), found.reason)
    if episode.reason is Reason.FLAPPING:
        return Transition(replace(episode, reason=Reason.STILL_TRUE), found.reason)
    return found


def _decide(
    previous: Episode | None, verdict: Verdict, now: datetime, circumstances: Circumstances
) -> Transition:
    if previous is not None and not previous.is_live:
        previous = None
    if verdict is Verdict.NO_DATA:
        return _without_data(previous, now)
    if verdict is Verdict.HEALTHY:
        return _healthy(previous, now, circumstances)
    if previous is None:
        return _begin(now, circumstances)
    return _continue(previous, now, circumstances)


def _without_data(previous: Episode | None, now: datetime) -> Transition:
    if previous is None or previous.state is State.FIRING:
        if previous is None:
            return Transition(None, Reason.NO_DATA)
        kept = replace(
            previous, no_data_since=previous.no_data_since or now, recovering_since=None, due_at=None
        )
        return Transition(kept, Reason.NO_DATA)
    # What never fired was never shown to anybody: without data nothing speaks for keeping it.
    return Transition(_end(previous, State.RESOLVED, Reason.NO_DATA, now), Reason.NO_DATA)


def _healthy(previous: Episode | None, now: datetime, circumstances: Circumstances) -> Transition:
    if previous is None:
        return Transition(None, Reason.HEALTHY)
    if previous.state is not State.FIRING:
        return _ended(previous, State.RESOLVED, Reason.CLEARED_BEFORE_FIRING, now)
    if circumstances.refuted_by_late_data:
        return _ended(previous, State.WITHDRAWN, Reason.REFUTED_BY_LATE_DATA, now)
    since = previous.recovering_since or now
    ends_at = since + max(circumstances.recover_for, circumstances.calm_for or timedelta(0))
    if now >= ends_at:
        return _ended(previous, State.RESOLVED, Reason.RECOVERED, now)
    kept = replace(previous, recovering_since=since, no_data_since=None, due_at=ends_at)
    return Transition(kept, Reason.RECOVERING)


def _begin(now: datetime, circumstances: Circumstances) -> Transition:
    if circumstances.not_real_until is not None and circumstances.not_real_until > now:
        return _enter(State.STANDING, Reason.NOT_REAL, now, circumstances.not_real_until)
    expected_until = circumstances.expected_until
    if expected_until is not None and expected_until > now:
        return _enter(State.STANDING, Reason.EXPECTED, now, expected_until)
    if circumstances.cause is Cause.HISTORY:
        return _enter(State.STANDING, Reason.FROM_HISTORY, now)
    if circumstances.cause is Cause.LOAD_ENDED:
        return _fire(now, Reason.STOOD_AFTER_LOAD, now)
    if circumstances.pending_for > timedelta(0):
        return _enter(State.PENDING, Reason.HELD_FOR_PENDING_TIME, now, now + circumstances.pending_for)
    return _fire(now, Reason.CROSSED, now)


def _continue(previous: Episode, now: datetime, circumstances: Circumstances) -> Transition:
    if previous.state is State.FIRING:
        if previous.recovering_since is None and previous.no_data_since is None:
            return Transition(previous, Reason.STILL_TRUE)
        kept = replace(previous, recovering_since=None, no_data_since=None, due_at=None)
        return Transition(kept, Reason.RELAPSED)
    if previous.state is State.PENDING:
        due_at = previous.since_at + circumstances.pending_for
        if now >= due_at:
            return _fire(previous.since_at, Reason.CROSSED, now)
        return Transition(replace(previous, due_at=due_at), Reason.STILL_PENDING)
    return _standing(previous, now, circumstances)


def _standing(previous: Episode, now: datetime, circumstances: Circumstances) -> Transition:
    until = circumstances.not_real_until
    if until is not None and until > now:
        return Transition(replace(previous, reason=Reason.NOT_REAL, due_at=until), Reason.NOT_REAL)
    if previous.reason is Reason.NOT_REAL:
        reason = Reason.MATERIALLY_WORSE if circumstances.is_worse else Reason.SUPPRESSION_ENDED
        return _fire(previous.since_at, reason, now)
    until = circumstances.expected_until
    if until is not None and until > now:
        return Transition(replace(previous, reason=Reason.EXPECTED, due_at=until), Reason.EXPECTED)
    if previous.reason is Reason.EXPECTED:
        return _fire(previous.since_at, Reason.EXPECTATION_ENDED, now)
    if circumstances.cause is Cause.LOAD_ENDED:
        return _fire(previous.since_at, Reason.STOOD_AFTER_LOAD, now)
    if circumstances.cause is Cause.NOW:
        return _fire(previous.since_at, Reason.FRESH_EVIDENCE, now)
    return Transition(previous, Reason.STILL_STANDING)


def _enter(state: State, reason: Reason, now: datetime, due_at: datetime | None = None) -> Transition:
    return Transition(Episode(state, reason, since_at=now, due_at=due_at), reason)


def _fire(since_at: datetime, reason: Reason, now: datetime) -> Transition:
    return Transition(Episode(State.FIRING, reason, since_at=since_at, fired_at=now), reason)


def _ended(previous: Episode, state: State, reason: Reason, now: datetime) -> Transition:
    return Transition(_end(previous, state, reason, now), reason)


def _end(previous: Episode, state: State, reason: Reason, now: datetime) -> Episode:
    return replace(previous, state=state, reason=reason, ended_at=now, due_at=None)


def end_by_people(previous: Episode, now: datetime) -> Episode:
    """The episode's end when people close the case: what they said, not a figure, ended it."""
    return _end(previous, State.RESOLVED, Reason.JUDGED, now)


def stand(reason: Reason, since_at: datetime, until: datetime | None = None) -> Episode:
    """A condition that is true and opens nothing until it crosses anew, fresh evidence comes, or `until`."""
    return Episode(State.STANDING, reason, since_at=since_at, due_at=until)
