"""After people judged a warning not real: the same rule on the same account opens nothing for a while, unless it gets materially worse."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from string import Formatter
from typing import Any

from alerts.domain.rules import Figures, Rule

# What is worse by less is what was judged already: half as much again, or a fifth more likely to leave.
WORSE_RATIO = Decimal("0.5")
WORSE_PROBABILITY = Decimal("0.2")
# Beyond anything that is counted: to ask in which direction a figure makes a rule fire.
_FAR = 1e12


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule rested on when it was judged not real. `figure`: the one that its evidence names first."""

    until: datetime
    figure: str | None
    value: Decimal | None
    probability: Decimal | None


def headline(rule: Rule, figures: Figures) -> tuple[str, Decimal] | None:
    """The first figure that the rule's evidence shows and its condition reads; of a signal, `s.NAME.value`."""
    for _, name, _, _ in Formatter().parse(rule.template):
        is_read = name is not None and (name in rule.inputs or name.startswith("s."))
        value = _number(figures, name) if name is not None and is_read else None
        if name is not None and value is not None:
            return name, value
    return None


def _number(figures: Figures, name: str) -> Decimal | None:
    """Of a figure, or of a part of what a signal says."""
    if name.startswith("s."):
        _, signal, part = (*name.split(".", 2), "", "")[:3]
        said = (figures.get("s") or {}).get(signal) or {}
        value = said.get(part)
    else:
        value = figures.get(name)
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else None


def direction(rule: Rule, figures: Figures, traits: Mapping[str, Any], name: str) -> int:
    """1 when more of the figure makes the rule fire, -1 when less does, 0 when neither or both do. A signal moves away from its baseline."""
    if name.startswith("s."):
        value, usual = _number(figures, name), _number(figures, f"{name.rpartition('.')[0]}.baseline")
        return 0 if value is None or usual is None else (value > usual) - (value < usual)
    more = rule.holds({**figures, name: _FAR}, traits) is True
    less = rule.holds({**figures, name: -_FAR}, traits) is True
    return more - less


def is_worse(
    rule: Rule,
    judged: Judged,
    figures: Figures,
    traits: Mapping[str, Any],
    probability: Decimal | None,
) -> bool:
    """By the renewal risk, or by the figure that the rule rests on, moved on in the direction in which the rule fires."""
    before_risk = judged.probability
    if probability is not None and before_risk is not None and probability - before_risk >= WORSE_PROBABILITY:
        return True
    value = _number(figures, judged.figure) if judged.figure is not None else None
    if judged.figure is None or judged.value is None or value is None:
        return False
    moved = (value - judged.value) * direction(rule, figures, traits, judged.figure)
    return moved > 0 and moved >= WORSE_RATIO * abs(judged.value)
