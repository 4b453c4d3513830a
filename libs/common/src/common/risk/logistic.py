"""Ridge logistic regression by Newton's method (iteratively reweighted least squares).

Source: T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning" (2009), 4.4.1; the penalty is 3.4.1's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_STEPS = 100
_CLOSE = 1e-9


def fit(x: Floats, y: Bools, ridge: Floats) -> Floats:
    """Coefficients that make the penalised likelihood greatest. `ridge`: the penalty of each column, 0 for an intercept.

    The penalised likelihood is concave; a step that would lower it is halved.
    """
    beta = np.zeros(x.shape[1])
    best = _likelihood(x, y, ridge, beta)
    for _ in range(_STEPS):
        p = chances(x @ beta)
        gradient = x.T @ (y - p) - ridge * beta
        curvature = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge + _CLOSE)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > _CLOSE and _likelihood(x, y, ridge, beta + size * step) < best:
            size /= 2
        beta = beta + size * step
        best = _likelihood(x, y, ridge, beta)
        if np.abs(size * step).max() < _CLOSE:
            break
    return beta


def chances(log_odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))


def log_odds(probability: Floats) -> Floats:
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.log(inside / (1 - inside))


def _likelihood(x: Floats, y: Bools, ridge: Floats, beta: Floats) -> float:
    eta = x @ beta
    return float((y * eta - np.logaddexp(0, eta)).sum() - 0.5 * (ridge * beta * beta).sum())
