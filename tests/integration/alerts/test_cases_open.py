"""What happens now opens a case, once, and people are told once."""

from collections.abc import Callable
from decimal import Decimal

from psycopg.types.json import Jsonb
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import COMPLAINING, FALLEN, HEALTHY, SECRET, SILENT, World

from common.auth.store import ensure_tenant
from common.catalogue import loading
from common.catalogue.alerting import Alerting, Paging
from common.catalogue.models import Receiver, Routing

TEAM = Receiver(name="team", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
RULES = loading.load(loading.base_pack()).rules


def test_a_rise_of_complaints_opens_a_case_and_tells_the_team(world: World, watcher: Watcher) -> None:
    globex = world.account("globex", name="Globex", owner="dana")
    world.computed(globex)
    watcher.follow()
    world.complains(globex)
    watcher.follow()
    assert [(c["account"], c["status"], c["origin"], c["severity"]) for c in world.cases()] == [
        ("globex", "open", "live", "critical")
    ]
    assert world.alerts() == [("complaints_rose", "firing", "crossed")]
    assert world.notices() == ["case.opened"]


def test_complaints_in_an_accounts_very_first_batch_open_a_case(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.complains(globex)
    watcher.follow()
    assert world.notices() == ["case.opened"]


def test_what_was_applied_before_an_event_judges_it_however_lately_it_was_looked_for(
    world: World, new_watcher: Callable[..., Watcher]
) -> None:
    watcher = new_watcher(trust_seconds=3600)
    tenant = ensure_tenant(world.connection, "newcomer")
    assert watcher.ledger.definitions(tenant) is None
    world.tenant("newcomer", TEAM)
    globex = world.account("globex", tenant_id=tenant)
    world.complains(globex)
    watcher.follow()
    assert world.notices() == ["case.opened"]
    grumbling = RULES["complaints_rose"].model_copy(update={"name": "grumbling"})
    world.apply("newcomer", Routing(receivers=(TEAM,)), rules={"grumbling": grumbling})
    world.complains(world.account("initech", tenant_id=tenant))
    watcher.follow()
    assert world.alerts()[1:] == [("grumbling", "firing", "crossed")]


def test_a_signal_that_goes_on_opens_a_case_and_keeps_it_while_nothing_can_be_said(
    world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")

    def said(**signal: object) -> None:
        world.connection.execute(
            "update engine.account_state set signals = %s where account_id = %s",
            (Jsonb({"invoice_failed": signal}), globex),
        )
        world.computed(globex)
        watcher.follow()

    said(state="off", value=0)
    world.arrives(globex, "invoice.failed")
    failed_at = world.now.isoformat()
    said(state="on", value=1, since=failed_at)
    assert world.notices() == [], "most are paid at the next attempt"
    world.pass_time(days=7)
    said(state="on", value=1, since=failed_at)
    assert world.alerts() == [("invoice_failed", "firing", "crossed")]
    assert world.rows("select evidence from alerts.alert") == [("1 invoice not collected.",)]
    said(state="stale", why="source-quiet")
    assert world.rows("select state, no_data_since = %s from alerts.alert", world.now) == [("firing", True)]
    assert world.notices() == ["case.opened"]


def test_silence_opens_a_case_when_the_clock_crosses(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex, days_silent=14)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **SILENT)
    watcher.follow()
    assert world.alerts() == [("account_silent", "firing", "crossed")]
    assert world.notices() == ["case.opened"]


def test_a_second_rule_makes_the_same_case_worse(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **FALLEN)
    watcher.follow()
    world.complains(globex)
    watcher.follow()
    assert [(c["status"], c["severity"]) for c in world.cases()] == [("open", "critical")]
    assert world.notices() == ["case.opened", "case.worsened"]


def test_more_of_the_same_tells_nobody_again(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.complains(globex)
    watcher.follow()
    world.arrives(globex, "complaint.filed")
    world.computed(globex, complaints_7d=5)
    watcher.follow()
    assert world.notices() == ["case.opened"]


def test_an_unknown_figure_neither_fires_nor_heals(world: World, watcher: Watcher) -> None:
    globex, initech = world.account("globex"), world.account("initech")
    world.computed(globex, initech)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **FALLEN)
    world.computed(initech, **FALLEN | {"login_trend": None})
    watcher.follow()
    assert [c["account"] for c in world.cases()] == ["globex"]
    world.pass_time(days=1)
    world.computed(globex, login_trend=None, login_trend_vs_segment=None)
    watcher.follow()
    world.pass_time(days=3)
    watcher.follow()
    assert world.alerts() == [("usage_fell", "firing", "crossed")]
    assert world.rows("select no_data_since is not null from alerts.v_alert") == [(True,)]


def test_recovery_closes_the_case_after_the_rule_s_time_and_tells_only_who_asked(
    world: World, watcher: Watcher
) -> None:
    curious = Receiver(
        name="curious",
        kind="webhook",
        url="http://127.0.0.1:9/",
        secret=SECRET,
        events=("case.opened", "case.resolved"),
    )
    world.apply("acme", Routing(receivers=(TEAM, curious)))
    globex = world.account("globex")
    world.complains(globex)
    watcher.follow()
    world.pass_time(days=7)
    world.computed(globex, complaints_7d=0)
    watcher.follow()
    assert [c["status"] for c in world.cases()] == ["open"]
    world.pass_time(hours=1)
    watcher.follow()
    assert [(c["status"], c["resolution"]) for c in world.cases()] == [("resolved", "recovered")]
    sent = world.rows("select receiver, type from alerts.notification order by seq")
    assert sorted(sent) == [("curious", "case.opened"), ("curious", "case.resolved"), ("team", "case.opened")]


def test_an_account_that_flaps_is_one_case_and_one_notice(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    for _ in range(30):
        world.arrives(globex, "complaint.filed")
        world.computed(globex, **COMPLAINING)
        watcher.follow()
        world.pass_time(minutes=1)
        world.computed(globex, **HEALTHY)
        watcher.follow()
        world.pass_time(minutes=1)
    assert len(world.cases()) == 1
    assert world.notices() == ["case.opened"]


def test_a_closed_account_is_left_alone(world: World, watcher: Watcher) -> None:
    globex = world.account("globex", closed=True)
    world.computed(globex, days_silent=14)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **SILENT)
    watcher.follow()
    assert world.cases() == []


def test_a_rule_that_is_removed_ends_its_alerts(world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.complains(globex)
    watcher.follow()
    world.apply("acme", Routing(), rules={})
    world.computed(globex)
    watcher.follow()
    assert world.alerts() == [("complaints_rose", "resolved", "rule-removed")]
    assert [c["status"] for c in world.cases()] == ["resolved"]


def test_a_rule_that_only_watches_is_recorded_and_tells_nobody_until_it_is_switched_on(
    world: World, watcher: Watcher
) -> None:
    rule = RULES["complaints_rose"]
    world.apply(
        "acme",
        Routing(receivers=(TEAM,)),
        rules={rule.name: rule.model_copy(update={"mode": "shadow"})},
    )
    globex = world.account("globex")
    world.complains(globex)
    watcher.follow()
    assert world.alerts() == [("complaints_rose", "firing", "crossed")]
    assert (world.cases(), world.notices()) == ([], [])
    world.apply("acme", Routing(receivers=(TEAM,)), rules={rule.name: rule})
    world.complains(globex)
    watcher.follow()
    assert sorted(state for _, state, _ in world.alerts()) == ["firing", "resolved"]
    assert world.notices() == ["case.opened"]
    world.apply(
        "acme",
        Routing(receivers=(TEAM,)),
        rules={rule.name: rule.model_copy(update={"mode": "shadow"})},
    )
    world.complains(globex)
    watcher.follow()
    assert [case["status"] for case in world.cases()] == ["resolved"]
    modes = world.rows("select mode, state from alerts.alert order by since_at, id")
    assert modes == [("shadow", "resolved"), ("live", "resolved"), ("shadow", "firing")]


def test_a_limit_that_is_set_later_makes_a_case_graver_and_tells_nobody_again(
    world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(days=1)
    world.renews(globex, (900, 0.6, 30))
    world.computed(globex, mrr=900, **FALLEN)
    watcher.follow()
    assert [case["severity"] for case in world.cases()] == ["warning"]
    limit = Paging(above=Decimal(1000), within_days=60)
    world.apply("acme", Routing(receivers=(TEAM,)), alerting=Alerting(page=limit))
    for _ in range(2):
        world.pass_time(minutes=2)
        watcher.follow()
    assert [case["severity"] for case in world.cases()] == ["critical"]
    assert world.notices() == ["case.opened"]


def test_a_condition_must_hold_for_its_pending_time(world: World, watcher: Watcher) -> None:
    rule = RULES["usage_fell"].model_copy(update={"mode": "live", "pending_seconds": 3600})
    world.apply("acme", Routing(receivers=(TEAM,)), rules={"usage_fell": rule})
    globex, initech = world.account("globex"), world.account("initech")
    world.computed(globex, initech)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, initech, **FALLEN)
    watcher.follow()
    assert world.cases() == []
    world.pass_time(minutes=30)
    world.computed(initech, **HEALTHY)
    watcher.follow()
    world.pass_time(minutes=30)
    watcher.follow()
    assert [case["account"] for case in world.cases()] == ["globex"]


def test_definitions_that_can_t_be_used_leave_the_former_ones_in_force(
    world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    broken = RULES["complaints_rose"].model_copy(update={"evidence": "{complaints_7d"})
    world.apply("acme", Routing(receivers=(TEAM,)), rules={"complaints_rose": broken})
    world.complains(globex)
    watcher.follow()
    assert world.notices() == ["case.opened"]
