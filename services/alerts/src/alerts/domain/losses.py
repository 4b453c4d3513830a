"""What a loss review begins with: what the rules saw of an account that was lost, and which of them should have fired."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.domain.episodes import State
from common import words

# What a rescue takes: a warning that came later than this before the last day to act came too late.
IN_TIME = timedelta(days=30)
# How far back what was seen belongs to this loss.
LOOKS_BACK = timedelta(days=180)
# A cancellation that acts so soon after the loss is about it: people name the day, not the hour.
SAME_LOSS = timedelta(days=1)
# Revenue that comes back so soon was a gap in the contract, not a loss (as churn is counted).
RETURNS_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Seen:
    """One episode of a rule on the account."""

    rule: str
    label: str
    state: State
    reason: str
    since_at: datetime
    fired_at: datetime | None
    ended_at: datetime | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Last:
    """What the rules say of the account's last figures."""

    hold: Collection[str]
    unknown: Collection[str]


def propose(
    lost_at: datetime,
    last_day_to_act: datetime | None,
    said: str | None,
    cancelled: bool,
    seen: Sequence[Seen],
    last: Last,
    *,
    still_pays: bool = False,
) -> dict[str, Any]:
    """A proposal for people to judge: cause, who warned in time, and every rule that could have, with why it didn't.

    `last_day_to_act`: the notice deadline, else the day of the loss. `said`: the reason that the cancellation named. `still_pays`: people
    say that it leaves, its contract does not yet.
    """
    unsaid = "not said yet" if still_pays else "lapsed without a word"
    act_by = min(lost_at, last_day_to_act or lost_at)
    fired = sorted((one for one in seen if one.fired_at is not None), key=lambda one: one.fired_at or lost_at)
    in_time = [
        one for one in fired if _fired_at(one) <= act_by - IN_TIME and one.state is not State.WITHDRAWN
    ]
    warned = sorted({one.rule for one in in_time})
    return {
        "cause": said or ("cancelled without a reason" if cancelled else unsaid),
        "cause_from": "cancellation" if said else "contract",
        "act_by": act_by.isoformat(),
        "first_warning_at": _fired_at(fired[0]).isoformat() if fired else None,
        "days_before": (act_by - _fired_at(fired[0])).days if fired else None,
        "warned_in_time": warned,
        "should_have_fired": _missed(act_by, seen, last, warned),
        "no_data": sorted(set(last.unknown) - {one.rule for one in seen}),
        "seen": [_shown(one) for one in sorted(seen, key=lambda one: one.since_at)],
    }


def _missed(
    act_by: datetime, seen: Sequence[Seen], last: Last, warned: Collection[str]
) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for one in sorted(seen, key=lambda one: one.since_at):
        if one.rule in warned or one.rule in found:
            continue
        if one.state is State.WITHDRAWN:
            found[one.rule] = "fired and was withdrawn"
        elif one.fired_at is not None:
            late = (act_by - one.fired_at).days
            found[one.rule] = (
                f"fired {words.counted(late, 'day') if late else 'less than a day'} before the last day to act"
                if late >= 0
                else "fired after the last day to act"
            )
        else:
            found[one.rule] = f"was true from {one.since_at:%Y-%m-%d} on and opened nothing: {one.reason}"
    for rule in sorted(last.hold):
        if rule not in warned:
            found.setdefault(rule, "is true of its last figures and never fired")
    return [{"rule": rule, "why": why} for rule, why in found.items()]


def _fired_at(one: Seen) -> datetime:
    assert one.fired_at is not None
    return one.fired_at


def _shown(one: Seen) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "label": one.label,
        "state": one.state.value,
        "reason": one.reason,
        "since": one.since_at.isoformat(),
        "fired_at": one.fired_at.isoformat() if one.fired_at else None,
        "ended_at": one.ended_at.isoformat() if one.ended_at else None,
        "evidence": one.evidence,
    }
