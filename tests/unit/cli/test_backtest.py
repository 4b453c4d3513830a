"""What a replay found, in words."""

from io import StringIO
from typing import Any

from rich.console import Console

from bellwether.commands.backtest import sentences, show

UNKNOWN = {"value": None, "low": None, "high": None, "n": 3, "note": "not known yet"}
WARNING = {
    "account": "globex",
    "owner": None,
    "from": "2026-01-05",
    "to": None,
    "evidence": "No activity for 15 days.",
    "verdict": "caught",
    "days_before": 20.4,
}


def accuracy(**changes: Any) -> dict[str, Any]:
    told = {
        "caught": ["globex"],
        "missed": [{"account": "initech", "owner": "dana", "decided_on": "2026-02-01"}],
        "false": ["hooli", "hooli"],
        "repeat": 1,
        "after": 0,
        "open": [],
        "precision": UNKNOWN,
        "recall": UNKNOWN,
        "days_before": {"least": 20.4, "median": 20.4, "most": 20.4, "n": 1},
    }
    return told | changes


def test_names_come_before_shares_and_few_verdicts_are_no_share() -> None:
    assert sentences(accuracy(), 4) == [
        "4 warnings: 1 before a churn, 2 false, 1 repeated, 0 after the decision, 0 open.",
        "Caught: globex.",
        "Missed: initech.",
        "False: hooli.",
        "Right when it warned: not known yet (3 of 20 verdicts).",
        "Churns that it foretold: not known yet (3 of 20 verdicts).",
        "Warned 20 days before the decision in the median (20 to 20).",
    ]


def test_a_share_is_told_with_its_interval() -> None:
    known = {"value": 0.7, "low": 0.481, "high": 0.8545, "n": 20, "note": None}
    assert "Right when it warned: 70% of 20, between 48% and 85%." in sentences(accuracy(precision=known), 1)


def test_the_whole_is_shown() -> None:
    out = StringIO()
    found = {
        "rule": "account_silent",
        "from": "2026-01-01",
        "to": "2026-03-01",
        "accounts": 3,
        "events_known": {"by_arrival": 1, "by_recorded_time": 0, "assumed": 1200},
        "warnings": [WARNING] * 60,
        "warnings_left_out": 40,
        "weeks": [{"week": "2025-12-29", "warnings": 0}, {"week": "2026-01-05", "warnings": 60}],
        "load": [{"owner": None, "warnings": 1, "per_week": 0.1, "busiest_week": 1}],
        "accuracy": accuracy(),
    }
    show(Console(file=out, width=100), found)
    text = out.getvalue()
    assert "1,200 events came in a load of history" in text
    assert "2026-01-05 to now         globex  nobody  caught, 20 days before" in text
    assert "The last 50 of 100; --json has more." in text
    assert "nobody: 1 warning, 0.1 a week, at most 1 in one" in text
