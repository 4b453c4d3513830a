"""Success plans: a customer's own goal, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from common.signals.said import number_of

SET = "set"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A plan was set, or a value of it was told. `said` are the fields of the event, as texts."""

    goal: str
    step: str
    at: datetime
    said: Mapping[str, str]


@dataclass(slots=True)
class Plan:
    """As it was set last. `progress`: the share of the way from baseline to target, beyond 1 past it; null where no way is known."""

    goal: str
    set_at: datetime
    measure: str | None
    baseline: float | None
    target: float | None
    due: str | None
    confirmed_by_customer: bool
    value: float | None = None
    progress: float | None = None
    values: list[dict[str, Any]] = field(default_factory=list)


def plans(steps: Sequence[PlanStep]) -> list[dict[str, Any]]:
    """The plans of an account, the one set last first. Values told before a plan was ever set count for it too."""
    found: dict[str, Plan] = {}
    for step in steps:
        if step.step == SET:
            found[step.goal] = _as_set(step)
    for step in steps:
        value = number_of(step.said.get("value"))
        if value is not None and step.goal in found:
            found[step.goal].values.append({"at": step.at, "value": value})
    for plan in found.values():
        if plan.values:
            plan.value = plan.values[-1]["value"]
        plan.progress = _progress(plan)
    return [asdict(plan) for plan in sorted(found.values(), key=lambda plan: plan.set_at, reverse=True)]


def _as_set(step: PlanStep) -> Plan:
    said = step.said
    return Plan(
        step.goal,
        step.at,
        said.get("measure"),
        number_of(said.get("baseline")),
        number_of(said.get("target")),
        said.get("due"),
        said.get("confirmed_by_customer") == "true",
    )


def _progress(plan: Plan) -> float | None:
    """A plan without a baseline begins at 0, as in the account's figures."""
    begin = plan.baseline or 0.0
    if plan.target is None or plan.target == begin:
        return None
    return 0.0 if plan.value is None else (plan.value - begin) / (plan.target - begin)
