"""The rules of the base pack, and what a rule says when it doesn't know."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.adapters.definitions import compile_rule
from alerts.domain.rules import Rule, Verdict, fires, judge, with_signals
from common.catalogue import loading, models
from common.catalogue.cel import ACCOUNT_FIGURES
from common.evidence import in_words

PACK = loading.load(Path(__file__).parents[3] / "catalogue")
RULES = {name: compile_rule(rule, PACK.signals) for name, rule in PACK.rules.items()}
ALL_FIGURES = sorted({name for rule in RULES.values() for name in rule.inputs})


def _says(rule: str, **figures: Any) -> Verdict:
    return judge(RULES[rule], figures, {}, is_firing=False).verdict


@given(st.sampled_from(sorted(RULES)), st.data())
def test_one_unknown_figure_is_no_data_whatever_the_others_say(name: str, data: st.DataObject) -> None:
    rule = RULES[name]
    figures = {each: data.draw(st.one_of(st.integers(0, 1000), st.floats(-2, 1000))) for each in rule.inputs}
    missing = data.draw(st.sampled_from(sorted({*rule.inputs} - rule.optional)))
    for unknown in ({**figures, missing: None}, {k: v for k, v in figures.items() if k != missing}):
        finding = judge(rule, unknown, {}, is_firing=data.draw(st.booleans()))
        assert (finding.verdict, finding.missing) == (Verdict.NO_DATA, (missing,))


@given(
    st.sampled_from(sorted(RULES)),
    st.dictionaries(
        st.sampled_from([name for name in ALL_FIGURES if name[:2] != "s."]), st.none() | st.integers(-2, 60)
    ),
    st.dictionaries(st.sampled_from(sorted(PACK.signals)), st.sampled_from(["on", "on", "off", "stale"])),
    st.dictionaries(st.just("closed"), st.booleans()),
)
def test_the_short_question_and_the_long_one_have_one_answer(
    name: str, figures: dict[str, Any], states: dict[str, str], traits: dict[str, Any]
) -> None:
    its = with_signals(figures, {signal: {"state": state} for signal, state in states.items()})
    firing = judge(RULES[name], its, traits, is_firing=False).verdict is Verdict.FIRING
    assert fires(RULES[name], its, traits) == firing


@pytest.mark.parametrize(
    ("trend", "against_segment", "verdict"),
    [
        (-0.5, -0.45, Verdict.FIRING),
        (-0.3, -0.15, Verdict.FIRING),
        (-0.29, -0.29, Verdict.HEALTHY),
        (-0.3, -0.02, Verdict.HEALTHY),
        (0.4, 0.4, Verdict.HEALTHY),
    ],
)
def test_use_fell_only_when_the_segment_did_not_fall_with_it(
    trend: float, against_segment: float, verdict: Verdict
) -> None:
    assert _says("usage_fell", login_trend=trend, login_trend_vs_segment=against_segment) is verdict


@given(week=st.integers(0, 200), base=st.floats(0, 50))
def test_complaints_rose_above_a_floor_and_above_the_usual(week: int, base: float) -> None:
    expected = week >= 3 and float(week) >= 3 * base + 1
    assert (_says("complaints_rose", complaints_7d=week, complaints_base=base) is Verdict.FIRING) == expected


@given(silent=st.integers(15, 4000), gap=st.integers(0, 200), mrr=st.sampled_from([0, 500]), on=st.booleans())
def test_a_silence_that_is_none_by_the_calendar_is_told_of_nobody(
    silent: int, gap: int, mrr: int, *, on: bool
) -> None:
    figures = {"days_silent": silent, "usual_gap_days": gap, "quiet_days": 0, "mrr": mrr}
    told = {"silence": {"state": "on" if on else "off"}}
    expected = on and (mrr > 0 or silent <= max(28, 3 * gap + 14))
    assert (_says("account_silent", **with_signals(figures, told)) is Verdict.FIRING) == expected


def test_closed_accounts_are_left_alone() -> None:
    known = {"days_silent": 20, "usual_gap_days": 1, "quiet_days": 0, "mrr": 500}
    figures = with_signals(known, {"silence": {"state": "on"}})
    for closed, verdict in ((True, Verdict.HEALTHY), (False, Verdict.FIRING), (None, Verdict.FIRING)):
        assert judge(RULES["account_silent"], figures, {"closed": closed}, is_firing=False).verdict is verdict


def test_what_a_late_event_can_refute_is_known_of_each_rule() -> None:
    refutable = {name for name, rule in RULES.items() if rule.reads_finished_days_only}
    assert refutable == {"usage_fell", "use_fell", "key_features_fell", "use_rose"}


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("on", Verdict.FIRING),
        ("off", Verdict.HEALTHY),
        ("stale", Verdict.NO_DATA),
        ("no-data", Verdict.NO_DATA),
        (None, Verdict.NO_DATA),
    ],
)
def test_a_rule_over_a_signal_says_what_the_signal_says(state: str | None, verdict: Verdict) -> None:
    signals = {"invoice_failed": {"state": state, "value": 1}} if state else {}
    asked = [
        judge(RULES["invoice_failed"], with_signals({}, signals), {}, is_firing=firing)
        for firing in (False, True)
    ]
    assert [finding.verdict for finding in asked] == [verdict, verdict]


def test_what_a_signal_says_stands_in_the_evidence() -> None:
    signals = {"complaints_rose": {"state": "on", "value": 4, "baseline": 1.5}}
    shown = in_words(
        "{s.complaints_rose.value:complaint}, usually {s.complaints_rose.baseline}; {s.other.value}",
        with_signals({}, signals),
    )
    assert shown == "4 complaints, usually 1.5; unknown"


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_evidence_of_each_rule_reads_well(rule: Rule) -> None:
    said = {"state": "on", "value": 3, "baseline": 3.0, "unusual": 0.01}
    figures = with_signals(
        dict.fromkeys([*ACCOUNT_FIGURES, *ALL_FIGURES], 3.0), dict.fromkeys(PACK.signals, said)
    )
    assert "{" not in in_words(rule.template, figures)
    assert "unknown" in in_words(rule.template, {})


@given(
    st.text(max_size=30),
    st.one_of(st.none(), st.text(max_size=30), st.floats(), st.integers(), st.booleans()),
)
def test_evidence_never_fails_and_never_reaches_into_objects(spec: str, value: Any) -> None:
    spec = spec.replace("{", "").replace("}", "")
    assert isinstance(in_words("{x:" + spec + "}", {"x": value}), str)
    assert in_words("{x.__class__}", {"x": value}) == "unknown"


def test_what_a_condition_asks_for_by_has_may_be_unknown() -> None:
    rule = compile_rule(
        models.Rule.model_validate(
            PACK.rules["use_fell"].model_dump()
            | {"condition": "s.use_fell.on && (!has(a.days_to_notice) || a.days_to_notice <= 180)"}
        ),
        PACK.signals,
    )

    def says(*, fell: bool | None, days_to_notice: int | None) -> Verdict:
        state = {True: "on", False: "off", None: "stale"}[fell]
        figures = with_signals({"days_to_notice": days_to_notice}, {"use_fell": {"state": state}})
        return judge(rule, figures, {}, is_firing=False).verdict

    assert says(fell=True, days_to_notice=None) is says(fell=True, days_to_notice=90) is Verdict.FIRING
    assert says(fell=True, days_to_notice=200) is says(fell=False, days_to_notice=None) is Verdict.HEALTHY
    assert says(fell=None, days_to_notice=90) is says(fell=None, days_to_notice=200) is Verdict.NO_DATA
