"""How unusual a count is where counts vary more than chance alone would make them.

The model: a count with mean m and variance phi * (m + m^2 / (n + 1/2)) is negative binomial. n is how many events the mean rests on, so
that a mean of few events is trusted little; phi is how much more the weeks of the base varied than a Poisson count does (Pearson's
chi-square over its degrees of freedom, never under 1). phi is itself an estimate from a few weeks: the tail is the mean over nine equally
likely values of it, those of a scaled inverse chi-square distribution.

Sources: J. M. Hilbe, "Negative Binomial Regression", 2nd ed. (2011), ch. 8; P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed.
(1989), 4.5 and 6.2 (phi); A. Gelman et al., "Bayesian Data Analysis", 3rd ed. (2013), 3.2 (its distribution) and 2.6 (few events);
E. B. Wilson, M. M. Hilferty, PNAS 17 (1931) 684-688 (chi-square quantiles); DLMF 8.17.22 (incomplete beta function).
"""

from collections.abc import Callable
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

# Nearer to a Poisson count the two can't be told apart, and the fraction below converges slowly.
LEAST_DISPERSION = 1.01
_STEPS = 9
_Z = tuple(NormalDist().inv_cdf((2 * step + 1) / (2 * _STEPS)) for step in range(_STEPS))
_TINY = 1e-300
_EXACT = 1e-12
_MOST_TERMS = 2_000


def at_most(count: float, mean: float, variance: float) -> float:
    """P(Y <= count) of a negative binomial Y."""
    size, success = _shape(mean, variance)
    return 0.0 if count < 0 else incomplete_beta(size, count + 1, success)


def at_least(count: float, mean: float, variance: float) -> float:
    """P(Y >= count), exact where it is tiny too."""
    size, success = _shape(mean, variance)
    return 1.0 if count <= 0 else incomplete_beta(count, size, 1 - success)


def fewer(count: float, mean: float, *, rests_on: float, dispersion: float, freedom: float) -> float:
    """How likely so few or fewer are, where `mean` was to be expected from `rests_on` events."""
    return _averaged(at_most, count, mean, rests_on, dispersion, freedom)


def more(count: float, mean: float, *, rests_on: float, dispersion: float, freedom: float) -> float:
    """How likely so many or more are."""
    return _averaged(at_least, count, mean, rests_on, dispersion, freedom)


def _averaged(
    tail: Callable[[float, float, float], float],
    count: float,
    mean: float,
    rests_on: float,
    dispersion: float,
    freedom: float,
) -> float:
    least = mean + mean * mean / (rests_on + 0.5)
    likely = dispersions(dispersion, freedom)
    return sum(tail(count, mean, phi * least) for phi in likely) / len(likely)


def dispersions(estimate: float, freedom: float) -> list[float]:
    """Equally likely values of the dispersion behind an estimate with so many degrees of freedom."""
    if freedom <= 0:
        return [max(estimate, LEAST_DISPERSION)]
    return [max(estimate * freedom / chi_square(z, freedom), LEAST_DISPERSION) for z in _Z]


def chi_square(z: float, freedom: float) -> float:
    """The quantile that a normal quantile `z` belongs to, by Wilson and Hilferty."""
    spread = 2 / (9 * freedom)
    return float(freedom * max(1 - spread + z * sqrt(spread), 0.05) ** 3)


def _shape(mean: float, variance: float) -> tuple[float, float]:
    variance = max(variance, mean * LEAST_DISPERSION)
    return mean * mean / (variance - mean), mean / variance


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised one, I_x(a, b), for positive a and b, to about ten digits."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22, by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = _not_zero(1 + term / c), 1 / _not_zero(1 + term * d)
            value *= c * d
        if abs(c * d - 1) < _EXACT:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
