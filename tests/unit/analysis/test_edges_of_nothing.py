"""What looks like an effect and is none: windows, growth, season and ramps that all share; and pairs made of the same events."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tests.unit.analysis import worlds
from tests.unit.analysis.worlds import Matrix, Periods

from common.analysis import edges, panels
from common.analysis.sharing import shared_events
from common.catalogue import load

CATALOGUE = load(Path(__file__).parents[3] / "catalogue")
SEEDS = 40
World = tuple[Matrix, Matrix, Periods | None]
NOTHING: dict[str, tuple[Callable[[int], World], bool]] = {
    "overlapping windows": (lambda seed: (*worlds.windows(seed), None), False),
    "growth and season": (lambda seed: (*worlds.growing(seed), None), False),
    "joining": (lambda seed: worlds.joining(seed, known_before=False), False),
    "joining, 0 before": (lambda seed: worlds.joining(seed, known_before=True), False),
    "leaving young": (worlds.leaving_young, True),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_all_accounts_share_is_no_effect(name: str) -> None:
    """Of 40 seeds more than 3 would come by chance in 1 of 1,000 of such tests where one in a hundred is claimed."""
    world, flow = NOTHING[name]
    claimed = []
    for seed in range(SEEDS):
        driver, kpi, began = world(seed)
        found = edges.tested(driver, kpi, raises=True, flow=flow, lags=6, seed=seed, began=began)
        if found.claimed or found.state == "stopped":
            claimed.append((seed, found.state, found.lead))
    assert len(claimed) <= 3, claimed


@pytest.mark.parametrize(("lead", "raises", "join"), [(1, True, False), (3, False, True), (5, True, True)])
def test_what_follows_is_found_among_them_with_its_lead_and_its_direction(
    lead: int, raises: bool, join: bool
) -> None:
    right = 0
    for seed in range(8):
        driver, kpi, began = worlds.following(seed, lead=lead, raises=raises, join=join)
        found = edges.tested(driver, kpi, raises=True, flow=False, lags=6, seed=seed, began=began)
        right += (found.state, found.lead) == ("holds" if raises else "opposite", lead)
    assert right >= 7


def test_ages_leave_no_mean_of_an_age_or_a_period() -> None:
    rng = np.random.default_rng(4)
    ages = np.clip(np.arange(12) - rng.integers(-3, 6, 40)[:, None], 0, 12)
    ranks = 0.1 * ages + np.sin(np.arange(12)) + rng.normal(0, 0.1, ages.shape)
    ranks[rng.random(ranks.shape) < 0.1] = np.nan
    left = edges._without_age(ranks, ages)
    assert np.array_equal(np.isnan(left), np.isnan(ranks))
    means = [np.nanmean(left[ages == age]) for age in np.unique(ages)]
    assert np.allclose([*means, *np.nanmean(left, axis=0)], 0, atol=0.01)


def test_accounts_begin_in_the_period_of_their_first_event() -> None:
    starts = [datetime(2026, 3, 2, tzinfo=UTC) + timedelta(weeks=week) for week in range(4)]
    seen = {
        "before": starts[0] - timedelta(seconds=1), "long before": starts[0] - timedelta(days=15), "first": starts[0],
        "second": starts[2] - timedelta(seconds=1), "last": starts[3] + timedelta(days=3),
    }  # fmt: skip
    began = panels.began([*seen, "never heard of"], seen, starts, "week")
    assert began.tolist() == [-1, -3, 0, 1, 3, -4]


@pytest.mark.parametrize(
    ("driver", "moved", "events"),
    [
        ("portal_logins_per_day", "adoption_rate", ["user.logged_in"]),
        ("seats_used", "adoption_rate", ["user.logged_in", "feature.used"]),
        # Whoever leaves after a failed invoice leaves involuntarily: so it is defined.
        ("failed_invoices", "involuntary_churn", ["invoice.failed"]),
        ("nps", "nps_change", ["survey.responded (nps)"]),
        ("nps", "csat", []),
        ("adoption_rate", "grr", []),
        ("deals_registered", "partner_sourced_revenue", []),
        ("deal_response_time", "time_to_close", []),
    ],
)
def test_events_that_make_both_figures_are_named(driver: str, moved: str, events: list[str]) -> None:
    metrics = CATALOGUE.metrics
    shared = shared_events(metrics[driver], metrics[moved], CATALOGUE)
    assert set(events) <= set(shared)
    assert bool(shared) == bool(events)


def test_figures_share_their_events_both_ways_and_with_themselves() -> None:
    metrics = list(CATALOGUE.metrics.values())
    for one, other in product(metrics[:40], metrics):
        assert shared_events(one, other, CATALOGUE) == shared_events(other, one, CATALOGUE)
    assert [metric.name for metric in metrics if not shared_events(metric, metric, CATALOGUE)] == []


def test_a_pair_that_shares_its_events_is_said_to_and_claims_nothing() -> None:
    edge = CATALOGUE.drivers["logins_to_adoption"]
    said = edges.Tested("shared_events", accounts=0, periods=0, moved=0)
    told = panels.shown(said, edge, "week", ["a.b", "c.d", "e.f", "g.h"])
    assert told["says"].startswith(
        "portal_logins_per_day shares its events with adoption_rate (a.b, c.d, e.f, ...): one event moves both"
    )
    assert (said.claimed, told["p"], told["lead"], told["correlation"], told["warning"]) == (
        False,
        *[None] * 4,
    )
