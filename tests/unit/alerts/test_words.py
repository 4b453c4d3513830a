"""Every sentence that people can get to read, over figures of every kind, judged as a reader would."""

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.adapters.definitions import compile_rule
from alerts.adapters.letter import Letter, letter_of
from alerts.domain.cases import NoticeType, Origin, open_case
from alerts.domain.edge_stops import EdgeStop, edges_notice
from alerts.domain.faults import broken_notice, mended_notice
from alerts.domain.inhibition import Fault
from alerts.domain.notices import (
    Context,
    Evidence,
    case_notice,
    disabled_because,
    load_summary,
    receiver_notice,
)
from alerts.domain.rules import Rule
from alerts.domain.summaries import Entry, digest_notice, heartbeat_notice, storm_notice
from common import words
from common.catalogue import loading
from common.evidence import in_words
from common.tracking.verdicts import Broken

PACK = loading.load(Path(__file__).parents[3] / "catalogue")
RULES = {name: compile_rule(rule) for name, rule in PACK.rules.items()}
NOW = datetime(2026, 3, 2, 12, 5, tzinfo=UTC)
# Of each kind of figure: none, one, few, many, parts, and what floats bring about.
FIGURES: dict[str, tuple[Any, ...]] = {
    "days_silent": (1, 15, 400),
    "usual_gap_days": (1, 1.0, 1.5, 14.0),
    "complaints_7d": (1, 3, 1200),
    "complaints_base": (0.0, 0.08333333, 1.0, 0.9999, 2.25, 350.5),
    "login_trend": (-1.0, -0.4701, -0.3, 0.0),
    "user_days_28d": (0, 1, 53, 12345),
    "user_days_base": (8, 100, 23456),
    "segment_login_trend": (-0.1, -0.004, 0.0, 0.031, 12.5),
    "active_users_28d": (1, 2, 120),
    "renewal_risk": (0.4, 0.87),
    "days_since_plan_reached": (0, 1, 12),
}
# What a signal says: its value and what was to be expected: numbers, differences or shares.
SAID = ((1, 8), (3, 12.5), (1200, 2000))
DIFFERENCES = ((-3.4, 0), (2.6, 0))
SHARES = ((0.25, 0.5), (0.4, 1.0))
# Those whose every word is written down here.
SPELT_OUT = ("account_silent", "complaints_rose", "usage_fell")


def sentences(rule: Rule) -> list[str]:
    """The rule's evidence for every combination of its figures, and of what its signals say."""
    names = [name for name in FIGURES if "{" + name in rule.template]
    signals = sorted(set(re.findall(r"\{s\.(\w+)\.", rule.template)))
    said = DIFFERENCES if ":+" in rule.template else SHARES if "%}" in rule.template else SAID
    combinations = itertools.product(*(FIGURES[name] for name in names), *(said for _ in signals))
    found = []
    for values in combinations:
        figures = dict(zip(names, values, strict=False))
        pairs = zip(signals, values[len(names) :], strict=True)
        figures["s"] = {name: {"value": pair[0], "baseline": pair[1]} for name, pair in pairs}
        found.append(in_words(rule.template, figures))
    return found


def check(text: str) -> None:
    """What a reader would stumble over."""
    assert not re.search(r"[{}]|None|nan|inf\b|\bunknown\b", text), text
    assert not re.search(r"(?<![\d.,])1 (?:\w+-)?(?:days|complaints|cases|signals)\b", text), (
        f"one of many: {text}"
    )
    assert not re.search(r"(?<![\d.,])(?!1\b)[\d.,]+ (?:user-)?(?:day|complaint|case|signal)\b", text), (
        f"many of one: {text}"
    )
    assert not re.search(r"\d\.\d{3,}|\d{5,}|[+-]\d+%|\d\.0\b", text), f"a raw number: {text}"
    assert not re.search(r"  |\.\.|\.;|,\.| ,", text), f"punctuation: {text}"
    assert not re.search(r"\d{4}-\d\d-\d\d", text), f"a machine's date: {text}"
    assert text[0].isupper() or text[0].isdigit() or text[0] == "[", text


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_evidence_of_each_rule_reads_well_for_all_figures(rule: Rule) -> None:
    said = sentences(rule)
    assert len(said) >= (12 if rule.name in SPELT_OUT else 2)
    for text in said:
        check(text[0].upper() + text[1:])
        assert text.endswith(".")
    for text in (rule.label, rule.description, rule.next_step):
        check(text)


def test_the_sentences_of_the_base_pack_as_they_are() -> None:
    figures = {
        "days_silent": 15,
        "usual_gap_days": 1.0,
        "complaints_7d": 4,
        "complaints_base": 0.25,
        "login_trend": -0.47,
        "user_days_28d": 53,
        "user_days_base": 100,
        "segment_login_trend": 0.031,
    }
    assert {name: in_words(RULES[name].template, figures) for name in SPELT_OUT} == {
        "account_silent": "No activity for 15 days; its usual gap between active days is 1 day.",
        "complaints_rose": "4 complaints in the last 7 days; its usual week has 0.2 complaints.",
        "usage_fell": "Active use is down 47%: 53 user-days in the last 28 days, 100 in the 28 before. Its segment is up 3%.",
    }


def notices() -> dict[str, list[str]]:
    """Every type of notice, for one and for many, with little and with much known of the account."""
    shown = [
        Evidence(
            name,
            rule.label,
            rule.severity,
            "firing",
            NOW - timedelta(days=1),
            sentences(rule)[0],
            rule.next_step,
            {},
        )
        for name, rule in ((name, RULES[name]) for name in SPELT_OUT)
    ]
    contexts = [
        Context("globex", {}, None, "EUR", None, "http://b.example"),
        Context(
            "globex",
            {"name": "Globex", "owner": "dana", "segment": "mid"},
            Decimal("1200.500000"),
            "EUR",
            NOW,
            "http://b.example",
        ),
    ]
    case = open_case("case_1", 1, 1, Origin.LIVE, NOW)
    found = {
        kind.value: [
            case_notice(kind, case, some, context, NOW)
            for context in contexts
            for some in (shown[:1], shown, shown * 4)
        ]
        for kind in NoticeType
        if kind.value.startswith(("case.", "alert."))
    }
    entry = Entry(
        "case_1",
        "globex",
        "Globex",
        "critical",
        True,
        False,
        False,
        Decimal(7203),
        NOW,
        "No logins.",
        ("Call",),
    )
    bare = Entry("case_2", "initech", "Initech", "info", False, True, False, None, None, "No logins.", ())
    lapsed = replace(bare, lapsed=True, is_acknowledged=False)
    found["digest.morning"] = [
        digest_notice(owner, away, NOW.date(), cases, "EUR", "http://b.example", NOW)
        for owner, away in (("dana", ()), ("dana", ("kim", "lee")), (None, ()))
        for cases in ([entry], [entry, bare, lapsed], [bare] * 30)
    ]
    found["storm.summary"] = [
        storm_notice(n, NOW, "http://b.example", NOW, over=over) for n in (1, 1200) for over in (True, False)
    ]
    faults = [Fault(1, "type", "portal.login", Broken(NOW, 120.0, 0, ("portal.login",), 0.4))]
    found["tracking.broken"] = [
        broken_notice(faults, ("usage_fell",), n, "http://b.example", NOW) for n in (0, 1)
    ]
    found["tracking.mended"] = [
        mended_notice(dict.fromkeys(faults, NOW), retired, "http://b.example", NOW)
        for retired in ((), faults)
    ]
    stop = EdgeStop(
        1, 1, "logins_to_grr", None, "portal_logins", "grr", ("Dana",), "Where portal_logins rises, grr is higher 1 week later: so it was.",
        NOW.date(), NOW, None,
    )  # fmt: skip
    stops = [stop, *[replace(stop, segment="small")] * 11]
    for kind in (NoticeType.DRIVER_STOPPED, NoticeType.DRIVER_HOLDS):
        found[kind.value] = [
            edges_notice(kind, stops[:some], "http://b.example", NOW) for some in (1, 2, 11, 12)
        ]
    found["heartbeat"] = [heartbeat_notice(300, NOW)]
    found["load.summary"] = [load_summary(n, NOW, "http://b.example", NOW) for n in (1, 2, 1200)]
    found["receiver.test"] = [receiver_notice(NoticeType.RECEIVER_TEST, "team", "This is a test.", NOW)]
    found["receiver.disabled"] = [
        receiver_notice(NoticeType.RECEIVER_DISABLED, "team", disabled_because("team", why), NOW)
        for why in ("receiver-gone", "never-reached", "some-other")
    ]
    return {kind: [orjson.dumps(one).decode() for one in bodies] for kind, bodies in found.items()}


def letters() -> list[Letter]:
    return [letter_of(kind, body) for kind, bodies in notices().items() for body in bodies]


def test_there_is_a_letter_for_every_type_of_notice() -> None:
    assert notices().keys() == {kind.value for kind in NoticeType}


def test_every_letter_reads_well_and_leads_to_a_page() -> None:
    for letter in letters():
        check(letter.subject)
        for line in letter.text.splitlines():
            if line and not line.startswith("Open it: "):
                check(line)
        assert "/v1/" not in letter.text, "people get pages, programs get the API"


def test_a_letter_about_a_case_as_it_is() -> None:
    [*_, fullest] = [letter_of("case.opened", body) for body in notices()["case.opened"]]
    assert fullest.subject.endswith("] Globex needs attention")
    assert "And 8 more signals." in fullest.text
    stakes = "14,406 EUR a year (1,200.50 EUR a month); notice possible until 2 March 2026, today."
    assert fullest.text.startswith(f"{stakes}\n")
    assert fullest.text.endswith("Open it: http://b.example/case?id=case_1\n")


def test_a_load_of_one_case_is_told_in_the_singular() -> None:
    one, many = (letter_of("load.summary", body) for body in notices()["load.summary"][:2])
    assert one.text.startswith(
        "1 case was opened, because of what was true when the load ended (2 March 2026, 12:05 UTC)."
    )
    assert many.subject == "2 cases opened at the end of a load"


@given(st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9)))
def test_what_is_not_zero_never_reads_as_zero(number: float) -> None:
    text = words.quantity(number)
    assert (text == "0") == (number == 0)
    assert words.counted(number, "day").endswith("days") == (text != "1")


@given(st.floats(-1, 50))
def test_a_change_says_its_direction(ratio: float) -> None:
    said = words.change(ratio)
    assert said == "unchanged" or said.startswith("up" if ratio > 0 else "down")
    assert "-" not in said
