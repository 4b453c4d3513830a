"""What a rule says about an account's current figures: firing, healthy, or that nothing can be said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, Literal

from alerts.domain.severity import Severity
from alerts.domain.terms import PlaybookStep
from common.catalogue.cel import SIGNALS
from common.catalogue.signals import Moved, Signal
from common.signals.states import sources_of

Figures = Mapping[str, Any]
Condition = Callable[[Figures, Mapping[str, Any]], bool | None]
"""Asked with figures and traits; None when a value that it needs is unknown."""

# Figures that only whole local days enter: an event of today can't move them, so one that does is late.
FINISHED_DAY_FIGURES = frozenset(
    {"login_trend", "login_trend_vs_segment", "segment_login_trend", "user_days_28d", "user_days_base"}
)

# They move by the calendar alone, so no event is late for them.
CALENDAR_FIGURES = frozenset({"days_to_notice", "days_to_renewal"})


def with_signals(figures: Figures, signals: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Figures as rules read them: with the account's signals, and under `s.NAME` whether one is on, None where that is unknown."""
    return {
        **figures,
        SIGNALS: signals,
        **{f"{SIGNALS}.{name}": _is_on(said) for name, said in signals.items()},
    }


def _is_on(said: Mapping[str, Any]) -> bool | None:
    state = said.get("state")
    return state == "on" if state in ("on", "off") else None


# Figures that fall because nobody uses the product: a rule on them foretells that an account goes silent by its being silent.
SILENCE_FIGURES = FINISHED_DAY_FIGURES | {
    "days_silent",
    "usual_gap_days",
    "last_activity_at",
    "events_28d",
    "active_users_7d",
    "active_users_28d",
}


# The same of the data that signals rest on.
SILENCE_KINDS = frozenset({"measure.active_users", "measure.active_accounts", "measure.key_users"})


class Verdict(Enum):
    FIRING = "firing"
    HEALTHY = "healthy"
    NO_DATA = "no-data"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with the figures it rests on. `missing` names those that were unknown."""

    verdict: Verdict
    figures: dict[str, Any]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A rule ready to be asked.

    `inputs` are the figures its condition reads; all of them must be known, but those in `optional`. `driven_by` lists the event types that can make it true;
    an empty tuple means that time does. `recovers` is asked while the rule fires (None: the opposite of `holds`). An account for which
    `applies` isn't true is left alone. `template` is the evidence in words with `{figure}` placeholders.
    """

    name: str
    label: str
    description: str
    severity: Severity
    inputs: tuple[str, ...]
    driven_by: tuple[str, ...]
    pending_for: timedelta
    recover_for: timedelta
    template: str
    next_step: str
    holds: Condition
    recovers: Condition | None = None
    applies: Condition | None = None
    optional: frozenset[str] = frozenset()
    """Inputs of which the condition itself says what holds while they are unknown, by `has(...)`."""
    queue: Literal["risk", "growth"] = "risk"
    hard: bool = False
    """Its case is told at once, whatever the money and the deadline."""
    playbook: tuple[PlaybookStep, ...] = ()
    is_shadow: bool = False
    """It watches and is recorded; it opens no case and tells nobody."""
    signals: Mapping[str, Signal] = field(default_factory=dict)
    """Those that its condition names."""
    reads_values: bool = False
    """It asks for more of signals than whether they are on."""
    definition: Mapping[str, Any] = field(default_factory=dict)
    """As in its file, for people who want to try it changed."""

    @property
    def is_driven_by_time(self) -> bool:
        return not self.driven_by

    @property
    def reads_silence(self) -> bool:
        of_signals = (kind for signal in self.signals.values() for kind in sources_of(signal))
        return not SILENCE_FIGURES.isdisjoint(self.inputs) or not SILENCE_KINDS.isdisjoint(of_signals)

    @property
    def reads_finished_days_only(self) -> bool:
        moved = {f"{SIGNALS}.{name}" for name, one in self.signals.items() if isinstance(one.test, Moved)}
        finished = FINISHED_DAY_FIGURES | moved
        return not finished.isdisjoint(self.inputs) and finished.union(CALENDAR_FIGURES).issuperset(
            self.inputs
        )


def fires(rule: Rule, figures: Figures, traits: Mapping[str, Any]) -> bool:
    """Whether `judge` says so of a rule that isn't firing, without the rest of what it says: most rules are quiet about most accounts."""
    if any(figures.get(name) is None and name not in rule.optional for name in rule.inputs):
        return False
    return bool(rule.holds(figures, traits)) and (rule.applies is None or bool(rule.applies(figures, traits)))


def judge(rule: Rule, figures: Figures, traits: Mapping[str, Any], *, is_firing: bool) -> Finding:
    """Unknown input figures make the verdict no-data: never healthy, never firing."""
    inputs = {name: figures.get(name) for name in rule.inputs}
    missing = tuple(name for name, value in inputs.items() if value is None and name not in rule.optional)
    holds = None if missing else rule.holds(figures, traits)
    # Asked last: most conditions don't hold, and whom a rule leaves alone is healthy just the same.
    is_healthy = holds is False and not (is_firing and rule.recovers is not None)
    if is_healthy or (rule.applies is not None and not rule.applies(figures, traits)):
        return Finding(Verdict.HEALTHY, inputs)
    if holds is None:
        return Finding(Verdict.NO_DATA, inputs, missing or rule.inputs)
    if not holds and is_firing and rule.recovers is not None:
        holds = not rule.recovers(figures, traits)
    return Finding(Verdict.FIRING if holds else Verdict.HEALTHY, inputs)
