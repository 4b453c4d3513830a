"""Nothing is left of an account after its events were deleted, or the backfill that brought it was reverted."""

from collections.abc import Callable

import pytest
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import World


def goes(world: World, *account_ids: int) -> None:
    """As the engine does when it takes the last event of accounts out."""
    with world.connection.transaction():
        world.connection.execute(
            "delete from engine.account_state where account_id = any(%s)", (list(account_ids),)
        )
        world.connection.execute(
            "update engine.account set gone_at = %s where id = any(%s)", (world.now, list(account_ids))
        )


@pytest.mark.parametrize("others", [0, 3])
def test_what_was_said_of_an_account_that_is_gone_is_withdrawn_and_says_so(
    world: World, watcher: Watcher, others: int
) -> None:
    mistyped = [world.account(f"mistyped {number}") for number in range(others + 1)]
    globex = world.account("globex")
    world.computed(*mistyped, globex)
    watcher.follow()
    world.pass_time(minutes=5)
    for account in (*mistyped, globex):
        world.complains(account)
    watcher.follow()
    world.pass_time(minutes=5)
    goes(world, *mistyped)
    watcher.follow()
    gone = [("complaints_rose", "withdrawn", "account-gone")] * len(mistyped)
    assert sorted(world.alerts()) == [("complaints_rose", "firing", "crossed"), *gone]
    assert sorted((c["status"], c["resolution"]) for c in world.cases() if c["status"] == "resolved") == [
        ("resolved", "withdrawn")
    ] * len(mistyped)
    assert world.notices().count("alert.withdrawn") == len(mistyped)


def test_an_account_that_is_heard_of_again_has_a_case_anew(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(minutes=5)
    world.complains(globex)
    watcher.follow()
    world.pass_time(minutes=5)
    goes(world, globex)
    watcher.follow()
    world.connection.execute("update engine.account set gone_at = null where id = %s", (globex,))
    world.connection.execute(
        "insert into engine.account_state (account_id, tenant_id, traits, figures, computed_at, due_at) values (%s, %s, '{}', '{}', %s, %s)",
        (globex, world.tenant_id, world.now, world.now),
    )
    world.computed(globex, complaints_7d=0)
    watcher.follow()
    world.pass_time(minutes=5)
    world.complains(globex)
    watcher.follow()
    assert sorted(c["status"] for c in world.cases()) == ["open", "resolved"]
    assert world.notices() == ["case.opened", "alert.withdrawn", "case.opened"]


def test_accounts_that_went_while_nobody_looked_are_seen_at_the_start(
    world: World, watcher: Watcher, new_watcher: Callable[..., Watcher]
) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(minutes=5)
    world.complains(globex)
    watcher.follow()
    goes(world, globex)
    world.pass_time(days=2)
    new_watcher().follow()
    assert world.alerts() == [("complaints_rose", "withdrawn", "account-gone")]
