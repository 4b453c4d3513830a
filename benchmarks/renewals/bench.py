"""How likely renewals are lost: said by the score, by a model, and always the base rate, of customers that none of them was made from."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks import definitions
from benchmarks.options import Options
from benchmarks.renewals.world import DAYS, FIRST, NOW, ZONE, past
from benchmarks.results import Aim, Result

from common.catalogue.cel import account_root
from common.catalogue.models import Catalogue
from common.figures.terms import dues
from common.risk.base_rates import base_rates
from common.risk.hazard import probabilities
from common.risk.logistic import Bools, Floats
from common.risk.months import histories, month_starts, with_use
from common.risk.past import Past, known_at
from common.risk.renewals import facing
from common.risk.score import Score, compiled
from common.risk.training import AccountMonth, PastRenewal, Training, train
from common.risk.trial import brier, log_loss

_HELD_OUT = 1_000
"""Added to a seed: other customers of the same kind."""


@dataclass(frozen=True)
class _Learnt:
    months: Sequence[AccountMonth]
    renewals: Sequence[PastRenewal]


def run(options: Options) -> Result:
    seeds, accounts = (
        options.seeds or (1 if options.quick else 3),
        options.accounts or (300 if options.quick else 800),
    )
    catalogue = definitions.whole_pack()
    score = compiled(catalogue.risk.values(), catalogue.risk_settings, catalogue.version)
    result = Result(
        "renewals",
        f"{seeds} times {accounts} accounts over {DAYS // 365} years, and as many others to judge by",
    )
    for seed in range(1, seeds + 1):
        _one(result, seed, accounts, score)
    _noise(result, accounts, score)
    _fading(result, catalogue, accounts // 2)
    return result


def _one(result: Result, seed: int, accounts: int, score: Score) -> None:
    of = _learnt(past(seed, accounts), score)
    training = train(of.months, of.renewals)
    others = _learnt(past(seed + _HELD_OUT, accounts), score).renewals
    lost = np.array([one.lost for one in others], np.bool_)
    base = sum(one.lost for one in of.renewals) / len(of.renewals)
    said = {
        "base rate": np.full(len(others), base),
        "score": np.array([one.score for one in others]),
    }
    if training.model is not None:
        said["model"] = probabilities(training.model, [(one.figures, one.months_to_due) for one in others])
    result.figures[f"seed {seed}: training"] = _came_to(training)
    result.figures[f"seed {seed}: {len(others)} renewals of others, {int(lost.sum())} lost"] = {
        name: _good(chance, lost) for name, chance in said.items()
    }
    better = brier(said["score"], lost).mean() - brier(said.get("model", said["score"]), lost).mean()
    result.aims.append(
        Aim(f"Brier score of the model below the score's, seed {seed}", 0, float(better), at_least=True)
    )


def _noise(result: Result, accounts: int, score: Score) -> None:
    of = _learnt(past(1, accounts, told_apart=False), score)
    training = train(of.months, of.renewals)
    result.figures["nothing foretells who leaves"] = _came_to(training)
    result.aims.append(Aim("models accepted of noise", 0, float(training.model is not None), at_least=False))


def _learnt(of: Past, score: Score) -> _Learnt:
    starts = month_starts(FIRST + dt.timedelta(days=56), NOW, ZONE)
    return _Learnt(*histories(of, starts, score, {}, NOW))


def _came_to(training: Training) -> str:
    return f"{training.churns} churns in {training.account_months:,} account-months: {training.refusal or 'accepted'}"


def _good(chance: Floats, lost: Bools) -> dict[str, float]:
    return {
        "Brier": round(float(brier(chance, lost).mean()), 4),
        "log loss": round(float(log_loss(chance, lost).mean()), 4),
        "AUC": round(auc(chance, lost), 3),
        "expected over seen": round(float(chance.sum() / max(int(lost.sum()), 1)), 2),
    }


def auc(chance: Floats, lost: Bools) -> float:
    """How often a lost renewal was given more than a kept one; ties count half."""
    order, ranks = np.unique(chance, return_inverse=True)
    counts = np.bincount(ranks, minlength=len(order))
    middle = np.cumsum(counts) - (counts - 1) / 2
    positive, negative = int(lost.sum()), int((~lost).sum())
    above = middle[ranks][lost].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative)) if positive and negative else float("nan")


def _fading(result: Result, catalogue: Catalogue, accounts: int) -> None:
    """The score of the pack beside one whose reasons never fade, on renewals that must be decided 1, 6 and 10 months on."""
    of = past(_HELD_OUT + 1, accounts)
    settings = catalogue.risk_settings
    never = settings.model_copy(update={"fade": ((1, 1.0),)})
    scores = {
        "fades": compiled(catalogue.risk.values(), settings, 1),
        "does not": compiled(catalogue.risk.values(), never, 1),
    }
    outcomes = _outcomes(of)
    rates = base_rates({None: (len(outcomes), sum(outcomes.values()))}, settings)
    found: dict[str, dict[str, list[float]]] = {}
    lost: dict[str, list[bool]] = {}
    for at in month_starts(FIRST + dt.timedelta(days=420), NOW, ZONE)[::3]:
        for account, its in known_at(of, at).items():
            for one in its.open:
                days = (one.decide_by - at).days
                when = next((name for name, (low, high) in _AHEAD.items() if low <= days < high), None)
                outcome = outcomes.get((account, one.due_at))
                if when is None or outcome is None:
                    continue
                root = account_root(with_use(its.figures), its.traits)
                known = facing(one, its.renewals, at.date(), dt.datetime.date)
                lost.setdefault(when, []).append(outcome)
                for name, score in scores.items():
                    risk = score.judge(score.evidence(root), None, rates, known)
                    found.setdefault(when, {}).setdefault(name, []).append(risk.probability)
    for when, its_scores in found.items():
        was = np.array(lost[when], np.bool_)
        told: dict[str, Any] = {name: _good(np.array(some), was) for name, some in its_scores.items()}
        told["always the base rate"] = _good(np.full(len(was), rates.whole.rate), was)
        result.figures[f"decided {when} on ({len(was)}, {int(was.sum())} lost), where what passes"] = told


_AHEAD = {"1 to 3 months": (30, 90), "5 to 7 months": (150, 210), "9 to 11 months": (270, 330)}


def _outcomes(of: Past) -> dict[tuple[int, dt.datetime], bool]:
    return {
        (account, due.at): due.renewed == 0
        for account, its in of.facts.items()
        for due in dues([change for _, change in its.changes], NOW)
        if due.renewed is not None and due.at + dt.timedelta(days=30) <= NOW
    }
