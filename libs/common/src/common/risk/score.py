"""The explainable score: where accounts of a segment begin, and what each reason adds or takes. Reasons add up to the whole exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from common.catalogue.cel import Condition, Number, Root, compile_account, compile_number
from common.catalogue.risk import RiskReason, RiskSettings
from common.catalogue.risk_checks import PLACEHOLDER
from common.risk import points as arithmetic
from common.risk.base_rates import BaseRate, BaseRates, in_words

BASE = "base_rate"
State = Literal["known", "unknown"]


class Reason(msgspec.Struct, frozen=True, gc=False):
    """`points`: what it adds to the log-odds of losing the renewal, 10 doubling them."""

    reason: str
    label: str
    state: State
    points: float
    text: str


class Risk(msgspec.Struct, frozen=True, gc=False):
    """`points` is the exact sum of those of the reasons, `probability` what they come to. `known` of `of` reasons could be judged.

    `version`: that of the definitions for the score, of the model for a model.
    """

    probability: float
    method: Literal["score", "model"]
    version: int
    points: float
    reasons: Sequence[Reason]
    known: int
    of: int
    base: BaseRate


@dataclass(frozen=True, slots=True)
class _Compiled:
    said: RiskReason
    applies_to: Condition | None
    when: Condition | None
    value: Number | None


@dataclass(frozen=True, slots=True)
class Score:
    """A tenant's reasons, compiled."""

    settings: RiskSettings
    reasons: tuple[_Compiled, ...]
    definitions: int

    def judge(self, root: Root, segment: str | None, rates: BaseRates) -> Risk:
        """Of an account as expressions see it. Raises nothing: what can't be worked out is unknown."""
        base = rates.of(segment)
        found = [
            _judged(one, root)
            for one in self.reasons
            if one.applies_to is None or one.applies_to.of(root) is True
        ]
        start = Reason(
            BASE,
            "Past renewals",
            "known",
            arithmetic.points_of(base.rate),
            in_words(base, self.settings.past_days),
        )
        # What is known and moves nothing is no reason.
        moving = [one for one in found if one.points or one.state == "unknown"]
        reasons = [start, *sorted(moving, key=lambda one: (-one.points, one.reason))]
        points = arithmetic.total(one.points for one in reasons)
        return Risk(
            probability=arithmetic.probability_of(points),
            method="score",
            version=self.definitions,
            points=points,
            reasons=reasons,
            known=sum(one.state == "known" for one in found),
            of=len(found),
            base=base,
        )


def compiled(reasons: Iterable[RiskReason], settings: RiskSettings, definitions: int) -> Score:
    """Raises CelInvalid for an expression that does not compile; a checked catalogue has none."""
    return Score(
        settings,
        tuple(
            _Compiled(
                one,
                compile_account(one.applies_to) if one.applies_to else None,
                compile_account(one.when) if one.when else None,
                compile_number(one.value) if one.value else None,
            )
            for one in sorted(reasons, key=lambda one: one.name)
        ),
        definitions,
    )


def _judged(one: _Compiled, root: Root) -> Reason:
    said = one.said
    value = one.value.of(root) if one.value else None
    holds = one.when.of(root) if one.when else None
    points: float | None = None
    if value is not None:
        values, worth = zip(*said.line, strict=True)
        points = float(np.interp(value, values, worth))
    elif holds is not None:
        points = (said.points or 0.0) if holds else 0.0
    if points is None:
        return Reason(said.name, said.label, "unknown", round(said.unknown_points, 1), said.unknown_text)
    return Reason(said.name, said.label, "known", round(points, 1) + 0.0, worded(said.text, root["a"], value))


def worded(text: str, figures: Mapping[str, Any], value: float | None) -> str:
    """The text with its figures filled in; what is unknown reads so."""

    def filled(match: Any) -> str:
        name, percent = match.group(1), match.group(2)
        known = value if name == "value" else figures.get(name)
        if known is None:
            return "unknown"
        if isinstance(known, bool) or not isinstance(known, int | float):
            return str(known)
        return (
            f"{known * 100:.0f} %" if percent else f"{known:,.4g}" if abs(known) < 1_000 else f"{known:,.0f}"
        )

    return PLACEHOLDER.sub(filled, text)
