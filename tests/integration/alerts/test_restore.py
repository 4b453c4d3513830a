"""A database restored from before: what was told and still holds is told again under the ids that receivers know, what is new under others."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import psycopg
import pytest
from tests.conftest import PostgresServer
from tests.integration.alerts.conftest import Watcher, connected, replica
from tests.integration.alerts.world import FALLEN, SECRET, World

from alerts.adapters.outbox import PostgresOutbox
from alerts.domain.identities import SETTLES_IN
from alerts.domain.retries import Outcome
from alerts.ports.channel import Receipt
from alerts.ports.outbox import Verdict
from common.catalogue.alerting import Alerting, Storm
from common.catalogue.models import Receiver, Routing
from common.db.pool import open_pool

Restore = Callable[[], None]


@pytest.fixture
def backup(postgres_server: PostgresServer, world: World) -> Iterator[Callable[[], Restore]]:
    """Copies the database as it is; calling what it returns puts the copy in the place of the world's."""
    copies: list[str] = []
    with ExitStack() as stack:

        def copy(source: str) -> str:
            world.connection.close()
            name = f"{source}_{len(copies)}"
            postgres_server.to_be_cloned(source)
            postgres_server.execute("create database {} template {} strategy file_copy", name, source)
            postgres_server.execute("alter database {} with allow_connections true", source)
            copies.append(name)
            return name

        def open_(name: str) -> None:
            world.url = postgres_server.database_url(name)
            world.connection = stack.enter_context(connected(world.url))

        def take() -> Restore:
            original = str(psycopg.conninfo.conninfo_to_dict(world.url)["dbname"])
            kept = copy(original)
            open_(original)
            return lambda: open_(kept)

        yield take
    for name in copies:
        postgres_server.drop(name)


def _sent(world: World) -> dict[tuple[str, str], str]:
    """Ids by account and type; each type once an account here."""
    rows = world.rows(
        'select a.name, n.type, n.id from alerts.notification n join alerts."case" c on c.id = n.case_id join engine.account a on a.id = c.account_id'
    )
    assert len({row[:2] for row in rows}) == len(rows)
    return {(account, kind): notice for account, kind, notice in rows}


def _lives(world: World, watcher: Watcher) -> None:
    """Complaints at globex, which then gets worse; initech complains too."""
    ids = dict(world.rows("select name, id from engine.account"))
    world.complains(ids["globex"])
    watcher.follow()
    world.pass_time(minutes=5)
    world.computed(ids["globex"], **FALLEN)
    world.complains(ids["initech"])
    watcher.follow()


def test_what_is_told_again_after_a_restore_has_the_id_it_had(
    world: World, backup: Callable[[], Restore]
) -> None:
    for name in ("globex", "initech"):
        world.computed(world.account(name, name=name.title()))
    with ExitStack() as stack:
        replica(stack, world).follow()
    restore, batches, figures = backup(), dict(world.batches), {k: dict(v) for k, v in world.figures.items()}
    with ExitStack() as stack:
        _lives(world, replica(stack, world))
        before = _sent(world)
    assert {kind for _, kind in before} == {"case.opened", "case.worsened"}
    restore()
    world.batches, world.figures = batches, figures
    world.pass_time(minutes=50)
    with ExitStack() as stack:
        watcher = replica(stack, world)
        _lives(world, watcher)
        assert _sent(world) == before, "the same episodes, an hour later, under the same ids"
        world.complains(world.account("hooli", name="Hooli"))
        watcher.follow()
        assert set(_sent(world)) - set(before) == {("hooli", "case.opened")}


def test_what_gets_worse_in_one_step_after_a_restore_is_not_the_first_of_two(
    world: World, backup: Callable[[], Restore]
) -> None:
    globex = world.account("globex", name="Globex")
    world.computed(globex)
    with ExitStack() as stack:
        replica(stack, world).follow()
    restore, batches, figures = backup(), dict(world.batches), {k: dict(v) for k, v in world.figures.items()}
    with ExitStack() as stack:
        watcher = replica(stack, world)
        world.complains(globex)
        watcher.follow()
        opened = _sent(world)[("globex", "case.opened")]
    restore()
    world.batches, world.figures = batches, figures
    with ExitStack() as stack:
        watcher = replica(stack, world)
        world.arrives(globex, "complaint.filed", count=4)
        world.computed(globex, complaints_7d=4, complaints_28d=4, **FALLEN)
        watcher.follow()
        assert _sent(world) == {("globex", "case.opened"): opened}


def test_a_case_that_is_never_told_again_does_not_lend_its_id_to_another(
    world: World, backup: Callable[[], Restore]
) -> None:
    """Told, settled, and forgotten by the restore; much later the account is in danger for another reason."""
    globex = world.account("globex", name="Globex")
    world.computed(globex)
    with ExitStack() as stack:
        replica(stack, world).follow()
    restore = backup()
    with ExitStack() as stack:
        watcher = replica(stack, world)
        world.complains(globex)
        watcher.follow()
        forgotten = _sent(world)[("globex", "case.opened")]
    restore()
    world.figures[globex].update(complaints_7d=0, complaints_28d=0)
    world.pass_time(hours=3)
    with ExitStack() as stack:
        watcher = replica(stack, world)
        for _ in range(3):
            world.drained()
            watcher.follow()
            world.clock.advance(SETTLES_IN / 2 + timedelta(minutes=1))
        world.complains(globex)
        watcher.follow()
        assert _sent(world)[("globex", "case.opened")] != forgotten


def test_a_storm_made_again_after_a_restore_is_told_under_the_ids_it_had(
    world: World, backup: Callable[[], Restore]
) -> None:
    hook = Receiver(name="team", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
    storm = Alerting(storm=Storm(cases=1, within_minutes=10))
    world.apply("acme", Routing(receivers=(hook,)), alerting=storm)
    accounts = [world.account(f"account-{n}") for n in range(3)]
    world.computed(*accounts)

    def summaries() -> list[str]:
        for account in accounts:
            world.complains(account)
        with ExitStack() as stack:
            watcher = replica(stack, world)
            watcher.follow()
            world.pass_time(minutes=11)
            watcher.follow()
        found = world.rows("select id from alerts.notification where type = 'storm.summary' order by seq")
        return [row[0] for row in found]

    with ExitStack() as stack:
        replica(stack, world).follow()
    restore, batches, figures = backup(), dict(world.batches), {k: dict(v) for k, v in world.figures.items()}
    before = summaries()
    restore()
    world.batches, world.figures = batches, figures
    world.pass_time(minutes=40)
    assert (len(set(before)), summaries()) == (2, before)


def test_that_a_receiver_was_disabled_is_told_again_after_a_restore_under_the_id_it_had(
    world: World, backup: Callable[[], Restore]
) -> None:
    gone, team = (
        Receiver(name=name, kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
        for name in ("gone", "team")
    )
    world.apply("acme", Routing(receivers=(gone, team)))
    world.complains(world.account("globex"))
    with ExitStack() as stack:
        replica(stack, world).follow()

    def disabled() -> list[str]:
        """Ids of all that was said of receivers, after one that is there no longer answered so."""
        with open_pool(world.url, "test", max_size=1) as pool:
            outbox = PostgresOutbox(pool, {}, "http://gateway.example")
            claimed = [one for one in outbox.claim(world.now, 10, []) if one.delivery.receiver.name == "gone"]
            receipt = Receipt(Outcome.GONE, "receiver-gone", 410)
            verdict = Verdict(receipt, world.now, None, disable_receiver="receiver-gone")
            outbox.settle([(one, verdict) for one in claimed])
        found = world.rows("select id from alerts.notification where type = 'receiver.disabled' order by seq")
        return [row[0] for row in found]

    restore = backup()
    before = disabled()
    restore()
    world.pass_time(minutes=40)
    assert (len(before), disabled()) == (1, before)
    # Mended, and gone again: that is news.
    world.connection.execute("update alerts.receiver set disabled_at = null, disabled_reason = null")
    world.connection.execute(
        "update alerts.notification set status = 'pending', next_attempt_at = %s where receiver = 'gone'",
        (world.now,),
    )
    assert len(set(disabled())) == 2
