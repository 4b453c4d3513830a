"""`bellwether explain` says why a score is what it is."""

from bellwether.commands.explain import health_lines, risk_lines, signal_lines

HEALTH = {
    "score": 39.0,
    "band": "poor",
    "label": "Standard",
    "known": 80,
    "held_by_case": "case_1",
    "inputs": [
        {
            "label": "Active use",
            "state": "known",
            "share": 50.0,
            "value": -0.5,
            "unit": "ratio",
            "lost": 30.0,
        },
        {"label": "Complaints", "state": "known", "share": 50.0, "value": 0.0, "lost": 0.0},
        {"label": "Latest NPS answer", "state": "stale", "share": 0.0, "value": 9.0, "lost": None},
    ],
    "overrides": [{"name": "silent", "at_most": 39.0, "reason": "Nobody has been there."}],
}


def test_the_dearest_input_comes_first_and_what_costs_nothing_is_left_out() -> None:
    assert health_lines(HEALTH) == [
        "Health: 39.0 of 100, poor, judged as “Standard”.",
        "  Active use: -50%, costs 30.0 of 50 points",
        "  Latest NPS answer: stale, left out",
        "  Nobody has been there. Held at 39 at most.",
        "  Not healthy while its case is open.",
    ]


def test_no_data_is_no_score() -> None:
    unknown = {**HEALTH, "score": None, "known": 20}
    assert health_lines(unknown)[0] == "Health: no score, inputs worth only 20 of 100 are known."
    assert health_lines(None) == ["Health: not computed yet."]


def test_a_risk_is_told_as_a_probability_with_what_made_it_and_what_is_not_known() -> None:
    reasons = [
        {"label": "Past renewals", "state": "known", "points": -20.0, "text": "2 of 10 were lost"},
        {"label": "Silence", "state": "known", "points": 8.5, "text": "Nobody has been there for 12 days"},
        {"label": "Seats", "state": "unknown", "points": 0, "text": "The number of seats is not known"},
    ]
    risk = {"probability": 0.3108, "method": "score", "points": -11.5, "reasons": reasons}
    assert risk_lines(risk) == [
        "Renewal risk: 31.1 % by the score, -11.5 points (10 double the odds).",
        "  -20.0  2 of 10 were lost",
        "  +8.5  Nobody has been there for 12 days",
        "  Not known: Seats.",
    ]
    assert risk_lines(None) == ["Renewal risk: no renewal is open."]


def test_what_is_on_comes_with_its_evidence_and_what_says_nothing_is_named() -> None:
    said = [
        {"label": "Complaints rose", "state": "on", "since": "2026-03-09T11:00:00Z", "evidence": "6 complaints.", "unusual": 0.0009},
        {"label": "Active use fell", "state": "stale", "since": None, "evidence": None, "unusual": None},
        {"label": "Pays less", "state": "off", "since": None, "evidence": None, "unusual": None},
    ]  # fmt: skip
    assert signal_lines({"signals": said}) == [
        "Signals:",
        "  Complaints rose, since 2026-03-09: 6 complaints. By chance: 0.09% or less.",
        "  Nothing can be said of: Active use fell.",
    ]
    assert signal_lines({"signals": said[2:]}) == ["Signals: none is on."]
