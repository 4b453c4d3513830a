"""Figures in plain words."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bellwether.wording import duration, sentences

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = [
    "user_days_28d",
    "user_days_base",
    "login_trend",
    "segment_login_trend",
    "login_trend_vs_segment",
    "complaints_7d",
    "complaints_28d",
    "complaints_base",
    "days_silent",
    "usual_gap_days",
    "nps_latest",
    "active_users_7d",
    "active_users_28d",
]


def test_a_fall_is_told_against_the_accounts_own_past_and_its_segment() -> None:
    figures = {
        "user_days_28d": 25,
        "user_days_base": 54,
        "login_trend": -0.537,
        "segment_login_trend": -0.01,
        "login_trend_vs_segment": -0.527,
    }
    (use, _) = sentences(figures, NOW)
    assert use == (
        "Its people were there on 25 user-days in the last 28 days, and on 54 in the 28 before: -54%, "
        "where its segment moved by -1%: -53 points against it."
    )


def test_complaints_silence_and_answers_are_told() -> None:
    figures = {
        "complaints_7d": 1,
        "complaints_28d": 3,
        "complaints_base": 0.5,
        "days_silent": 18,
        "usual_gap_days": 1,
        "last_activity_at": "2026-11-02T12:00:00Z",
        "nps_latest": 2,
    }
    assert sentences(figures, NOW) == [
        "Its last activity was 19 days ago; its usual gap between active days is 1 day.",
        "1 complaint in the last 7 days, 3 in the last 28; its usual week has 0.5 complaints.",
        "The latest relationship NPS answer is 2: among the detractors.",
    ]


def test_nothing_known_is_never_told_as_zero() -> None:
    assert sentences({}, NOW) == ["It has never been active."]


@given(st.dictionaries(st.sampled_from(NAMES), st.none() | st.integers(0, 10**6) | st.floats(-1, 1)))
def test_any_figures_can_be_told(figures: dict[str, object]) -> None:
    assert all(sentence.endswith(".") and "None" not in sentence for sentence in sentences(figures, NOW))


@given(st.floats(0, 1e9))
def test_durations_are_said_with_a_unit(seconds: float) -> None:
    number, unit = duration(seconds).split()
    assert unit in {"second", "seconds", "minute", "minutes", "hour", "hours", "day", "days"}
    assert float(number) >= 0
