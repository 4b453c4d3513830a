"""`bellwether train-risk` says what came of a training, and on what it rests."""

from datetime import UTC, datetime

from bellwether.commands.train_risk import lines
from common.contracts.known import KnownCounts
from common.risk.training import Training
from common.risk.trial import Bin, Interval, Trial

TRIAL = Trial(
    419, 105, Interval(0.1229, 0.1034, 0.1447), 0.1802, Interval(0.0573, 0.04, 0.07), Interval(0.1539, 0.1146, 0.1911), 0.89,
    [Bin(0.02, 0.0, 42), Bin(0.79, 0.76, 41)],
)  # fmt: skip


def test_a_refusal_says_why_and_what_judges_instead() -> None:
    refused = Training(None, "too few churns to learn from: 57 of at least 200", 1234, 57, None, None, None)
    rests_on, verdict = lines(refused, KnownCounts(10, 2, 88_000), None)
    assert rests_on.startswith(
        "1,234 account-months, 57 churns; known when: 10 events by arrival, 2 by recordedtime, 88,000 assumed"
    )
    assert verdict == f"refused: {refused.refusal}; the score judges; nothing was kept (dry run)"


def test_a_trial_is_told_with_intervals() -> None:
    until = datetime(2025, 7, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    tried = Training(None, "it was not", 20_000, 400, *until, TRIAL)
    assert lines(tried, KnownCounts(), 3)[1:] == [
        "learnt on what was decided by 2025-07-01, calibrated until 2026-01-01",
        "on the 419 latest renewals, of which 105 were lost:",
        "  Brier score 0.1229 (0.1034 to 0.1447); that of the score 0.1802",
        "  log loss less by 0.1539 (0.1146 to 0.1911)",
        "  expected over seen 0.89; said and seen by tenths: 2% 0%, 79% 76%",
        "refused: it was not; the score judges; kept as version 3",
    ]
