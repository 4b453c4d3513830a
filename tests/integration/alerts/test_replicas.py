"""Two replicas at once: nothing is decided twice, nothing falls between them."""

import threading
from collections.abc import Callable
from datetime import timedelta

import psycopg
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import COMPLAINING, FALLEN, HEALTHY, World

from alerts.ports.ledger import Ledger
from alerts.use_cases.evaluate import Evaluator
from alerts.use_cases.upkeep import Upkeep


def _at_once(*work: Callable[[], object]) -> None:
    together, failed = threading.Barrier(len(work)), []

    def run(one: Callable[[], object]) -> None:
        together.wait(60)
        try:
            one()
        except Exception as error:  # noqa: BLE001 - reported below, on the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []


def test_two_that_decide_about_the_same_accounts_at_once_open_each_case_once(
    world: World, new_watcher: Callable[[], Watcher]
) -> None:
    accounts = [world.account(f"account-{number}") for number in range(20)]
    first, second = new_watcher(), new_watcher()
    for account in accounts:
        world.arrives(account, "complaint.filed", count=4)
    world.computed(*accounts, **COMPLAINING)

    def decide(watcher: Watcher) -> Callable[[], object]:
        evaluator: Evaluator = watcher.follower.evaluator
        return lambda: evaluator.evaluate(watcher.ledger, accounts, world.now)

    _at_once(decide(first), decide(second))
    assert len(world.cases()) == 20
    assert world.notices() == ["case.opened"] * 20


def test_two_that_follow_at_once_lose_nothing(world: World, new_watcher: Callable[[], Watcher]) -> None:
    watchers = [new_watcher(), new_watcher()]
    accounts = [world.account(f"account-{number}", partition=number % 3) for number in range(12)]
    world.computed(*accounts)
    _at_once(*(watcher.follow for watcher in watchers))
    for account in accounts:
        world.arrives(account, "complaint.filed", count=4)
    world.computed(*accounts, **COMPLAINING)
    _at_once(*(watcher.follow for watcher in watchers))
    watchers[0].follow()
    assert len(world.cases()) == 12
    assert len(world.notices()) == 12


def test_what_another_replica_opened_is_closed_by_whoever_sees_the_recovery(
    world: World, new_watcher: Callable[[], Watcher]
) -> None:
    first, second = new_watcher(), new_watcher()
    globex = world.account("globex")
    world.computed(globex)
    first.follow()
    second.follow()
    world.complains(globex)
    second.follow()
    world.computed(globex, **HEALTHY)
    first.follow()
    world.pass_time(hours=1)
    first.follow()
    assert [case["status"] for case in world.cases()] == ["resolved"]


def test_changes_of_cases_are_numbered_without_gaps(world: World, watcher: Watcher) -> None:
    accounts = [world.account(f"account-{number}") for number in range(5)]
    for account in accounts:
        world.arrives(account, "complaint.filed", count=4)
    world.computed(*accounts, **COMPLAINING)
    watcher.follow()
    numbers = [row[0] for row in world.rows("select seq from alerts.v_change order by seq")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == 5


def test_what_a_silence_held_back_is_told_once_by_whoever_comes_first(
    world: World, new_watcher: Callable[[], Watcher]
) -> None:
    accounts = [world.account(f"account-{number}") for number in range(10)]
    world.computed(*accounts)
    cut_off = new_watcher()
    cut_off.follow()
    world.connection.execute(
        "insert into alerts.silence (id, tenant_id, rule, starts_at, ends_at, comment, created_by, created_at) "
        "values ('sil_1', %s, 'usage_fell', %s, %s, 'A migration', 'dana', %s)",
        (world.tenant_id, world.now, world.now + timedelta(hours=2), world.now),
    )
    world.pass_time(hours=1)
    world.computed(*accounts, **FALLEN)
    cut_off.follow()
    assert (len(world.cases()), world.notices()) == (len(accounts), [])
    world.pass_time(hours=2)
    with cut_off.ledger.transaction():
        cut_off.upkeep.tell_held_back(cut_off.ledger, world.now)
        assert len(world.notices()) == 0, "nobody sees what is not written whole"
        raise psycopg.Rollback
    assert world.notices() == []
    watchers = [new_watcher(), new_watcher()]
    pages = [(w.ledger, Upkeep(w.upkeep.teller, page=3)) for w in watchers]

    def tell(ledger: Ledger, upkeep: Upkeep) -> Callable[[], object]:
        return lambda: [upkeep.tell_held_back(ledger, world.now) for _ in accounts]

    _at_once(*(tell(*one) for one in pages))
    told = world.rows("select distinct case_id from alerts.notification")
    assert (len(told), world.notices()) == (len(accounts), ["case.opened"] * len(accounts))
