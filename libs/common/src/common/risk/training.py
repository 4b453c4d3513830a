"""Learning a hazard model from account-months: on the oldest, calibrated on later renewals, judged on the latest, or refused.

Discrete-time survival as a logistic regression on periods: P. D. Allison, Sociological Methodology 13 (1982) 61-98.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from common.risk.features import FEATURES, TERMS, term_of
from common.risk.hazard import HazardModel, Weight, contributions, probabilities, raw_log_odds
from common.risk.logistic import Bools, Floats, fit
from common.risk.trial import Trial, compare

LEAST_CHURNS = 200
"""Of about ten churns a coefficient, with room for calibration and a trial that can tell anything."""
LEAST_RENEWALS = 60
LEAST_OF_A_KIND = 10
_RIDGE = 1.0
_LEAST_KNOWN = 0.02
"""A feature that is known of fewer account-months than this share says nothing of the others."""


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """An account that paid at the month's start, with its figures as known then. `left`: it gave notice or lapsed in the month."""

    account_id: int
    at: dt.datetime
    figures: Mapping[str, Any]
    months_to_due: int | None
    left: bool
    settled_at: dt.datetime


@dataclass(frozen=True, slots=True)
class PastRenewal:
    """A decided renewal as it stood when there was still time. `score`: the probability that the score gave it then.

    `at`: the moment of which figures were known; `decided_at`: when what became of it was.
    """

    account_id: int
    at: dt.datetime
    figures: Mapping[str, Any]
    months_to_due: int | None
    score: float
    lost: bool
    decided_at: dt.datetime


class Training(msgspec.Struct, frozen=True):
    """`model` None: refused, and `refusal` says why in a sentence. `trial` is there whenever one was held."""

    model: HazardModel | None
    refusal: str | None
    account_months: int
    churns: int
    fitted_until: dt.datetime | None
    calibrated_until: dt.datetime | None
    trial: Trial | None


def train(months: Sequence[AccountMonth], renewals: Sequence[PastRenewal]) -> Training:
    """What there is to learn, or why nothing is learnt."""
    churns = sum(one.left for one in months)
    nothing = Training(None, None, len(months), churns, None, None, None)
    if churns < LEAST_CHURNS:
        return _refused(nothing, f"too few churns to learn from: {churns} of at least {LEAST_CHURNS}")
    if len(renewals) < 3 * LEAST_RENEWALS:
        return _refused(
            nothing, f"too few decided renewals: {len(renewals)} of at least {3 * LEAST_RENEWALS}"
        )
    first, second = _cuts(renewals)
    said = msgspec.structs.replace(nothing, fitted_until=first, calibrated_until=second)
    old = [one for one in months if one.settled_at <= first]
    later = [one for one in renewals if one.at >= first and one.decided_at <= second]
    latest = [one for one in renewals if one.at >= second]
    for what, some in (("calibrate with", later), ("judge by", latest)):
        lost = sum(one.lost for one in some)
        if len(some) < LEAST_RENEWALS or min(lost, len(some) - lost) < LEAST_OF_A_KIND:
            message = f"too few later renewals to {what}: {len(some)} with {lost} lost, of at least {LEAST_RENEWALS} with {LEAST_OF_A_KIND} of each kind"
            return _refused(said, message)
    if sum(one.left for one in old) < LEAST_CHURNS // 2:
        return _refused(said, f"too few churns before {first:%Y-%m-%d}, the time that is kept for learning")
    model = calibrated(fitted(old), later)
    if model.slope <= 0:
        return _refused(said, "what it learnt from the older months did not hold in the later ones")
    trial = _tried(model, latest)
    said = msgspec.structs.replace(said, trial=trial)
    if trial.gain_log_loss.low <= 0 or trial.gain_brier.value <= 0:
        return _refused(said, _no_better(trial))
    return msgspec.structs.replace(said, model=model)


def refused(why: str) -> Training:
    """A training that came to nothing before there was anything to learn from."""
    return Training(None, why, 0, 0, None, None, None)


def _refused(said: Training, why: str) -> Training:
    return msgspec.structs.replace(said, refusal=why)


def _no_better(trial: Trial) -> str:
    gain = trial.gain_log_loss
    return (
        f"not better than the score on the {trial.renewals} latest renewals: log loss less by {gain.value:.4f} "
        f"({gain.low:.4f} to {gain.high:.4f}), Brier score less by {trial.gain_brier.value:.4f}"
    )


def _cuts(renewals: Sequence[PastRenewal]) -> tuple[dt.datetime, dt.datetime]:
    """Half of the renewals are asked about before the first, a quarter between, a quarter after the second."""
    moments = sorted(one.at for one in renewals)
    return moments[len(moments) // 2], moments[len(moments) * 3 // 4]


def fitted(months: Sequence[AccountMonth]) -> HazardModel:
    """Not calibrated. What not knowing a feature adds is at least 0: no data never lowers the risk."""
    terms = [name for name in TERMS if any(term_of(one.months_to_due) == name for one in months)]
    known = {f.name: [f.read(one.figures) for one in months] for f in FEATURES}
    scales = {name: scale for name, values in known.items() if (scale := _scale(values)) is not None}
    left = np.array([one.left for one in months])
    base = np.array([[term_of(one.months_to_due) == name for name in terms] for one in months], np.float64)
    columns = {name: _standard(known[name], *scales[name]) for name in scales}
    unknown = {f"{name}?": _unknown(known[name]) for name in scales if None in known[name]}
    while True:
        names = [*columns, *unknown]
        x = np.column_stack([base, *columns.values(), *unknown.values()])
        ridge = np.array([0.01] * len(terms) + [_RIDGE] * len(names))
        beta = fit(x, left, ridge)
        found = dict(zip(names, beta[len(terms) :].tolist(), strict=True))
        lowering = [name for name in unknown if found[name] < 0]
        if not lowering:
            break
        unknown = {name: column for name, column in unknown.items() if name not in lowering}
    baseline = dict(zip(terms, beta[: len(terms)].tolist(), strict=True))
    # A kind of month that was never seen is taken for the likeliest one.
    highest = max(baseline.values())
    return HazardModel(
        {name: baseline.get(name, highest) for name in TERMS},
        {
            name: Weight(mean, deviation, found[name], max(found.get(f"{name}?", 0.0), 0.0))
            for name, (mean, deviation) in scales.items()
        },
    )


def _scale(values: Sequence[float | None]) -> tuple[float, float] | None:
    """Mean and deviation; None where too little is known, or all are alike."""
    some = np.array([value for value in values if value is not None])
    if len(some) < _LEAST_KNOWN * len(values) or len(some) < 2 or some.std() < 1e-9:
        return None
    return float(some.mean()), float(some.std())


def _standard(values: Sequence[float | None], mean: float, deviation: float) -> Floats:
    return np.array([0.0 if value is None else (value - mean) / deviation for value in values])


def _unknown(values: Sequence[float | None]) -> Floats:
    return np.array([value is None for value in values], np.float64)


def calibrated(model: HazardModel, renewals: Sequence[PastRenewal]) -> HazardModel:
    """With the straight line of log-odds that says best what became of these."""
    raw = np.array(
        [
            raw_log_odds(model, sum(contributions(model, one.figures).values()), one.months_to_due)
            for one in renewals
        ]
    )
    x = np.column_stack([np.ones(len(raw)), raw])
    shift, slope = fit(x, _lost(renewals), np.array([0.0, 0.01])).tolist()
    return msgspec.structs.replace(model, slope=slope, shift=shift)


def _tried(model: HazardModel, renewals: Sequence[PastRenewal]) -> Trial:
    said = probabilities(model, [(one.figures, one.months_to_due) for one in renewals])
    score = np.array([one.score for one in renewals])
    accounts = np.array([one.account_id for one in renewals], np.int64)
    return compare(accounts, said, score, _lost(renewals))


def _lost(renewals: Sequence[PastRenewal]) -> Bools:
    return np.array([one.lost for one in renewals], np.bool_)
