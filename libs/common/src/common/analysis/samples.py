"""What a figure was made of in one period: the whole, and its parts by slice and account. Terms:

- a *unit* is the smallest thing the figure is known of: an account in a slice, a slice, or the whole.
- a *shape* says how units make the whole. `Sum`: values add up. `Quotient`: factor x numerators over denominators, plus offset.
  A figure of no shape (a median, a product of other figures) can't be taken apart by units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from common.analysis.exact import fraction_of
from common.catalogue.lifecycles import Duration
from common.catalogue.models import Metric
from common.figures.model import Figure
from common.figures.slices import GroupKey, text_of

ZERO, ONE = Fraction(0), Fraction(1)
# The factors and offsets that figures have: shares, points, changes, per hundred.
_KNOWN = ((ONE, ZERO), (Fraction(100), ZERO), (ONE, Fraction(-1)))


@dataclass(frozen=True, slots=True)
class Unit:
    """`slice`: values of the dimensions asked for, as JSON text. `account` is None where accounts aren't known, or nobody's."""

    slice: GroupKey = ()
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """Unknown is None."""

    value: Fraction | None
    over: Fraction | None = None
    under: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of one period."""

    whole: Cell
    units: Mapping[Unit, Cell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sum:
    """`over` of a unit is its value, `under` counts nothing."""


@dataclass(frozen=True, slots=True)
class Quotient:
    factor: Fraction = ONE
    offset: Fraction = ZERO

    def value(self, over: Fraction, under: Fraction) -> Fraction | None:
        return self.factor * over / under + self.offset if under else None


Shape = Sum | Quotient


def cell_of(figure: Figure) -> Cell:
    """What a figure says, exact: where it is a quotient of what it shows, that quotient."""
    over, under = (
        None if part is None else fraction_of(part) for part in (figure.numerator, figure.denominator)
    )
    value = None if figure.value is None else fraction_of(figure.value)
    if value is not None and over is not None and under:
        for factor, offset in (*_KNOWN, *_factor(value, over, under)):
            exact = factor * over / under + offset
            if same(exact, value):
                return Cell(exact, over, under)
    return Cell(value, over, under)


def unit_of(figure: Figure, by: Sequence[str]) -> Unit:
    account = figure.group.get("account")
    return Unit(
        tuple(text_of(figure.group[name]) for name in by if name != "account"),
        None if account is None else str(account),
    )


def same(one: Fraction, other: Fraction) -> bool:
    """Up to what rounding to a float loses."""
    return abs(one - other) <= Fraction(1, 10**12) * max(ONE, abs(one), abs(other))


def shape_of(metric: Metric, samples: Sequence[Sample]) -> Shape | None:
    """The shape that all of them have; None where units don't make the whole, as of a median, whose only case would seem to."""
    if isinstance(metric.formula, Duration):
        return None
    quotient = _quotient(samples)
    if quotient is not None and all(_quotients_add_up(sample) for sample in samples):
        return quotient
    if all(_values_add_up(sample) for sample in samples):
        return Sum()
    return None


def as_terms(sample: Sample, shape: Shape) -> dict[Unit, tuple[Fraction, Fraction]]:
    """(numerator, denominator) of every unit; of a sum (value, 0). What belongs to no unit is a unit without a name."""
    if isinstance(shape, Sum):
        terms = {unit: (cell.value or ZERO, ZERO) for unit, cell in sample.units.items()}
        whole = (sample.whole.value or ZERO, ZERO)
    else:
        terms = {unit: (cell.over or ZERO, cell.under or ZERO) for unit, cell in sample.units.items()}
        whole = (sample.whole.over or ZERO, sample.whole.under or ZERO)
    rest = tuple(whole[i] - sum((term[i] for term in terms.values()), ZERO) for i in (0, 1))
    if not terms or rest != (ZERO, ZERO):
        empty = Unit((None,) * _width(terms))
        own = terms.get(empty, (ZERO, ZERO))
        terms[empty] = (own[0] + rest[0], own[1] + rest[1])
    return terms


def _width(units: Iterable[Unit]) -> int:
    return max((len(unit.slice) for unit in units), default=0)


def _factor(value: Fraction, over: Fraction, under: Fraction) -> list[tuple[Fraction, Fraction]]:
    """A whole factor that isn't one of those known, such as 1,000 in "per thousand"."""
    if not over:
        return []
    factor = (value * under / over).limit_denominator(1)
    return [(factor, ZERO)] if factor > 0 else []


def _quotient(samples: Sequence[Sample]) -> Quotient | None:
    """The one factor and offset by which every known whole is its numerator over its denominator."""
    known = [sample.whole for sample in samples if sample.whole.value is not None]
    if not known or any(cell.over is None or not cell.under for cell in known):
        return None
    guesses = list(_KNOWN)
    for cell in known:
        assert cell.value is not None
        assert cell.over is not None
        assert cell.under is not None
        guesses.extend(_factor(cell.value, cell.over, cell.under))
    for factor, offset in guesses:
        made = Quotient(factor, offset)
        if all(made.value(cell.over or ZERO, cell.under or ZERO) == cell.value for cell in known):
            return made
    return None


def _quotients_add_up(sample: Sample) -> bool:
    return not sample.units or all(
        same(
            sum((getattr(cell, side) or ZERO for cell in sample.units.values()), ZERO),
            getattr(sample.whole, side) or ZERO,
        )
        for side in ("over", "under")
    )


def _values_add_up(sample: Sample) -> bool:
    if not sample.units:
        return True
    return same(sum((cell.value or ZERO for cell in sample.units.values()), ZERO), sample.whole.value or ZERO)
