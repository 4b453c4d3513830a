"""Numbers that add up. Inside everything is a fraction; outside it is a decimal of a fixed number of places.

A chain of parts leads from one number to another. Rounding each part would lose the sum, and mending the last part would make it
a fudge. Here the *states* between the parts are rounded, and a shown part is the difference of two of them: the shown parts add
up to the shown change exactly, and each is within one unit of the last place of what it is. ADR 0096.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

from common.figures.model import Number

PLACES = 12
_UNIT = Fraction(1, 10**PLACES)
_DIGITS = 60  # of a decimal while it is made: 12 behind the point and far more before it than any money has
# Sums of measures are divided by windows of days and by scales; a quotient with a larger divisor stays as it is.
_LARGEST_DIVISOR = 100_000


def fraction_of(number: Number) -> Fraction:
    """Exact; of a float, the simple quotient that it is the nearest float to, where there is one."""
    if not isinstance(number, float):
        return Fraction(number)
    near = Fraction(number).limit_denominator(_LARGEST_DIVISOR)
    return near if float(near) == number else Fraction(number)


def shown(number: Fraction) -> Decimal:
    """Rounded half to even at the last place."""
    units = round(number / _UNIT)
    with localcontext() as context:
        context.prec = _DIGITS
        context.rounding = ROUND_HALF_EVEN
        return Decimal(units).scaleb(-PLACES)


def steps(start: Fraction, parts: Iterable[Fraction]) -> list[Decimal]:
    """The parts as decimals whose sum is `shown(start + all parts) - shown(start)`."""
    found = []
    state, before = start, shown(start)
    for part in parts:
        state += part
        after = shown(state)
        found.append(_difference(after, before))
        before = after
    return found


def total(parts: Sequence[Decimal]) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        return sum(parts, Decimal(0))


def text(number: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    written = f"{number:f}"
    short = written.rstrip("0").rstrip(".") if "." in written else written
    return "0" if short in ("-0", "") else short


def _difference(one: Decimal, other: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        return one - other
