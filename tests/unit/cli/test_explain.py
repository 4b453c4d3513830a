"""`bellwether explain` says why a score is what it is."""

from bellwether.commands.explain import health_lines

HEALTH = {
    "score": 39.0,
    "band": "poor",
    "label": "Standard",
    "known": 80,
    "held_by_case": "case_1",
    "inputs": [
        {"label": "Active use", "state": "known", "share": 50.0, "value": -0.5, "lost": 30.0},
        {"label": "Complaints", "state": "known", "share": 50.0, "value": 0.0, "lost": 0.0},
        {"label": "Latest NPS answer", "state": "stale", "share": 0.0, "value": 9.0, "lost": None},
    ],
    "overrides": [{"name": "silent", "at_most": 39.0, "reason": "Nobody has been there."}],
}


def test_the_dearest_input_comes_first_and_what_costs_nothing_is_left_out() -> None:
    assert health_lines(HEALTH) == [
        "Health: 39.0 of 100, poor, judged as “Standard”.",
        "  Active use: -0.5, costs 30.0 of 50 points",
        "  Latest NPS answer: stale, left out",
        "  Nobody has been there. Held at 39 at most.",
        "  Not healthy while its critical case is open.",
    ]


def test_no_data_is_no_score() -> None:
    unknown = {**HEALTH, "score": None, "known": 20}
    assert health_lines(unknown)[0] == "Health: no score, inputs worth only 20 of 100 are known."
    assert health_lines(None) == ["Health: not computed yet."]
