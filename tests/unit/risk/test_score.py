"""A score adds up exactly, moves with its reasons, and takes nothing for granted."""

from datetime import date
from decimal import Decimal
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue import load
from common.catalogue.cel import account_root
from common.catalogue.loading import base_pack
from common.catalogue.risk import RiskReason, RiskSettings
from common.risk import points
from common.risk.base_rates import base_rates, in_words
from common.risk.score import Risk, compiled, held, on_line

PACK = load(base_pack())
SCORE = compiled(PACK.risk.values(), PACK.risk_settings, 5)
RATES = base_rates({"smb": (40, 7), "ent": (3, 0)}, PACK.risk_settings)
WORST: dict[str, tuple[float, float]] = {
    "use": (-1, 2), "days_silent": (400, 0), "complaints_28d": (30, 0),
    "nps_latest": (0, 10), "mrr_change_365d": (-1, 2), "kept": (0, 9), "active_users_28d": (0, 500),
}  # fmt: skip
"""Each figure's worst and best end; `kept` is one of the renewal, `use` what the signal says of use against what was to be expected."""
SOON = {"days_to_decide": 20.0, "days_to_notice": 20.0, "days_to_end": 50.0, "mrr": 100.0}
known = st.fixed_dictionaries(
    {}, optional={name: st.floats(min(ends), max(ends)) for name, ends in WORST.items()}
)
DAY = date(2026, 3, 1)
TRAITS = {"seats": 10, "auto_renew": False}


def judged(
    figures: dict[str, Any],
    traits: dict[str, Any] | None = None,
    signals: dict[str, Any] | None = None,
    stale: tuple[str, ...] = (),
    **facing: float,
) -> Risk:
    plain = {name: value for name, value in figures.items() if name not in ("kept", "use")}
    its = {"usual_gap_days": 3, "quiet_days": 0, "quiet_28d": 0, **plain}
    said = dict(signals or {})
    if "use" in figures:
        said["use_fell"] = {"state": "off", "value": 20 * (1 + figures["use"]), "baseline": 20}
    kept = {"kept": float(figures["kept"])} if "kept" in figures else {}
    evidence = SCORE.evidence(account_root({**its, "s": said}, traits or TRAITS), said, stale)
    return SCORE.judge(evidence, "smb", RATES, {**SOON, **kept, **facing})


@given(known)
@settings(max_examples=30, deadline=None)
def test_reasons_add_up_to_the_log_odds_and_these_to_the_probability(figures: dict[str, Any]) -> None:
    risk = judged(figures)
    assert sum(Decimal(str(one.points)) for one in risk.reasons) == Decimal(str(risk.points))
    if 0.001 < risk.probability < 0.999:
        odds = risk.probability / (1 - risk.probability)
        assert log(odds) == pytest.approx(points.log_odds_of(risk.points), abs=0.06)
    assert risk.reasons[0].reason == "base_rate"
    assert risk.version == 5


@given(known, st.sampled_from(sorted(WORST)), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_risk_never_falls_as_a_figure_gets_worse(figures: dict[str, Any], name: str, share: float) -> None:
    worst, best = WORST[name]
    at = figures.get(name, best)
    worse = at + (worst - at) * share
    assert judged({**figures, name: worse}).points >= judged({**figures, name: at}).points


@given(known, st.sampled_from(sorted(WORST)))
@settings(max_examples=30, deadline=None)
def test_no_data_is_said_and_saves_nothing(figures: dict[str, Any], name: str) -> None:
    """Whatever takes points off is gone with its data, and what isn't known costs what it costs: never less than 0."""
    without = judged({key: value for key, value in figures.items() if key != name})
    for one in without.reasons:
        if one.state == "unknown":
            assert one.points >= 0
            assert one.text
    _, best = WORST[name]
    assert without.points >= judged({**figures, name: best}).points


def test_an_account_of_which_nothing_is_known_has_the_risk_of_its_segment() -> None:
    risk = judged({}, {"nothing": 1})
    assert (risk.known, risk.of) == (0, len(PACK.risk) - 1), (
        "only the reason for contracts that renew by themselves doesn't apply"
    )
    assert risk.probability == pytest.approx(RATES.of("smb").rate, abs=0.001)


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", None]),
        st.integers(0, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    ),
    st.floats(0.01, 0.99),
)
@settings(max_examples=30)
def test_a_base_rate_lies_between_what_was_seen_and_what_it_is_drawn_to(
    past: dict[str | None, tuple[int, int]], prior: float
) -> None:
    rates = base_rates(past, RiskSettings(prior_lost=prior))
    total, lost = (sum(counts[i] for counts in past.values()) for i in (0, 1))
    seen = lost / total if total else prior
    assert min(seen, prior) - 1e-9 <= rates.whole.rate <= max(seen, prior) + 1e-9
    for segment, (n, gone) in past.items():
        if segment and n:
            one = rates.of(segment)
            assert (
                min(gone / n, rates.whole.rate) - 1e-9 <= one.rate <= max(gone / n, rates.whole.rate) + 1e-9
            )
            assert 0 <= one.low <= one.rate <= one.high <= 1
    assert rates.of("never seen") == rates.whole


def test_a_base_rate_says_what_it_rests_on() -> None:
    assert in_words(RATES.of("smb"), 1095).startswith(
        "7 of 40 renewals due in the last 3 years in segment smb"
    )
    assert "is assumed" in in_words(base_rates({}, RiskSettings()).whole, 1095)


def test_conditions_cost_their_points_and_words_are_filled_in() -> None:
    late = RiskReason(
        name="late", label="Late", when="a.days_silent > 9", points=7.25, text="{days_silent:day}, {mrr}", unknown_text="?"
    )  # fmt: skip
    score = compiled([late], RiskSettings(), 1)
    root = account_root({"days_silent": 10, "mrr": 12345.6}, {})
    reason = score.judge(score.evidence(root), None, base_rates({}, RiskSettings()), {}).reasons[1]
    assert (reason.points, reason.text) == (7.2, "10 days, 12,346")
    still = score.evidence(account_root({"days_silent": 1}, {}))
    quiet = score.judge(still, None, base_rates({}, RiskSettings()), {})
    assert [one.reason for one in quiet.reasons] == ["base_rate"]
    assert (quiet.known, quiet.of) == (1, 1)


@given(st.lists(st.floats(-60, 60).map(lambda x: round(x, 1)), max_size=12), st.randoms())
@settings(max_examples=30)
def test_points_add_up_in_any_order(some: list[float], random: Any) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    assert points.total(shuffled) == points.total(some)
    assert Decimal(str(points.total(some))) == sum((Decimal(str(one)) for one in some), Decimal(0))


@given(known, st.sampled_from(sorted(WORST)))
@settings(max_examples=30, deadline=None)
def test_risk_does_not_fall_when_a_figure_goes_dark(figures: dict[str, Any], name: str) -> None:
    before = judged(figures)
    without = judged({key: value for key, value in figures.items() if key != name})
    costly = {one.reason: one for one in before.reasons[1:] if one.points > 0 and one.state != "unknown"}
    after = held(without, costly, DAY)
    assert sum(Decimal(str(one.points)) for one in after.reasons) == Decimal(str(after.points))
    assert after.points >= before.points
    assert held(after, {one.reason: one for one in after.reasons}, DAY) == after, "held as long as it is dark"
    for one in after.reasons:
        assert (one.state == "held") == (one.since == DAY)


def test_signals_count_while_they_are_on_and_are_unknown_while_they_are_stale() -> None:
    def champion(state: str | None) -> Any:
        told = {"champion_lost": {"state": state, "value": 1, "baseline": 2}} if state else {}
        risk = judged({}, {"nothing": 1}, told)
        return next((one for one in risk.reasons if one.reason == "champion"), None)

    assert (champion("on").points, champion("on").text) == (10, "1 champion of 2 left or went quiet")
    assert champion("off") is None
    for state in ("stale", "no-data", None):
        assert (champion(state).state, champion(state).points) == ("unknown", 0)


def test_days_on_which_nobody_is_expected_cost_nothing() -> None:
    """Three weeks of holidays, and a fall that the segment or last year explains, leave the risk where it was."""
    at_work = {"days_silent": 0, "use": -0.1, "active_users_28d": 4}
    away = {
        **at_work,
        "days_silent": 21,
        "quiet_days": 21,
        "quiet_28d": 21,
        "usual_gap_days": 1,
        "active_users_28d": 1,
    }
    assert judged(away).points == judged(at_work).points
    assert judged({**away, "quiet_days": 0, "active_users_28d": 4}).points == pytest.approx(
        judged(at_work).points + 18
    )
    assert judged({**at_work, "use": -0.7}).points == pytest.approx(judged(at_work).points + 22)


def test_what_a_signal_measured_before_its_events_stopped_is_not_judged_by() -> None:
    quiet = {"state": "stale", "why": "source-quiet", "value": 2, "baseline": 20}
    use = next(one for one in judged({}, None, {"use_fell": quiet}).reasons if one.reason == "use_fell")
    assert (use.state, use.text) == ("unknown", "Use against its past: its events do not arrive properly now")


def test_reasons_whose_events_do_not_arrive_say_nothing() -> None:
    figures = {"days_silent": 90, "usual_gap_days": 1}
    silent = judged(figures)
    dark = judged(figures, stale=("silent",))
    assert dark.points == round(silent.points - 18, 1)
    assert "Silence: its events do not arrive properly now" in [one.text for one in dark.reasons]


def test_what_nobody_can_say_is_said_in_words_that_fit() -> None:
    def champion(**said: str) -> str:
        return next(
            one.text for one in judged({}, None, {"champion_lost": said}).reasons if one.reason == "champion"
        )

    assert champion(state="no-data", why="never-seen") == "Champion: nothing of the kind was ever sent"
    assert champion(state="stale", why="source-quiet") == "Champion: its events do not arrive properly now"
    assert champion(state="no-data", why="unknown") == "No champion is known"


@given(known, st.integers(-40, 900), st.integers(0, 900))
@settings(max_examples=30, deadline=None)
def test_what_passes_counts_more_the_nearer_the_decision_is(
    figures: dict[str, Any], days: int, later: int
) -> None:
    near = judged(figures, days_to_decide=days)
    far = judged(figures, days_to_decide=days + later)
    assert far.now_counts <= near.now_counts
    assert sum(Decimal(str(one.points)) for one in far.reasons) == Decimal(str(far.points))
    lasting = {"base_rate", "renewed_before", "auto_renews"}
    at_once, then = ({one.reason: one.points for one in risk.reasons} for risk in (near, far))
    for name, worth in then.items():
        assert abs(worth) <= abs(at_once[name])
        if name in lasting:
            assert worth == at_once[name]


def test_each_renewal_has_the_risk_of_its_own_dates_and_past() -> None:
    bad = {"complaints_28d": 4, "nps_latest": 2}
    soon, next_year = judged({**bad, "kept": 0}), judged({**bad, "kept": 2}, days_to_decide=400)
    assert soon.points - next_year.points == pytest.approx((10 + 10) * 0.75 + 2 - -4.5)
    assert (soon.now_counts, next_year.now_counts) == (1, 0.25)
    contract = {"auto_renew": True}
    over = judged(bad, contract, days_to_notice=-1, days_to_decide=-1)
    assert over.points == judged(bad, contract).points - 20
    assert (
        judged(bad, {"auto_renew": False}, days_to_notice=-1).points
        == judged(bad, {"auto_renew": False}).points
    )


@given(
    st.floats(-100, 100),
    st.lists(
        st.tuples(st.integers(-50, 50), st.floats(-9, 9)), min_size=2, max_size=5, unique_by=lambda p: p[0]
    ),
)
@settings(max_examples=30)
def test_points_lie_on_straight_lines(value: float, some: list[tuple[float, float]]) -> None:
    line = sorted(some)
    values, worth = [at for at, _ in line], [cost for _, cost in line]
    assert on_line(line, value) == pytest.approx(float(np.interp(value, values, worth)), abs=1e-9)
