"""What a metric's value is, from sums. Pure; exact until the one division at the end."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import sqrt

from common.catalogue.models import Nps, Ratio
from common.figures.model import Number, Value

Z_95 = 1.959963984540054  # two-sided 95 % of the normal distribution


def shown(exact: Fraction, unit: str) -> Number:
    """Money as a decimal (exact where it has an end), whole numbers as integers, other fractions as a number."""
    if unit == "money":
        return Decimal(exact.numerator) / Decimal(exact.denominator)
    return _number(exact)


def ratio(numerator: Fraction, denominator: Fraction, formula: Ratio) -> Value:
    """Null where the denominator is 0 or under the base the metric asks for."""
    shown = Value(None, _number(numerator), _number(denominator), n=_count(denominator))
    if denominator == 0 or denominator < formula.min_base:
        return Value(None, shown.numerator, shown.denominator, n=shown.n, low_n=formula.min_base > 0)
    value = numerator / denominator - (1 if formula.minus_one else 0)
    return Value(float(value), shown.numerator, shown.denominator, n=shown.n)


def nps(promoters: int, detractors: int, answers: int, formula: Nps) -> Value:
    """Points from -100 to 100, with a 95 % Wald interval.

    An answer is +1, 0 or -1; the score is their mean and its variance that of the trinomial, (p + d - (p - d)^2) / n.
    Source: B. Rocks, "Interval Estimation for the Net Promoter Score", The American Statistician 70 (2016) 365-372.
    """
    net = promoters - detractors
    if answers == 0:
        return Value(None, net, 0, n=0, low_n=formula.min_n > 0)
    mean = Fraction(net, answers)
    variance = Fraction(promoters + detractors, answers) - mean * mean
    half = Z_95 * sqrt(variance / answers) * 100
    value = float(mean * 100)
    low, high = max(-100.0, value - half), min(100.0, value + half)
    return Value(value, net, answers, low=low, high=high, n=answers, low_n=answers < formula.min_n)


def money_ratio(numerator: Decimal, denominator: Decimal, accounts: int) -> Value:
    value = float(Fraction(numerator) / Fraction(denominator)) if denominator else None
    return Value(value, numerator, denominator, n=accounts, accounts=accounts)


def share(part: int, whole: int) -> Value:
    return Value(part / whole if whole else None, part, whole, n=whole, accounts=whole)


def _number(exact: Fraction) -> Number:
    return exact.numerator if exact.denominator == 1 else float(exact)


def _count(exact: Fraction) -> int | None:
    return exact.numerator if exact.denominator == 1 else None
