"""What the words of a rule say of an account now, beside what they said when it fired."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.domain.episodes import State
from alerts.domain.rules import Figures, Rule
from common.evidence import figures_of, in_words


@dataclass(frozen=True, slots=True)
class Present:
    """The same evidence and figures that were kept when the rule fired, as they are now."""

    evidence: str
    figures: Mapping[str, Any]


def figures_shown(rule: Rule, figures: Figures) -> dict[str, Any]:
    """Those that the rule rests on, and those that its words show."""
    return {**{name: figures.get(name) for name in rule.inputs}, **figures_of(rule.template, figures)}


def present_of(
    rule: Rule | None, state: State, figures: Figures, traits: Mapping[str, Any], *, lacks_data: bool
) -> Present | None:
    """None of what fires no longer, of what nothing is known now, and of a rule that is gone: only what was said when it fired holds of them."""
    if rule is None or state is not State.FIRING or lacks_data:
        return None
    return Present(in_words(rule.template, figures, traits), figures_shown(rule, figures))


def beside(evidence: str, now: str | None) -> str:
    """Both in one line, where they differ."""
    return evidence if now is None or now == evidence else f"{evidence} Now: {now}"
