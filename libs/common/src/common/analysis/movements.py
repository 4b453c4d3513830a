"""What each account did with its recurring revenue between two instants. One net movement an account, as metrics count it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from common.analysis.samples import Unit
from common.catalogue.models import Metric, Movement, MovementKind
from common.figures.slices import GroupKey

ZERO, ONE = Fraction(0), Fraction(1)
SIGNS: Mapping[str, Mapping[str, int]] = {
    "nrr": {"expansion": 1, "contraction": -1, "churned": -1},
    "grr": {"contraction": -1, "churned": -1},
    "mrr_churn": {"contraction": 1, "churned": 1},
}
"""Figures of a cohort's revenue -> the movements they are made of, and which way each turns them."""
_TURNS: Mapping[str, int] = {
    "new": 1, "reactivation": 1, "expansion": 1, "contraction": -1, "churned": -1,
    "transfer_in": 1, "transfer_out": -1, "fx": 1,
}  # fmt: skip
OF_MRR: Mapping[MovementKind, int] = {kind: _TURNS[kind] for kind in get_args(MovementKind) if kind in _TURNS}
"""The identity: start plus and minus these is the end."""
WORDS: Mapping[str, str] = {
    "new": "new customers", "reactivation": "customers that returned", "expansion": "expansion",
    "contraction": "contraction", "churned": "churn", "transfer_in": "accounts that came from another slice",
    "transfer_out": "accounts that went to another slice", "fx": "exchange rates",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moved:
    """`amount` is positive, also of what was lost."""

    kind: str
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Turn:
    """What one movement did to a figure, less than 0 where it brought it down. `accounts`: who moved so, the largest first."""

    amount: Fraction
    accounts: Sequence[str] = ()


def turns(kind: str) -> int:
    """Which way a movement turns an MRR."""
    return _TURNS[kind]


def kind_of(metric: Metric) -> str | None:
    """Which of `SIGNS` the metric is."""
    formula = metric.formula
    return formula.movement if isinstance(formula, Movement) and formula.movement in SIGNS else None


def of_cohort(kind: str, over: Fraction, under: Fraction) -> Moved | None:
    """What an account of the cohort did, from its own numerator and denominator of a figure of `kind`."""
    now = under - over if kind == "mrr_churn" else over
    if under <= 0 or now == under:
        return None
    if now > under:
        return Moved("expansion", now - under)
    return Moved("churned" if now <= 0 else "contraction", under - now)


def by_slice(
    kind: str, terms: Mapping[Unit, tuple[Fraction, Fraction]]
) -> dict[GroupKey, dict[str, Fraction]]:
    """Per slice the sum of every movement of the cohort."""
    found: dict[GroupKey, dict[str, Fraction]] = defaultdict(lambda: dict.fromkeys(SIGNS[kind], ZERO))
    for unit, (over, under) in terms.items():
        moved = of_cohort(kind, over, under)
        if moved is not None:
            found[unit.slice][moved.kind] += moved.amount
    return found


def neutral(metric: Metric) -> Fraction | None:
    """The quotient of an account that did nothing; None: what an average one has."""
    formula = metric.formula
    if isinstance(formula, Movement):
        return {"nrr": ONE, "grr": ONE, "logo_retention": ONE, "mrr_churn": ZERO, "logo_churn": ZERO}.get(
            formula.movement
        )
    return ZERO if formula.type == "churn" and getattr(formula, "of", "") != "coded" else None
