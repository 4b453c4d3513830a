"""Health scores: weighted, explained to the last point, and never green for want of data."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.catalogue import load
from common.catalogue.cel import ACCOUNT_FIGURES
from common.catalogue.health import HealthProfile
from common.catalogue.loading import base_pack
from common.catalogue.models import Catalogue
from kpi_engine.domain.health import Health, Profile, compiled

NUMBERS = ("events_28d", "login_trend", "complaints_7d", "nps_latest", "days_silent")
BANDS = [
    {"name": "poor", "from": 0},
    {"name": "fair", "from": 40},
    {"name": "good", "from": 70, "healthy": True},
]


def profile(**said: Any) -> Profile:
    given_ = {"name": "p", "label": "P", "bands": BANDS, **said}
    (made,) = compiled([HealthProfile.model_validate(given_)], 7).profiles
    return made


@cache
def pack() -> Catalogue:
    return load(base_pack())


def one_input(name: str, weight: int, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "weight": weight,
        "value": f"a.{name}",
        "points": [[0, 0], [10, 100]],
        **more,
    }


TWO = [one_input("events_28d", 60), one_input("nps_latest", 40)]


def judged(figures: Mapping[str, Any], traits: Mapping[str, Any] | None = None, **said: Any) -> Health:
    return profile(**{"inputs": TWO, **said}).judge(figures, traits or {}, 7)


def test_a_score_is_the_weighted_mean_of_points_on_straight_lines() -> None:
    health = judged({"events_28d": 5, "nps_latest": 10})
    assert (health.score, health.band, health.healthy, health.worst) == (70.0, "good", True, "events_28d")
    assert [(part.points, part.lost) for part in health.inputs] == [(50.0, 30.0), (100.0, 0.0)]
    assert judged({"events_28d": -3, "nps_latest": 99}).score == 40.0, (
        "outside the points it stays as at the end"
    )


def test_a_band_is_told_by_the_score_as_shown() -> None:
    """69.96 is shown as 70.0, so it is called what 70.0 is called."""
    assert judged({"events_28d": 4.9934, "nps_latest": 10}).band == "good"
    assert judged({"events_28d": 4.98, "nps_latest": 10}).band == "fair"


@pytest.mark.parametrize(("missing", "score"), [("leave_out", 50.0), ("neutral", 50.0), ("worst", 30.0)])
def test_what_is_unknown_counts_as_the_profile_says(missing: str, score: float) -> None:
    health = judged({"events_28d": 5}, missing=missing)
    assert health.score == score
    assert (health.known, health.inputs[1].state) == (60, "missing")


def test_too_little_known_is_no_score_and_not_healthy() -> None:
    for figures in ({}, {"nps_latest": 10}):
        health = judged(figures)
        assert (health.score, health.band, health.healthy, health.worst) == (None, None, False, None)
        assert all(part.lost is None for part in health.inputs)


def test_a_stale_value_is_shown_and_does_not_count() -> None:
    inputs = [TWO[0], {**TWO[1], "stale_when": "a.days_silent > 60"}]
    fresh, stale = ({"events_28d": 5, "nps_latest": 10, "days_silent": days} for days in (60, 61))
    assert judged(fresh, inputs=inputs).score == 70.0
    health = judged(stale, inputs=inputs)
    assert (health.score, health.inputs[1].state, health.inputs[1].value) == (50.0, "stale", 10.0)


def test_an_override_holds_the_score_down_and_says_what_it_took() -> None:
    overrides = [
        {"name": "closed", "when": "a.traits.closed == true", "at_most": 0, "reason": "It is closed."},
        {"name": "quiet", "when": "a.days_silent > 30", "at_most": 39, "reason": "Nobody is there."},
    ]
    figures = {"events_28d": 10, "nps_latest": 10, "days_silent": 31}
    health = judged(figures, overrides=overrides)
    assert (health.score, health.band, health.cut) == (39.0, "poor", 61.0)
    assert [one.name for one in health.overrides] == ["quiet"]
    assert judged(figures, {"closed": True}, overrides=overrides).score == 0.0


def test_the_first_profile_that_applies_judges() -> None:
    profiles = compiled(pack().health.values(), 3)
    young = profiles.judge({"age_days": 10, "days_silent": 1, "quiet_days": 0, "complaints_28d": 0}, {})
    grown = profiles.judge({"age_days": 90, "days_silent": 1}, {})
    unknown = profiles.judge({}, {})
    assert young is not None
    assert grown is not None
    assert unknown is not None
    assert (young.profile, grown.profile, unknown.profile) == ("onboarding", "standard", "standard")
    assert young.definitions == 3


def test_a_month_of_holidays_leaves_an_account_as_healthy_as_it_was() -> None:
    profiles = compiled(pack().health.values(), 3)
    use = {"use_fell": {"state": "off", "value": 20, "baseline": 20}}
    known = {"age_days": 400, "usual_gap_days": 1, "nps_latest": 9, "complaints_7d": 0, "complaints_base": 0, "s": use}  # fmt: skip
    at_work, away, silent = (
        profiles.judge({**known, "days_silent": days, "quiet_days": quiet}, {})
        for days, quiet in ((1, 0), (32, 31), (32, 0))
    )
    assert at_work is not None
    assert (at_work.score, at_work.band) == (100, "good")
    assert away is not None
    assert (away.score, away.overrides) == (100, [])
    assert silent is not None
    assert silent.band == "poor"


def test_segments_stages_and_engagement_models_have_profiles_of_their_own() -> None:
    tried = (("a.segment == 'smb'", "small"), ("a.stage == 'onboard'", "new"), ("a.traits.engagement_model == 'high'", "close"), (None, "rest"))  # fmt: skip
    made = [
        {"name": name, "label": name, "bands": BANDS, "inputs": TWO, "applies_to": when, "order": n}
        for n, (when, name) in enumerate(tried)
    ]
    profiles = compiled([HealthProfile.model_validate(one) for one in made], 1)
    accounts: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"segment": "smb", "stage": "onboard"}, {}),
        ({"segment": "ent", "stage": "onboard"}, {"engagement_model": "high"}),
        ({"segment": "ent", "stage": "adopt"}, {"engagement_model": "high"}),
        ({}, {}),
    ]
    judged_by = [profiles.judge(figures, traits) for figures, traits in accounts]
    assert [health and health.profile for health in judged_by] == ["small", "new", "close", "rest"]


def test_without_profiles_there_is_no_health() -> None:
    assert compiled([], 1).judge({"events_28d": 5}, {}) is None


numbers = st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(-5, 20))
values = st.fixed_dictionaries(dict.fromkeys(NUMBERS, numbers))
said = st.fixed_dictionaries(
    {
        "missing": st.sampled_from(("leave_out", "neutral", "worst")),
        "least_known": st.integers(1, 100),
        "inputs": st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=5, unique=True).flatmap(
            lambda names: st.lists(st.integers(1, 50), min_size=len(names), max_size=len(names)).map(
                lambda raw: [
                    one_input(name, weight) for name, weight in zip(names, _of_a_hundred(raw), strict=True)
                ]
            )
        ),
        "overrides": st.lists(
            st.builds(
                lambda name, most: {
                    "name": name,
                    "when": f"a.{name} > 3",
                    "at_most": most,
                    "reason": "because",
                },
                st.sampled_from(NUMBERS),
                st.integers(0, 100),
            ),
            max_size=2,
        ),
    }
)


def _of_a_hundred(raw: list[int]) -> list[int]:
    shares = [max(1, weight * 100 // sum(raw)) for weight in raw]
    shares[shares.index(max(shares))] += 100 - sum(shares)
    return shares


@given(said, values)
def test_what_inputs_lost_and_overrides_cut_adds_up(given_: dict[str, Any], figures: dict[str, Any]) -> None:
    health = judged(figures, **given_)
    weights = {one["name"]: one["weight"] for one in given_["inputs"]}
    known = sum(weight for name, weight in weights.items() if figures[name] is not None)
    assert health.known == known
    assert (health.score is None) == (known < given_["least_known"])
    if health.exact is None:
        assert not health.healthy
        return
    lost = sum(part.lost for part in health.inputs if part.lost is not None)
    assert abs(health.exact + lost + health.cut - 100) < 1e-6
    assert -1e-9 <= health.exact <= 100 + 1e-9
    assert abs(sum(part.share for part in health.inputs) - 100) < 1e-9
    assert health.exact <= min([100.0, *(one.at_most for one in health.overrides)]) + 1e-9


@given(
    values,
    st.dictionaries(
        st.sampled_from(("closed", "seats", "kind", "contract_start")),
        st.one_of(st.booleans(), st.integers(), st.text(max_size=5)),
    ),
)
def test_the_base_pack_judges_whatever_is_known(figures: dict[str, Any], traits: dict[str, Any]) -> None:
    health = compiled(pack().health.values(), 1).judge(figures, traits)
    assert health is not None
    assert health.score is None or 0 <= health.score <= 100
    assert set(NUMBERS) <= ACCOUNT_FIGURES.keys()
