"""What signals say, and how often they say it of accounts that do what they always did."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from math import exp, lgamma, log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.catalogue.signals import Signal
from common.signals import counts
from common.signals.judging import Rows, Said, ask, span_of
from common.signals.states import Accounts, Sources, tell
from common.signals.weeks import Floats

TODAY = date(2026, 3, 29)
NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAYS = 71
"""Eight weeks of base, two of window, and today."""


def signal(name: str = "own", stale_after_days: int | None = None, **test: Any) -> Signal:
    return Signal.model_validate(
        {"name": name, "label": "Own", "description": "Ours.", "queue": "risk", "evidence": "{value} of {baseline}.",
         "stale_after_days": stale_after_days, "test": test}
    )  # fmt: skip


def moved(direction: str = "fell", **test: Any) -> Signal:
    return signal(type="moved", measure="m", direction=direction, **{"change": 0.3, **test})


def rows(
    days: Floats,
    others: Floats | None = None,
    left_out: Any = None,
    a_year_ago: Floats | None = None,
    **figures: Any,
) -> Rows:
    begun = np.ones(days.shape, np.bool_)
    included = begun if left_out is None else begun & ~left_out
    then = np.zeros(days.shape) if a_year_ago is None else a_year_ago
    known = np.full(days.shape, a_year_ago is not None)
    return Rows(
        size=len(days),
        figures={name: np.asarray(column, np.float64) for name, column in figures.items()},
        days={"m": days.astype(np.float64)},
        others={} if others is None else {("segment", "m"): others.astype(np.float64)},
        included=included,
        begun=begun,
        last_year=lambda _, its: (then[its], known[its]),
    )


def same(said: Said, other: Said) -> bool:
    parts = ("on", "known", "value", "baseline", "unusual")
    return all(
        np.allclose(getattr(said, part), getattr(other, part), equal_nan=True, rtol=1e-9) for part in parts
    )


# How unusual a count is.


def plain_tail(count: int, mean: float, variance: float) -> float:
    """P(Y <= count), a probability after the other."""
    variance = max(variance, 1.01 * mean)
    size, success = mean * mean / (variance - mean), mean / variance
    logs = (lgamma(k + size) - lgamma(size) - lgamma(k + 1) + size * log(success) + k * log(1 - success) for k in range(count + 1))  # fmt: skip
    return sum(map(exp, logs))


@given(st.integers(0, 400), st.floats(0.05, 300), st.floats(1, 20))
@settings(max_examples=60)
def test_a_tail_is_the_sum_of_its_probabilities(count: int, mean: float, dispersion: float) -> None:
    below = plain_tail(count, mean, mean * dispersion)
    assert counts.at_most(count, mean, mean * dispersion) == pytest.approx(below, abs=1e-8)
    assert counts.at_least(count + 1, mean, mean * dispersion) == pytest.approx(1 - below, abs=1e-8)


@given(st.integers(0, 60), st.floats(1, 60), st.floats(1, 5), st.floats(1, 12))
@settings(max_examples=60)
def test_what_is_further_off_or_better_known_is_more_unusual(
    count: int, mean: float, dispersion: float, freedom: float
) -> None:
    known: Any = {"rests_on": 4 * mean, "dispersion": dispersion, "freedom": freedom}
    chance = counts.fewer(count, mean, **known)
    assert 0 <= chance <= 1
    assert counts.fewer(count + 1, mean, **known) >= chance
    if count < mean / 2:
        assert counts.fewer(count, mean, **{**known, "dispersion": dispersion + 1}) >= chance - 1e-9
        assert counts.fewer(count, mean, **{**known, "rests_on": mean}) >= chance - 1e-9


@pytest.mark.parametrize(
    ("z", "freedom", "quantile"),
    [(-1.6449, 7, 2.167), (0, 7, 6.346), (1.6449, 7, 14.067), (-1.6449, 3, 0.352), (1.6449, 3, 7.815)],
)
def test_quantiles_of_chi_square_are_those_of_the_tables(z: float, freedom: int, quantile: float) -> None:
    assert counts.chi_square(z, freedom) == pytest.approx(quantile, rel=0.1)


# How often a signal is on where nothing happened.

LONG = 113
"""Twelve weeks of base, four of window, and today: as the pack compares."""
Histories = Callable[[np.random.Generator, int, float, int], Floats]
WEEKDAYS = np.tile([1, 1.1, 1, 1, 0.8, 0.1, 0.05], 17)


def by_chance(rng: np.random.Generator, accounts: int, mean: float, days: int) -> Floats:
    return rng.poisson(mean * WEEKDAYS[:days], (accounts, days)).astype(np.float64)


def in_busy_and_quiet_weeks(rng: np.random.Generator, accounts: int, mean: float, days: int) -> Floats:
    weeks = np.repeat(rng.gamma(8, 1 / 8, (accounts, 17)), 7, axis=1)[:, :days]
    return rng.poisson(mean * WEEKDAYS[:days] * weeks).astype(np.float64)


def by_people_who_take_holidays(rng: np.random.Generator, accounts: int, mean: float, days: int) -> Floats:
    """Everybody comes on a share of days of their own, and is away for one to two weeks now and then."""
    seen = np.zeros((accounts, days))
    for _ in range(max(round(2 * mean), 1)):
        comes = rng.random((accounts, days)) < rng.random((accounts, 1)) * np.minimum(WEEKDAYS[:days], 1)
        leaves = rng.random((accounts, days)) < 0.05 / 7
        length = rng.integers(5, 15, (accounts, days))
        until = np.maximum.accumulate(np.where(leaves, np.arange(days) + length, -1), axis=1)
        seen += comes & (np.arange(days) > until)
    return seen


@pytest.mark.parametrize("history", [by_chance, in_busy_and_quiet_weeks, by_people_who_take_holidays])
@pytest.mark.parametrize("direction", ["fell", "rose"])
def test_false_alarms_are_no_more_than_the_level_that_is_stated(history: Histories, direction: str) -> None:
    """With the windows of the pack, and without the least change that it asks for: by the tail alone."""
    rng = np.random.default_rng(20260329)
    tested = moved(direction, change=1e-6, unusual=0.01, window_days=28, base_days=84)
    on = known = 0
    for mean in (1.5, 5.0, 20.0):
        said = ask(tested, rows(history(rng, 250, mean, LONG)))
        on, known = on + int(said.on.sum()), known + int(said.known.sum())
    assert known > 600
    assert on <= 0.01 * known + 3 * np.sqrt(0.01 * known)


def test_half_of_the_use_gone_is_seen_in_nearly_every_account() -> None:
    rng = np.random.default_rng(7)
    days = by_people_who_take_holidays(rng, 200, 8.0, LONG)
    days[:, -29:-1] = rng.binomial(days[:, -29:-1].astype(np.int64), 0.5)
    assert ask(moved(unusual=0.01, window_days=28, base_days=84), rows(days)).on.mean() > 0.9


# What a signal is not moved by.

DAY_COUNTS = arrays.arrays(np.int64, (4, DAYS), elements=st.integers(0, 30))


@given(DAY_COUNTS, st.permutations(range(4)))
@settings(max_examples=25, deadline=None)
def test_an_account_is_judged_alike_whoever_stands_beside_it(days: Any, order: list[int]) -> None:
    together, apart = ask(moved(), rows(days)), ask(moved(), rows(days[order]))
    assert same(
        Said(*(getattr(together, part)[order] for part in ("on", "known", "value", "baseline", "unusual"))),
        apart,
    )


@given(DAY_COUNTS, st.integers(0, 30))
@settings(max_examples=25, deadline=None)
def test_today_moves_nothing_that_is_of_finished_days(days: Any, today: int) -> None:
    other = days.copy()
    other[:, -1] = today
    assert same(ask(moved(), rows(days)), ask(moved(), rows(other)))


@given(
    arrays.arrays(np.int64, 7, elements=st.integers(0, 9)),
    arrays.arrays(np.bool_, (1, DAYS)),
    st.integers(0, 6),
)
@settings(max_examples=50, deadline=None)
def test_weekends_and_holidays_are_no_fall_for_who_keeps_the_week(
    week: Any, left_out: Any, start: int
) -> None:
    """Whatever day the history begins on, and whatever days are left out: nobody is there on those, and that is no news."""
    days = np.tile(np.roll(week, start), 11)[None, :DAYS].astype(np.float64)
    days[left_out] = 0
    for direction in ("fell", "rose"):
        said = ask(moved(direction), rows(days, left_out=left_out))
        assert not said.on.any()
        assert not said.known[0] or said.value[0] == pytest.approx(said.baseline[0])


@given(st.integers(0, 7))
def test_a_small_base_says_nothing(in_two_weeks: int) -> None:
    days = np.zeros((1, DAYS))
    days[0, : 4 * in_two_weeks] = 1
    assert not ask(moved(least_base=8), rows(days)).known.any()


def test_a_young_account_has_nothing_to_compare_with() -> None:
    days = np.full((2, DAYS), 5.0)
    young = np.zeros((2, DAYS), np.bool_)
    young[1, :35] = True
    assert ask(moved(), rows(days, left_out=young)).known.tolist() == [True, False]


def test_where_the_segment_went_an_account_may_go_too() -> None:
    days = np.full((3, DAYS), 10.0)
    days[:2, -15:-1] = 5
    falling, steady = np.full(DAYS, 500.0), np.full(DAYS, 500.0)
    falling[-15:-1] = 250
    others = np.stack([falling, steady, steady * 3])
    said = ask(moved(against_segment=True), rows(days, others))
    assert said.on.tolist() == [False, True, False]
    assert said.baseline[0] < said.baseline[1] == pytest.approx(140)


def test_where_the_country_is_away_an_account_may_be_too() -> None:
    days = np.full((2, DAYS), 10.0)
    days[:, -15:-1] = 5
    away, steady = np.full(DAYS, 500.0), np.full(DAYS, 500.0)
    away[-15:-1] = 250
    of_both = replace(
        rows(days, np.stack([steady, steady])),
        others={("segment", "m"): np.stack([steady, steady]), ("country", "m"): np.stack([away, steady])},
    )
    said = ask(moved(against_segment=True, against_country=True), of_both)
    assert said.on.tolist() == [False, True]
    assert ask(moved(against_segment=True), of_both).on.all()


def test_the_only_account_of_its_segment_is_compared_with_its_own_past() -> None:
    days = np.full((1, DAYS), 10.0)
    days[:, -15:-1] = 4
    assert ask(moved(against_segment=True), rows(days, days)).on.all()


def of_a_year(week: Any, weeks: Any) -> Floats:
    """Eleven weeks of 71 days that all go as `week`, each as strong as `weeks` says."""
    days: Floats = (np.outer(weeks, week).ravel() * 1.0)[None, :DAYS]
    return days


BUSY = np.array([9, 8, 8, 9, 6, 1, 0])
DIP = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0.4, 0.4, 0.4])


def test_a_dip_of_every_year_is_no_fall_and_one_below_it_is() -> None:
    season = moved(window_days=14, against_last_year=True)
    dipped, deeper = of_a_year(BUSY, DIP), of_a_year(BUSY, np.where(DIP < 1, 0.15, 1))
    said = ask(
        season,
        rows(np.vstack([dipped, dipped, deeper]), a_year_ago=np.vstack([dipped, 0.7 * dipped, dipped])),
    )
    assert (said.on.tolist(), said.known.tolist()) == ([False, False, True], [True] * 3)
    assert said.last_year == pytest.approx(np.array([0.47, 0.49, 0.47]), abs=0.02)
    assert ask(moved(window_days=14), rows(dipped, a_year_ago=dipped)).on.all()


def test_last_year_explains_nothing_unless_it_is_known_and_came_back_and_was_a_dip() -> None:
    dipped, steady = of_a_year(BUSY, DIP), of_a_year(BUSY, np.ones(11))
    then = np.vstack([steady, 3 * steady, 2.5 * dipped, np.zeros((1, DAYS))])
    said = ask(
        moved(window_days=14, against_last_year=True), rows(np.repeat(dipped, 4, axis=0), a_year_ago=then)
    )
    assert said.on.all()
    assert said.last_year is not None
    assert np.isnan(said.last_year).tolist() == [False, False, False, True]
    assert ask(moved(window_days=14, against_last_year=True), rows(dipped)).on.all()


@given(DAY_COUNTS, DAY_COUNTS, st.sampled_from(["fell", "rose"]))
@settings(max_examples=25, deadline=None)
def test_last_year_only_ever_excuses(days: Any, then: Any, direction: str) -> None:
    plain = ask(moved(direction), rows(days))
    said = ask(moved(direction, against_last_year=True), rows(days, a_year_ago=then.astype(np.float64)))
    assert not (said.on & ~plain.on).any()
    nearer = said.baseline <= plain.baseline if direction == "fell" else said.baseline >= plain.baseline
    assert (nearer | np.isnan(plain.baseline)).all()


# Signals of the moment.

BOUNDS = st.fixed_dictionaries(
    {"figure": st.sampled_from(["x", "y"]), "above": st.just(None), "at_most": st.just(None)}
    | {"times": st.sampled_from([None, "z"]), "plus": st.sampled_from([0, -1.5])}
)
NUMBERS = st.one_of(st.just(float("nan")), st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.5]))


def asked_of(figures: dict[str, Any]) -> Rows:
    columns: dict[str, Any] = {name: [value] for name, value in figures.items()}
    return rows(np.zeros((1, 1)), **columns)


@given(st.lists(st.tuples(BOUNDS, st.sampled_from(["above", "at_most"]), st.sampled_from([0.0, 1.0, 2.0])), min_size=1, max_size=3),
       st.tuples(NUMBERS, NUMBERS, NUMBERS))  # fmt: skip
@settings(max_examples=80)
def test_bounds_hold_all_or_not_at_all(drawn: list[Any], numbers: tuple[float, float, float]) -> None:
    figures: dict[str, Any] = dict(zip("xyz", numbers, strict=True))
    when = [{**bound, comparison: limit} for bound, comparison, limit in drawn]
    said = ask(signal(type="level", value="x", when=when), asked_of(figures))  # fmt: skip
    limits = [
        (figures[b["figure"]], c, v * (figures["z"] if b["times"] else 1) + b["plus"]) for b, c, v in drawn
    ]
    told = [
        None
        if np.isnan(value) or np.isnan(limit)
        else bool(value > limit if c == "above" else value <= limit)
        for value, c, limit in limits
    ]
    known = False in told or None not in told
    assert (bool(said.known[0]), bool(said.on[0])) == (known, all(told))


def test_too_little_to_compare_is_told_from_what_nobody_knows() -> None:
    falling = signal(type="level", value="nps_change", when=[{"figure": "nps_change", "at_most": -2}])
    unknown = float("nan")
    asked = rows(np.zeros((2, 1)), nps_change=[unknown, unknown], days_since_answer=[3, unknown])
    told = tell([falling], asked, Accounts([{}, {}], [False] * 2, [{}, {}]), Sources(FRESH), NOW, TODAY)
    assert [its["own"] for its in told] == [
        {"state": "no-data", "why": why} for why in ("too-little", "unknown")
    ]


def test_six_complaints_of_a_new_account_are_a_burst_and_one_too_many_of_a_loud_one_is_none() -> None:
    test = signal(type="burst", measure="m", at_least=3, times=3, plus=1, unusual=0.05)
    days = np.zeros((3, span_of(test)))
    days[:2, -1] = 6
    days[1, :-7] = 1
    days[2, -1] = 2
    assert ask(test, rows(days)).on.tolist() == [True, False, False]


def test_quiet_days_are_no_silence() -> None:
    silent = signal(type="silent", least_days=14, gaps=3)
    figures: dict[str, Any] = {
        "days_silent": [20, 20, 14, 20, np.nan],
        "usual_gap_days": [2, 2, 1, 7, 1],
        "quiet_days": [0, 7, 0, 0, 0],
    }
    said = ask(silent, rows(np.zeros((5, 1)), **figures))
    assert said.on.tolist() == [True, False, False, False, False]
    assert said.known.tolist() == [True, True, True, True, False]


def test_a_silence_of_every_year_is_none_until_it_lasts_longer() -> None:
    season = signal(type="silent", least_days=14, gaps=3, against_last_year=True)
    then = np.zeros((4, span_of(season)))
    then[0, :-20] = then[1, :-10] = then[2] = 1
    figures: dict[str, Any] = {
        "days_silent": [27, 27, 27, 27],
        "usual_gap_days": [1] * 4,
        "quiet_days": [0] * 4,
    }
    said = ask(season, rows(then, a_year_ago=then, **figures))
    assert said.on.tolist() == [False, True, True, True]
    assert said.last_year == pytest.approx(np.array([20, 10, 0, np.nan]), nan_ok=True)
    later = ask(season, rows(then, a_year_ago=then, **{**figures, "days_silent": [28] * 4}))
    assert later.on.all()


# What is said of them.

NPS = signal("nps", stale_after_days=30, type="level", value="nps_latest", when=[{"figure": "nps_latest", "at_most": 6}], since="nps_answered_at")  # fmt: skip


def told(
    score: float | None, newest: dict[str, date], before: dict[str, Any] | None = None, **known: Any
) -> dict[str, Any]:
    asked = rows(np.zeros((1, 1)), nps_latest=[np.nan if score is None else score])
    accounts = Accounts([known.get("figures", {})], [known.get("closed", False)], [before or {}])
    sources = Sources(newest, known.get("broken", ()))
    return tell([NPS], asked, accounts, sources, NOW, TODAY)[0]["nps"]


FRESH, OLD = {"answers": date(2026, 3, 1)}, {"answers": date(2026, 2, 26)}


def test_no_data_is_never_healthy() -> None:
    assert told(3, {}) == {"state": "no-data", "why": "never-seen"}
    assert told(None, FRESH) == {"state": "no-data", "why": "unknown"}
    assert told(3, OLD) == {"state": "stale", "why": "source-quiet", "value": 3}
    assert told(9, FRESH, broken={"nps"}) == {"state": "stale", "why": "tracking-broken", "value": 9}
    assert told(9, FRESH) == {"state": "off", "value": 9}
    seats = signal(stale_after_days=4, type="level", value="seats", when=[{"figure": "seats", "below": 5}])
    assert Sources({"trait.seats": date(2025, 1, 1)}).fault(seats, TODAY) is None
    assert told(3, FRESH, closed=True) == {"state": "off", "why": "closed"}


def test_since_when_is_kept_until_it_is_off() -> None:
    first = told(3, FRESH)
    assert first == {"state": "on", "value": 3, "since": "2026-03-29T12:00:00Z"}
    before = {"nps": {**first, "since": "2026-03-01T00:00:00Z"}}
    assert told(2, FRESH, before)["since"] == "2026-03-01T00:00:00Z"
    assert told(2, OLD, before)["since"] == "2026-03-01T00:00:00Z"
    assert "since" not in told(9, FRESH, before)
    assert (
        told(2, FRESH, before, figures={"nps_answered_at": "2026-03-28T00:00:00Z"})["since"]
        == "2026-03-28T00:00:00Z"
    )
