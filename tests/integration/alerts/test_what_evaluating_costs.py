"""Accounts that change again and again are evaluated when it says something, counted in rules asked."""

from datetime import timedelta

from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import World

BATCHES = 20


def flood(world: World, watcher: Watcher, accounts: list[int], lag: timedelta = timedelta(0)) -> None:
    """Many batches, each of which computes all accounts anew; the engine is `lag` behind."""
    for n in range(BATCHES):
        world.pass_time(seconds=0.5)
        world.computed(*accounts, events_28d=n, days_silent=n % 2)
        world.progress(stamped=world.now - lag)
        watcher.follow()


def test_a_load_asks_nothing_until_its_end_and_then_once_for_each_account(
    world: World, watcher: Watcher
) -> None:
    accounts = [world.account(name) for name in ("globex", "initech", "hooli")]
    with world.loading():
        flood(world, watcher, accounts)
        assert watcher.evaluated == 0
    world.pass_time(seconds=1)
    world.drained()
    for _ in range(3):
        watcher.follow()
    assert watcher.evaluated == len(accounts)


def test_an_engine_that_catches_up_is_waited_for_and_each_account_is_evaluated_once(
    world: World, watcher: Watcher
) -> None:
    accounts = [world.account(name) for name in ("globex", "initech", "hooli")]
    flood(world, watcher, accounts, lag=timedelta(seconds=10))
    assert watcher.evaluated == 0
    world.pass_time(seconds=1)
    world.drained()
    for _ in range(3):
        watcher.follow()
    assert watcher.evaluated == len(accounts)


def test_an_engine_that_stays_a_little_behind_still_warns_within_half_a_minute(
    world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(seconds=1)
    world.complains(globex)
    world.progress(stamped=world.now - timedelta(seconds=10))
    watcher.follow()
    assert world.notices() == []
    world.pass_time(seconds=30)
    world.progress(stamped=world.now - timedelta(seconds=10))
    watcher.follow()
    assert world.notices() == ["case.opened"]


def test_batches_that_compute_nothing_anew_ask_nothing(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    before = watcher.evaluated
    for _ in range(BATCHES):
        world.pass_time(seconds=0.5)
        world.touched(globex)
        watcher.follow()
    assert watcher.evaluated == before


def test_figures_that_no_rule_reads_ask_nothing(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    before = watcher.evaluated
    for n in range(BATCHES):
        world.pass_time(seconds=0.5)
        world.computed(globex, events_28d=n)
        watcher.follow()
    assert watcher.evaluated == before
