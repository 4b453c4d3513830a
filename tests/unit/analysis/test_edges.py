"""An edge that is there is found with its lead; one that isn't is claimed about as seldom as promised."""

from itertools import pairwise, product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.analysis.worlds import Matrix, churning, silent_before_leaving

from common.analysis import edges
from common.analysis.deciles import by_decile
from common.analysis.panels import shown
from common.catalogue.tree import Driver

SEEDS = 100
LOGINS_TO_GRR = Driver(
    name="logins_to_grr", driver="portal_logins_per_day", moves="grr", effect="raises", lag_days=60, why="-", owner="-",
    team="-", control="shared",
)  # fmt: skip


def found(logins: Matrix, kept: Matrix, seed: int = 1) -> edges.Tested:
    return edges.tested(logins, kept, raises=True, flow=True, lags=6, seed=seed, began=None)


@pytest.mark.parametrize("lead", [1, 3, 5])
def test_churn_that_follows_falling_logins_is_found_with_its_lead(lead: int) -> None:
    result = found(*churning(7, accounts=200, periods=36, lead=lead))
    assert (result.state, result.lead) == ("holds", lead)
    assert result.lead_low is not None
    assert result.lead_high is not None
    assert result.lead_low <= lead <= result.lead_high
    assert result.strength is not None
    assert 0 < result.strength.low < result.strength.value < result.strength.high


def test_churn_at_random_is_claimed_as_seldom_as_promised() -> None:
    """One in a hundred is what the p-value promises. Of this many seeds, more than 5 would come by chance in 1 of 1,000."""
    claims = [
        found(*churning(seed, accounts=80, periods=24, lead=None), seed).claimed for seed in range(SEEDS)
    ]
    assert sum(claims) <= 5, f"{sum(claims)} of {SEEDS} claimed"


def test_an_edge_is_found_nearly_always_where_it_is() -> None:
    seen = [found(*churning(seed, accounts=120, periods=24, lead=2), seed).state for seed in range(25)]
    assert sum(state == "holds" for state in seen) >= 23


def test_a_short_lag_is_not_drowned_by_what_chance_does_at_long_ones() -> None:
    """At a lag of 8 there are three months of use to compare with: chance alone makes correlations nearly twice as large there."""
    seen = []
    for seed in range(10):
        use, kept = silent_before_leaving(seed)
        result = edges.tested(use, kept, raises=True, flow=True, lags=8, seed=seed, began=None)
        seen.append((result.state, result.lead))
    assert seen.count(("holds", 1)) >= 8, seen


def test_an_edge_that_stops_is_warned_of_and_one_that_goes_on_is_not() -> None:
    """Early on who falls silent leaves; later just as many leave, and it has nothing to do with log-ins."""
    warned = 0
    for seed in range(6):
        logins, kept = churning(seed, accounts=300, periods=48, lead=2, until=32)
        noise_logins, noise_kept = churning(seed + 1000, accounts=300, periods=48, lead=None)
        there = ~np.isnan(kept[:, 31])
        late = np.where(there[:, None], noise_kept, np.nan)[:, 32:]
        kept = np.concatenate([kept[:, :32], late], axis=1)
        logins = np.concatenate([logins[:, :32], noise_logins[:, 32:]], axis=1)
        result = found(logins, kept, seed)
        warned += result.state == "stopped"
        # It is said what it was, and that it is so no more; a warning comes with nothing else.
        told = shown(result, LOGINS_TO_GRR, "month")
        assert (told["warning"] is not None) == (told["state"] == "stopped")
        if told["state"] == "stopped":
            assert (told["lead"]["value"], told["latest"]["low"] <= 0) == (2, True)
            assert told["says"].endswith("2 months later: so it was, and in the latest months it isn't.")
            assert told["warning"].startswith(
                "portal_logins_per_day moved grr before, and shows no such effect"
            )
    assert warned >= 5
    states = [found(*churning(seed, accounts=300, periods=48, lead=2), seed).state for seed in range(6)]
    assert "stopped" not in states


def test_an_edge_that_turned_round_is_not_said_to_show_nothing() -> None:
    rng = np.random.default_rng(5)
    logins = rng.lognormal(3, 0.3, (80, 36))
    grr = rng.normal(0, 0.2, logins.shape)
    follows = np.log(logins[:, 1:-2] / logins[:, :-3])
    grr[:, 3:] += np.where(np.arange(3, 36) < 24, 1, -1) * follows
    told = shown(found(logins, grr), LOGINS_TO_GRR, "month")
    assert (told["state"], told["lead"]["value"]) == ("stopped", 2)
    assert told["latest"]["high"] < 0 < told["correlation"]["low"]
    assert told["says"].endswith("so it was, and in the latest months it is the other way round.")
    assert told["warning"].startswith("portal_logins_per_day moved grr before, and moves it the other way in")


def test_a_driver_that_works_the_other_way_is_called_opposite() -> None:
    logins, kept = churning(3, accounts=200, periods=36, lead=2)
    assert edges.tested(logins, kept, raises=False, flow=True, lags=6, seed=1, began=None).state == "opposite"


def test_few_accounts_periods_or_leavers_are_too_little_data() -> None:
    logins, kept = churning(3, accounts=200, periods=36, lead=2)
    for few in (
        found(logins[:20], kept[:20]),
        found(logins[:, :6], kept[:, :6]),
        found(logins, np.ones_like(kept)),
    ):
        assert (few.state, few.strength, few.lead) == ("too_little_data", None, None)


def test_the_answer_is_the_same_every_time() -> None:
    world = churning(5, accounts=60, periods=24, lead=2)
    assert found(*world, seed=9) == found(*world, seed=9)


def test_correlations_are_those_of_plain_code() -> None:
    """Ranks, pairs and sums again, one account and period at a time."""
    rng = np.random.default_rng(2)
    driver, kpi = rng.integers(0, 4, (2, 15, 8)).astype(np.float64)
    kpi[rng.random(kpi.shape) < 0.1] = np.nan
    x, y = edges._ranked(edges._relative(driver)), edges._ranked(edges._changes(kpi))
    for lag in (1, 3):
        pairs = [
            (_rank(_relative_plain(driver), a, t), _rank(_changes_plain(kpi), a, t + lag))
            for a, t in product(range(15), range(8 - lag))
        ]
        known = [(one, other) for one, other in pairs if one is not None and other is not None]
        over = sum(one * other for one, other in known)
        under = (sum(one**2 for one, _ in known) * sum(other**2 for _, other in known)) ** 0.5
        assert edges._Sums.of(x, y, lag).rho() == pytest.approx(over / under)


Table = list[list[float | None]]


def _last_plain(levels: Matrix, account: int, period: int) -> float | None:
    known = [float(v) for v in levels[account, :period] if not np.isnan(v)]
    return known[-1] if known else None


def _relative_plain(levels: Matrix) -> Table:
    table: Table = []
    for account in range(len(levels)):
        row: list[float | None] = []
        for period, value in enumerate(levels[account]):
            last = _last_plain(levels, account, period)
            if np.isnan(value) or last is None:
                row.append(None)
            else:
                size = abs(value) + abs(last)
                row.append(float((value - last) / size) if size else 0.0)
        table.append(row)
    return table


def _changes_plain(levels: Matrix) -> Table:
    return [
        [
            None
            if np.isnan(value) or (last := _last_plain(levels, account, period)) is None
            else float(value - last)
            for period, value in enumerate(levels[account])
        ]
        for account in range(len(levels))
    ]


def _rank(table: Table, account: int, period: int) -> float | None:
    own = table[account][period]
    others = [row[period] for row in table if row[period] is not None]
    if own is None or len(others) < 2:
        return None
    below = sum(other < own for other in others if other is not None)
    same = sum(other == own for other in others)
    return (below + (same - 1) / 2) / (len(others) - 1) - 0.5


values = st.lists(st.tuples(st.integers(-3, 12).map(float), st.booleans()), max_size=200)


@settings(max_examples=100, deadline=None)
@given(values)
def test_deciles_hold_everybody_once_and_tear_no_ties_apart(rows: list[tuple[float, bool]]) -> None:
    result = by_decile(rows)
    assert sum(one.accounts for one in result.deciles) == len(rows) == result.accounts
    assert sum(one.left for one in result.deciles) == result.left
    filled = [one for one in result.deciles if one.accounts]
    for one, other in pairwise(filled):
        assert one.most is not None
        assert other.least is not None
        assert one.most < other.least
    left, stayed = [v for v, gone in rows if gone], [v for v, gone in rows if not gone]
    if result.chance is None:
        assert result.verdict == "too_little_data"
        return
    wins = sum((a < b) + (a == b) / 2 for a, b in product(left, stayed))
    assert result.chance == pytest.approx(wins / (len(left) * len(stayed)))


def test_who_uses_little_leaves_and_the_deciles_show_it() -> None:
    result = by_decile([(float(n), n < 15) for n in range(100)])
    assert [one.left for one in result.deciles] == [10, 5, 0, 0, 0, 0, 0, 0, 0, 0]
    assert (result.chance, result.verdict) == (1.0, "low_values_leave")
    first = result.deciles[0]
    assert (first.accounts, first.least, first.most, first.share) == (10, 0.0, 9.0, 1.0)
    assert first.low is not None
    assert 0.6 < first.low < 1


@pytest.mark.parametrize(("true", "left", "stayed"), [(0.5, 8, 200), (0.7, 20, 80), (0.97, 8, 42)])
def test_the_interval_of_the_chance_holds_what_is_true_as_often_as_promised(
    true: float, left: int, stayed: int
) -> None:
    """Of two normal distributions so far apart that one who left has the lower value this often; 1,500 draws deviate by 0.6 points."""
    apart = NormalDist().inv_cdf(true) * 2**0.5
    rng, held, draws = np.random.default_rng(7), 0, 1_500
    for _ in range(draws):
        values = [*rng.normal(0, 1, left), *rng.normal(apart, 1, stayed)]
        result = by_decile([(float(value), number < left) for number, value in enumerate(values)])
        assert result.low is not None
        assert result.high is not None
        held += result.low <= true <= result.high
    assert 0.935 <= held / draws <= 0.985, held / draws


def test_a_clear_cut_among_few_is_not_certain() -> None:
    result = by_decile([(float(n), n < 8) for n in range(50)])
    assert (result.chance, result.high, result.verdict) == (1.0, 1.0, "low_values_leave")
    assert result.low is not None
    assert result.low == pytest.approx(0.8525, abs=1e-4)
    mirrored = by_decile([(-float(n), n < 8) for n in range(50)])
    assert (mirrored.chance, mirrored.low) == (0.0, 0.0)
    assert mirrored.high == pytest.approx(1 - result.low)


@pytest.mark.parametrize(("low", "high"), [(20, 1), (1, 30), (15, 15), (80, 0)])
def test_equal_values_at_an_end_are_in_the_decile_at_that_end(low: int, high: int) -> None:
    between = range(1, 81 - low - high)
    values = [0] * low + [*between] + [99] * high
    result = by_decile([(float(value), False) for value in values])
    first, last = result.deciles[0], result.deciles[-1]
    assert (first.least, first.accounts >= low) == (0.0, True)
    if high:
        assert (last.most, last.accounts >= high) == (99.0, True)


def test_leaving_at_random_differs_in_no_decile_as_often_as_promised() -> None:
    claims = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rows = [
            (float(v), bool(gone))
            for v, gone in zip(rng.normal(size=120), rng.random(120) < 0.2, strict=True)
        ]
        claims += by_decile(rows).verdict in ("low_values_leave", "high_values_leave")
    assert claims <= 20, claims
