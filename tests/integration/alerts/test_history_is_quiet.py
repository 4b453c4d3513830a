"""Nothing opens from history: not from a load, not from plain old events, not while the engine is behind."""

from datetime import timedelta

from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import COMPLAINING, FALLEN, HEALTHY, SECRET, SILENT, World

from alerts.consumer.measuring import is_settled
from common.catalogue.models import Receiver, Routing

TEAM = Receiver(name="team", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
ARCHIVIST = Receiver(
    name="archivist", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET, events=("load.summary",)
)


def test_old_events_open_nothing_however_bad_they_are(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.arrives(globex, "complaint.filed", at=world.now - timedelta(days=3), count=9)
    world.computed(globex, **COMPLAINING, **FALLEN, **SILENT)
    watcher.follow()
    assert world.cases() == []
    assert {state for _, state, _ in world.alerts()} == {"standing"}


def test_old_events_on_an_account_in_use_open_nothing_either(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(hours=1)
    world.arrives(globex, "user.logged_in")
    world.arrives(globex, "complaint.filed", at=world.now - timedelta(days=2), count=4)
    world.computed(globex, **COMPLAINING)
    watcher.follow()
    world.arrives(globex, "user.logged_in", at=world.now - timedelta(days=40), count=50)
    world.computed(globex, **FALLEN)
    watcher.follow()
    assert world.cases() == []


def test_a_condition_that_stood_by_history_opens_with_fresh_evidence(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.arrives(globex, "complaint.filed", at=world.now - timedelta(days=2), count=4)
    world.computed(globex, **COMPLAINING)
    watcher.follow()
    world.pass_time(minutes=5)
    world.arrives(globex, "complaint.filed")
    world.computed(globex, complaints_7d=5)
    watcher.follow()
    assert world.alerts() == [("complaints_rose", "firing", "fresh-evidence")]
    assert world.notices() == ["case.opened"]


def test_silence_that_nobody_saw_begin_is_no_news(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex, **SILENT)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, days_silent=16)
    watcher.follow()
    assert world.alerts() == [("account_silent", "standing", "from-history")]


def test_an_account_silent_for_years_is_no_news_unless_it_pays(world: World, watcher: Watcher) -> None:
    free, paying = world.account("free"), world.account("paying")
    with world.loading():
        world.computed(free, days_silent=900, mrr=0)
        world.computed(paying, days_silent=900, mrr=500)
        watcher.follow()
    world.pass_time(seconds=1)
    world.drained()
    watcher.follow()
    assert [(c["account"], c["origin"]) for c in world.cases()] == [("paying", "load")]


def test_nothing_opens_during_a_load_and_what_stands_at_its_end_opens_silently_once(
    world: World, watcher: Watcher
) -> None:
    world.apply("acme", Routing(receivers=(TEAM, ARCHIVIST)))
    bad, good = world.account("bad"), world.account("good")
    load = world.begin_load()
    world.arrives(bad, "complaint.filed", count=4)
    world.computed(bad, **COMPLAINING, **SILENT)
    world.computed(good)
    watcher.follow()
    assert world.cases() == []
    world.pass_time(minutes=1)
    world.end_load(load)
    world.pass_time(seconds=1)
    watcher.follow()
    assert world.cases() == [], "the engine has not applied all of it yet"
    world.drained()
    for _ in range(3):
        watcher.follow()
    assert [(c["account"], c["origin"]) for c in world.cases()] == [("bad", "load")]
    assert world.rows("select receiver, type from alerts.notification") == [("archivist", "load.summary")]


def test_figures_still_to_be_computed_hold_back_the_end_of_a_load(world: World, watcher: Watcher) -> None:
    bad = world.account("bad")
    with world.loading():
        world.computed(bad)
        world.pass_time(seconds=1)
    world.pass_time(seconds=1)
    world.progress(settled=False)
    watcher.follow()
    world.progress(dirty=1)
    watcher.follow()
    assert world.cases() == []
    world.computed(bad, **SILENT)
    watcher.follow()
    assert [(c["account"], c["origin"]) for c in world.cases()] == [("bad", "load")]
    assert world.notices() == []


def test_a_load_that_nobody_keeps_alive_ends_by_itself(world: World, watcher: Watcher) -> None:
    bad = world.account("bad")
    load = world.begin_load()
    world.computed(bad, **SILENT)
    world.pass_time(minutes=4)
    world.heartbeat(load)
    world.pass_time(minutes=4)
    world.drained()
    watcher.follow()
    assert world.cases() == []
    world.pass_time(minutes=2)
    world.drained()
    watcher.follow()
    assert [c["origin"] for c in world.cases()] == ["load"]


def test_what_happens_after_a_load_is_live_again(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    with world.loading():
        world.computed(globex)
    world.pass_time(seconds=1)
    world.drained()
    watcher.follow()
    world.pass_time(minutes=1)
    world.complains(globex)
    watcher.follow()
    assert world.notices() == ["case.opened"]


def test_a_case_from_a_load_is_told_of_when_it_gets_worse(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    with world.loading():
        world.computed(globex, **FALLEN)
    world.pass_time(seconds=1)
    world.drained()
    watcher.follow()
    world.complains(globex)
    watcher.follow()
    assert world.notices() == ["case.worsened"]


def test_another_tenant_s_load_holds_back_nobody_else(world: World, watcher: Watcher) -> None:
    other = world.tenant("other")
    theirs = world.account("theirs", tenant_id=other)
    mine = world.account("mine")
    with world.loading(other):
        for account in (mine, theirs):
            world.arrives(account, "complaint.filed", count=4)
        world.computed(mine, theirs, **COMPLAINING)
        watcher.follow()
        assert [c["account"] for c in world.cases()] == ["mine"]


def test_nothing_opens_while_the_engine_is_behind_and_nothing_is_lost_by_it(
    world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(minutes=5)
    world.complains(globex)
    world.progress(stamped=world.now - timedelta(minutes=2))
    watcher.follow()
    assert world.cases() == []
    world.pass_time(seconds=5)
    world.drained()
    watcher.follow()
    assert world.notices() == ["case.opened"]


def test_a_silence_that_late_events_refute_is_withdrawn_and_says_so(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex, days_silent=14)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **SILENT)
    watcher.follow()
    world.pass_time(hours=1)
    world.arrives(globex, "user.logged_in", at=world.now - timedelta(days=2))
    world.computed(globex, days_silent=2)
    watcher.follow()
    assert world.alerts() == [("account_silent", "withdrawn", "refuted-by-late-data")]
    assert [(c["status"], c["resolution"]) for c in world.cases()] == [("resolved", "withdrawn")]
    assert world.notices() == ["case.opened", "alert.withdrawn"]


def test_a_silence_that_ends_is_resolved_not_withdrawn(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex, days_silent=14)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **SILENT)
    watcher.follow()
    world.pass_time(hours=1)
    world.arrives(globex, "user.logged_in")
    world.computed(globex, days_silent=0)
    watcher.follow()
    assert world.alerts() == [("account_silent", "resolved", "recovered")]
    assert world.notices() == ["case.opened"]


def test_a_fall_that_late_events_refute_is_withdrawn_though_people_work(
    world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **FALLEN)
    watcher.follow()
    world.pass_time(hours=1)
    world.arrives(globex, "user.logged_in", at=world.now - timedelta(days=3), count=50)
    world.arrives(globex, "user.logged_in", count=3)
    world.computed(globex, **HEALTHY)
    watcher.follow()
    assert world.alerts() == [("usage_fell", "withdrawn", "refuted-by-late-data")]


def test_a_feed_with_a_gap_is_made_up_for_by_looking_at_every_account(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(hours=2)
    world.complains(globex)
    world.connection.execute("delete from engine.change")
    watcher.follow()
    assert world.notices() == ["case.opened"]


def test_rules_are_replayed_when_nothing_else_is_to_be_done(world: World, watcher: Watcher) -> None:
    """A replay takes a core, and half a past says nothing."""
    world.drained()
    assert is_settled(watcher.ledger)
    world.progress(stamped=world.now - timedelta(minutes=1))
    assert not is_settled(watcher.ledger), "events wait"
    world.drained()
    load = world.begin_load()
    assert not is_settled(watcher.ledger), "a load runs"
    world.end_load(load)
    assert not is_settled(watcher.ledger), "a load is not swept through"
    world.drained()
    watcher.follow()
    assert is_settled(watcher.ledger)
