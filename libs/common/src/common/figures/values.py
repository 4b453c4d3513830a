"""What a metric's value is, from sums. Pure; exact until the one division at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import sqrt

from common.catalogue.derived import MARGIN, Derived
from common.catalogue.models import MONEY, Metric, Nps, Ratio, Rolling
from common.figures.model import Number, Value

NO_RATE = "an amount is in a currency without any rate; import dated rates"
NO_MARGIN = "the settings name no gross_margin"

Z_95 = 1.959963984540054  # two-sided 95 % of the normal distribution


def shown(exact: Fraction, unit: str) -> Number:
    """Money as a decimal (exact where it has an end), whole numbers as integers, other fractions as a number."""
    if unit in MONEY:
        return Decimal(exact.numerator) / Decimal(exact.denominator)
    return number(exact)


def ratio(numerator: Fraction, denominator: Fraction, formula: Ratio) -> Value:
    """Null where the denominator is 0 or under the base the metric asks for."""
    shown = Value(None, number(numerator), number(denominator), n=_count(denominator))
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


def exact_quotient(numerator: Decimal, denominator: Decimal) -> Fraction:
    return Fraction(numerator) / Fraction(denominator)


def money_ratio(numerator: Decimal, denominator: Decimal, accounts: int | None) -> Value:
    value = float(exact_quotient(numerator, denominator)) if denominator else None
    return Value(value, numerator, denominator, n=accounts, accounts=accounts)


def share(part: int, whole: int) -> Value:
    return Value(part / whole if whole else None, part, whole, n=whole, accounts=whole)


def number(exact: Fraction) -> Number:
    """Whole numbers as integers."""
    return exact.numerator if exact.denominator == 1 else float(exact)


def _count(exact: Fraction) -> int | None:
    return exact.numerator if exact.denominator == 1 else None


def wilson(part: int, whole: int) -> tuple[float, float] | None:
    """95 % interval of a share. Source: E. B. Wilson, JASA 22 (1927) 209-212."""
    if not whole:
        return None
    z2 = Z_95 * Z_95
    share = part / whole
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = Z_95 / (1 + z2 / whole) * sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    # Of none and of all one end is known exactly; computed, it could lie a rounding inside.
    return max(0.0, middle - half) if part else 0.0, min(1.0, middle + half) if part < whole else 1.0


def estimated_share(
    part: int, whole: int, *, min_n: int, censored: int = 0, accounts: int | None = None
) -> Value:
    """A share with its interval; unknown of nobody, marked under `min_n`."""
    found = wilson(part, whole)
    low, high = found or (None, None)
    value = part / whole if whole else None
    behind = accounts if whole else 0
    return Value(
        value, part, whole, low, high, n=whole, accounts=behind, low_n=whole < min_n, censored=censored
    )


def estimated_mean(scores: Sequence[Fraction], *, min_n: int) -> Value:
    """A mean with 95 % of the normal distribution, from the sample's own variance; of one score none."""
    n = len(scores)
    if not n:
        return Value(None, 0, 0, n=0, accounts=0, low_n=min_n > 0)
    total = sum(scores, Fraction(0))
    low, high = _mean_interval(scores)
    return Value(float(total / n), number(total), n, low, high, n=n, low_n=n < min_n)


def estimated_money(amounts: Sequence[Fraction], unit: str) -> Value:
    """A mean of money with the same interval; numerator is the sum."""
    n = len(amounts)
    if not n:
        return Value(None, Decimal(0), 0, n=0)
    sum_ = sum(amounts, Fraction(0))
    low, high = _mean_interval(amounts)
    return Value(shown(sum_ / n, unit), shown(sum_, unit), n, low, high, n=n)


def _mean_interval(numbers: Sequence[Fraction]) -> tuple[float | None, float | None]:
    n = len(numbers)
    if n < 2:
        return None, None
    mean = sum(numbers, Fraction(0)) / n
    half = Z_95 * sqrt(sum((one - mean) ** 2 for one in numbers) / (n - 1) / n)
    return float(mean) - half, float(mean) + half


def total(amounts: Iterable[Decimal]) -> Fraction | None:
    """The sum, whatever the order; None when one of them isn't known."""
    found = Fraction(0)
    for amount in amounts:
        if amount.is_nan():
            return None
        found += Fraction(amount)
    return found


def derived(parts: Mapping[str, Value], formula: Derived, unit: str, margin: Decimal | None) -> Value:
    """Exact until the last step: a part that is a quotient is taken as one. `accounts` are those of its first factor."""
    made = formula.arithmetic
    known = {name: _exact(part) for name, part in parts.items()}
    known[MARGIN] = None if margin is None else Fraction(margin)
    exact, sides = made.value(known), made.sides(known)
    over, under = (None if side is None else number(side) for side in sides)
    marked = any(part.low_n for part in parts.values())
    accounts = None if made.counts is None else parts[made.counts].accounts
    if exact is None:
        reason = next((part.reason for part in parts.values() if part.reason), None)
        if made.reads_margin and margin is None:
            reason = NO_MARGIN
        return Value(None, over, under, accounts=accounts, low_n=marked, reason=reason)
    return Value(shown(exact, unit), over, under, accounts=accounts, low_n=marked, exact=exact)


def contributes(metric: Metric, value: Value) -> bool:
    """Whether anything is behind a value. A rolling mean is over its number of days, whatever happened."""
    cohort = None if isinstance(metric.formula, Rolling) else value.denominator
    return value.behind or any((value.value, value.numerator, cohort, value.n, value.censored))


def _exact(part: Value) -> Fraction | None:
    """The value; where it is known or that of numerator over denominator, before it was rounded."""
    if part.exact is not None:
        return part.exact
    if part.value is None or part.numerator is None or not part.denominator:
        return None if part.value is None else Fraction(part.value)
    quotient = Fraction(part.numerator) / Fraction(part.denominator)
    return quotient if float(quotient) == float(part.value) else Fraction(part.value)
