"""SIGKILL in the middle of a load: every acknowledged event is counted exactly once, every figure equals the reference."""

import pytest
from tests.acceptance.stack import Stack
from tests.faults.trial import run_trial

TRIALS = {
    "engine": ("engine",),
    "engine-thrice": ("engine", "engine", "engine"),
    "ingest": ("ingest",),
    "broker": ("broker",),
    "database": ("database",),
    "engine-and-ingest": ("engine", "ingest"),
    "broker-and-engine": ("broker", "engine"),
}


@pytest.mark.parametrize("name", TRIALS)
def test_whoever_is_killed_every_acknowledged_event_counts_once(stack: Stack, name: str) -> None:
    verdict = run_trial(stack, f"ci-{name}", TRIALS[name], seed=3 + len(name))
    assert verdict.failures == [], verdict
