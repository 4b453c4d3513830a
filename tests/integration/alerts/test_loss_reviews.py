"""What a loss review proposes as the cause, on subscriptions as the engine keeps them."""

from datetime import datetime, timedelta
from typing import Any

from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import World

from alerts.app import new_id
from alerts.use_cases.losses import Reviewing

DAY = timedelta(days=1)


def changed(world: World, account: int, kind: str, told: datetime, acts: datetime, **said: Any) -> None:
    names = (
        "tenant_id",
        "account_id",
        "subscription",
        "kind",
        "event_at",
        "effective_at",
        "source",
        "event_id",
    )
    values = (world.tenant_id, account, "s", kind, told, acts, "crm", f"{kind}-{told:%Y%m%d}")
    row = {**dict(zip(names, values, strict=True)), **said}
    world.connection.execute(
        f"insert into engine.subscription_change ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
        list(row.values()),
    )


def proposal(world: World, watcher: Watcher, account: int) -> dict[str, Any]:
    for at, delta in ((world.now - 400 * DAY, 500), (world.now, -500)):
        world.connection.execute(
            "insert into engine.mrr_change (tenant_id, account_id, at, delta, currency) values (%s, %s, %s, %s, 'EUR')",
            (world.tenant_id, account, at, delta),
        )
    Reviewing(new_id).round(watcher.ledger, world.now + DAY)
    ((found,),) = world.rows("select proposal from alerts.loss_review where account_id = %s", account)
    return dict(found)


def test_a_notice_that_was_withdrawn_is_not_the_cause_of_a_later_lapse(
    world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")
    world.computed(globex, mrr=0)
    ago = world.now - 200 * DAY
    notice: dict[str, Any] = {"reason": "price", "notice_deadline": ago - 60 * DAY}
    changed(world, globex, "cancelled", ago - 90 * DAY, ago, **notice)
    changed(world, globex, "renewed", ago - 30 * DAY, ago, mrr="500", currency="EUR", term_end=world.now)
    found = proposal(world, watcher, globex)
    assert (found["cause"], found["cause_from"]) == ("lapsed without a word", "contract")
    assert datetime.fromisoformat(found["act_by"]) == world.now


def test_who_pays_in_a_currency_without_a_rate_has_not_lapsed(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex, mrr=None)
    assert proposal(world, watcher, globex)["cause"] == "not said yet"


def test_a_notice_that_stands_is_with_its_deadline(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex, mrr=0)
    notice: dict[str, Any] = {"reason": "price", "notice_deadline": world.now - 60 * DAY, "currency": "EUR"}
    changed(world, globex, "started", world.now - 400 * DAY, world.now - 400 * DAY, mrr="500", currency="EUR")
    changed(world, globex, "cancelled", world.now - 90 * DAY, world.now, **notice)
    found = proposal(world, watcher, globex)
    assert (found["cause"], found["cause_from"]) == ("price", "cancellation")
    assert datetime.fromisoformat(found["act_by"]) == world.now - 60 * DAY
