"""The simulated renewals are the same for the same seed, and their measure of order counts what it should."""

import numpy as np
import pytest
from benchmarks.renewals.bench import auc
from benchmarks.renewals.world import past
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=12))
@settings(max_examples=30)
def test_order_is_how_often_a_lost_one_was_given_more(said: list[tuple[int, bool]]) -> None:
    lost = [chance for chance, gone in said if gone]
    kept = [chance for chance, gone in said if not gone]
    found = auc(np.array([chance for chance, _ in said]) / 10, np.array([gone for _, gone in said]))
    if not lost or not kept:
        assert np.isnan(found)
        return
    pairs = [(a > b) + (a == b) / 2 for a in lost for b in kept]
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_a_seed_is_a_past() -> None:
    first, again, other = past(1, 4), past(1, 4), past(2, 4)
    assert first.facts == again.facts
    assert np.array_equal(first.use.at_us, again.use.at_us)
    assert first.facts != other.facts
