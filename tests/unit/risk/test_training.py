"""A hazard model finds what was put into simulated customers, is refused where there is nothing, and explains itself exactly."""

from decimal import Decimal
from functools import cache
from math import exp, log
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.risk.simulated import world

from common.risk.base_rates import BaseRate
from common.risk.features import FEATURES
from common.risk.hazard import HazardModel, contributions, judge, probabilities, raw_log_odds
from common.risk.logistic import fit
from common.risk.training import Training, fitted, train
from common.risk.trial import interval

BASE = BaseRate(0.2, 0.1, 0.3, 10, 2, None)


@cache
def learnt() -> Training:
    return train(*world(1, 1000))


def model() -> HazardModel:
    found = learnt().model
    assert found is not None, learnt().refusal
    return found


def test_the_coefficients_of_simulated_customers_are_found_again() -> None:
    found = fitted(world(1, 1000)[0])
    assert found.weights["silence"].each == pytest.approx(0.9, abs=0.2)
    assert found.weights["trend"].each == pytest.approx(-1.2, abs=0.25)
    for name in ("users", "complaints", "nps", "size"):
        assert abs(found.weights[name].each) < 0.2, name
    assert found.baseline["due"] - found.baseline["later"] == pytest.approx(3.6, abs=0.5)


def test_it_is_taken_where_it_is_better_and_its_probabilities_are_those_that_come_true() -> None:
    trial = learnt().trial
    assert model().slope > 0
    assert trial is not None
    assert trial.gain_log_loss.low > 0
    assert trial.brier.value < trial.brier_of_score
    assert trial.expected_over_seen == pytest.approx(1, abs=0.25)
    for one in trial.reliability:
        assert abs(one.said - one.seen) < 3.5 * (0.25 / one.n) ** 0.5 + 0.02, trial.reliability


def test_it_is_refused_where_nothing_tells_who_leaves() -> None:
    refused = train(*world(2, 1000, silence=0.0, trend=0.0))
    assert refused.churns >= 200
    assert refused.model is None
    assert refused.refusal is not None
    assert refused.refusal.startswith(("not better than the score", "what it learnt"))


def test_it_is_refused_with_too_few_churns() -> None:
    refused = train(*world(3, 60))
    assert refused.model is None
    assert refused.refusal == f"too few churns to learn from: {refused.churns} of at least 200"


def test_nothing_that_was_learnt_from_is_judged_by_and_nothing_later_is_learnt_from() -> None:
    months, renewals = world(4, 800)
    said = train(months, renewals)
    assert said.fitted_until is not None
    assert said.calibrated_until is not None
    # What lies after the two dates in the learner's past may be anything: the model stays the same.
    changed = [
        msgspec_replace(one, left=not one.left, figures={**one.figures, "days_silent": 999})
        if one.settled_at > said.fitted_until
        else one
        for one in months
    ]
    assert fitted([m for m in changed if m.settled_at <= said.fitted_until]) == fitted(
        [m for m in months if m.settled_at <= said.fitted_until]
    )
    again = train(changed, renewals)
    assert (again.trial, again.model) == (said.trial, said.model)


def msgspec_replace(one: Any, **changes: Any) -> Any:
    return type(one)(**{**{name: getattr(one, name) for name in one.__slots__}, **changes})


figures = st.fixed_dictionaries(
    {},
    optional={
        "days_silent": st.integers(0, 900), "login_trend": st.floats(-1, 5), "active_users_28d": st.integers(0, 500),
        "complaints_28d": st.integers(0, 40), "nps_latest": st.integers(0, 10), "mrr": st.floats(0, 1e6),
        "mrr_change_365d": st.floats(-1, 9), "paying_days": st.integers(0, 4000), "renewals_kept": st.integers(0, 30),
    },
)  # fmt: skip


@given(figures, st.none() | st.integers(-3, 90))
@settings(max_examples=30, deadline=None)
def test_the_reasons_of_a_model_sum_exactly_to_its_prediction(
    known: dict[str, Any], months: int | None
) -> None:
    risk = judge(model(), 7, known, months, BASE)
    assert sum(Decimal(str(one.points)) for one in risk.reasons) == Decimal(str(risk.points))
    odds = log(risk.probability / (1 - risk.probability))
    (said,) = probabilities(model(), [(known, months)])
    # Each reason is told to a tenth of a point: 0.0035 of log-odds at most, ten times.
    assert odds == pytest.approx(log(said / (1 - said)), abs=0.05) or not 0.002 < said < 0.998
    for one in risk.reasons[1:]:
        added = contributions(model(), known)[one.reason]
        assert one.points * added >= 0, "a reason keeps its sign"


@given(figures, st.sampled_from([f.figure for f in FEATURES]), st.integers(0, 24))
@settings(max_examples=30, deadline=None)
def test_not_knowing_a_figure_never_counts_for_an_account(
    known: dict[str, Any], gone: str, months: int
) -> None:
    without = {name: value for name, value in known.items() if name != gone}
    for name, part in contributions(model(), without).items():
        if next(f for f in FEATURES if f.name == name).figure == gone:
            assert part >= 0
    risk = judge(model(), 1, without, months, BASE)
    assert all(one.points >= 0 for one in risk.reasons if one.state == "unknown")


@given(st.floats(-8, 8), st.floats(0.01, 4), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_more_to_leave_for_and_more_time_to_leave_make_it_likelier(
    at: float, more: float, months: int
) -> None:
    here = raw_log_odds(model(), at, months)
    assert raw_log_odds(model(), at + more, months) >= here
    assert raw_log_odds(model(), at, months + 1) >= here - 1e-9 or months <= 3


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_the_fit_is_where_the_slope_of_the_likelihood_is_nought(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = np.column_stack([np.ones(80), random.normal(size=(80, 2))])
    y = random.random(80) < 1 / (1 + np.exp(-x @ np.array([-1.0, 1.0, 0.5])))
    ridge = np.array([0.0, 1.0, 1.0])
    beta = fit(x, y, ridge)
    # The gradient, written out by differences of the penalised likelihood itself.
    for axis in range(3):
        step = np.eye(3)[axis] * 1e-4
        assert likelihood(x, y, ridge, beta + step) <= likelihood(x, y, ridge, beta) + 1e-9
        assert likelihood(x, y, ridge, beta - step) <= likelihood(x, y, ridge, beta) + 1e-9


def likelihood(x: Any, y: Any, ridge: Any, beta: Any) -> float:
    total = 0.0
    for row, left in zip(x, y, strict=True):
        chance = 1 / (1 + exp(-float(row @ beta)))
        total += log(chance if left else 1 - chance)
    return total - 0.5 * float((ridge * beta * beta).sum())


def test_an_interval_of_one_account_over_and_over_knows_that_it_saw_one() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4])
    alone = interval(np.array([1, 1, 1, 1]), values)
    assert (alone.low, alone.high) == pytest.approx((0.25, 0.25))
    several = interval(np.array([1, 2, 3, 4]), values)
    assert several.low < 0.25 < several.high


def test_a_model_survives_being_written_down() -> None:
    assert msgspec.json.decode(msgspec.json.encode(learnt()), type=Training) == learnt()
