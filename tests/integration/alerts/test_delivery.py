"""From the outbox to real receivers: retries by the clock, leases, receivers that are gone, resending."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from standardwebhooks.webhooks import Webhook
from tests.contract.channels.stations import Station, hanging, http_answering, smtp, station
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import SECRET, World

from alerts.adapters.casebook import PostgresCasebook
from alerts.adapters.email import EmailChannel, MailServer
from alerts.adapters.outbox import LEASE, PostgresOutbox
from alerts.adapters.pagerduty import PagerDutyChannel
from alerts.adapters.slack import SlackChannel
from alerts.adapters.web import Web
from alerts.adapters.webhook import WebhookChannel
from alerts.app import new_id
from alerts.domain.retries import MAX_ATTEMPTS, WAITS
from alerts.metrics import Metrics
from alerts.use_cases.deliver import Deliverer
from alerts.use_cases.desk import Actor, Desk
from alerts.use_cases.post import Post
from common.catalogue.models import Receiver, Routing
from common.db.pool import Pool, open_pool
from common.testing import wait_until

GATEWAY = "http://gateway.example"


@pytest.fixture
def pool(world: World) -> Iterator[Pool]:
    made = open_pool(world.url, "test", max_size=6)
    yield made
    made.close()


@pytest.fixture
def outbox(pool: Pool) -> PostgresOutbox:
    return PostgresOutbox(pool, {"ALERTS_SECRET_TEAM": SECRET, "DATABASE_URL": SECRET}, GATEWAY)


@pytest.fixture
def deliver(world: World, outbox: PostgresOutbox) -> Callable[..., None]:
    """Delivers until nothing is due at this instant."""

    def until_nothing_is_due(mail_port: int = 1, timeout_seconds: float = 60.0) -> None:
        async def work() -> None:
            web = Web(world.clock, timeout_seconds=timeout_seconds)
            channels = {
                "webhook": WebhookChannel(web),
                "slack": SlackChannel(web),
                "pagerduty": PagerDutyChannel(web),
                "email": EmailChannel(
                    MailServer("127.0.0.1", mail_port, "none", None, None, "alerts@example.com")
                ),
            }
            deliverer = Deliverer(
                outbox, channels, world.clock, Metrics(CollectorRegistry()), random.Random(1)
            )
            stop = asyncio.Event()
            running = asyncio.create_task(deliverer.run(stop))
            await asyncio.to_thread(wait_until, lambda: not _due(world), 60, "an outbox with nothing due")
            stop.set()
            deliverer.wake()
            await running

        asyncio.run(work())

    return until_nothing_is_due


def _due(world: World) -> list[tuple[object, ...]]:
    return world.rows(
        "select id from alerts.notification where status = 'pending' and next_attempt_at <= %s", world.now
    )


def _team(port: int, name: str = "team") -> Receiver:
    return Receiver(
        name=name, kind="webhook", url=f"http://127.0.0.1:{port}/hook", secret=SECRET, allow_private=True
    )


def _complain(world: World, watcher: Watcher, name: str = "globex") -> None:
    account = world.account(name, name=name.title())
    world.complains(account)
    watcher.follow()


def _log(world: World) -> list[tuple[object, ...]]:
    return world.rows("select outcome, reason from alerts.attempt order by notification_id, number")


def test_a_case_reaches_the_receiver_signed_and_says_what_matters(
    world: World, watcher: Watcher, deliver: Callable[..., None]
) -> None:
    with station(http_answering(200)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        _complain(world, watcher)
        deliver()
        (request,) = receiver.requests
    # The library checks the time against the machine's clock, which is not the test's: only the signature counts here.
    signed = Webhook(SECRET).sign(request.headers["webhook-id"], world.now, request.body.decode())
    assert request.headers["webhook-signature"] == signed
    assert b'"type":"case.opened"' in request.body
    assert b"4 complaints in the last 7 days" in request.body
    assert len(request.body) < 20_000
    assert world.rows("select status from alerts.notification") == [("delivered",)]


def test_the_same_notice_goes_by_mail(world: World, watcher: Watcher, deliver: Callable[..., None]) -> None:
    with station(smtp()) as mailbox:
        world.apply("acme", Routing(receivers=(Receiver(name="team", kind="email", to="team@example.com"),)))
        _complain(world, watcher)
        deliver(mailbox.port)
        assert b"[critical] Globex needs attention" in mailbox.letters[0]


def test_a_failing_receiver_is_tried_ten_times_over_three_days_then_disabled_and_said_so(
    world: World, watcher: Watcher, deliver: Callable[..., None]
) -> None:
    with station(http_answering(500)) as bad, station(http_answering(200)) as good:
        world.apply("acme", Routing(receivers=(_team(bad.port, "bad"), _team(good.port, "good"))))
        _complain(world, watcher)
        began, waits = world.now, []
        deliver()
        while due := world.rows(
            "select min(next_attempt_at) from alerts.notification where status = 'pending'"
        )[0][0]:
            waits.append(due - world.now)
            world.clock.advance(due - world.now)
            deliver()
        assert len(bad.requests) == MAX_ATTEMPTS
        assert len({request.headers["webhook-id"] for request in bad.requests}) == 1
        assert all(wait <= actual <= wait * 1.1 for wait, actual in zip(WAITS, waits, strict=True))
        assert timedelta(days=3) < world.now - began < timedelta(days=4)
        assert b"receiver.disabled" in good.requests[-1].body
    disabled = world.rows("select name, disabled_reason from alerts.receiver where disabled_at is not null")
    assert disabled == [("bad", "never-reached")]


def test_patience_that_a_receiver_asks_for_is_given(
    world: World, watcher: Watcher, deliver: Callable[..., None]
) -> None:
    with station(http_answering(429, "retry-after: 3600")) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        _complain(world, watcher)
        deliver()
    (due,) = world.rows("select next_attempt_at from alerts.notification")[0]
    assert due - world.now == timedelta(hours=1)


def test_a_receiver_that_is_gone_is_disabled_at_once_and_what_it_misses_is_kept_for_it(
    world: World, watcher: Watcher, deliver: Callable[..., None], pool: Pool
) -> None:
    with station(http_answering(410)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        _complain(world, watcher)
        deliver()
        _complain(world, watcher, "initech")
        deliver()
        assert len(receiver.requests) == 1
    missed = world.rows("select id, status, reason from alerts.notification order by seq")
    assert [tuple(told) for _, *told in missed] == [
        ("failed", "receiver-gone"),
        ("failed", "receiver-disabled"),
    ]
    assert world.rows("select disabled_reason from alerts.receiver") == [("receiver-gone",)]
    assert world.rows("select kind from alerts.action where case_id is null") == [("receiver-disabled",)]
    with station(http_answering(200)) as mended:
        world.apply("acme", Routing(receivers=(_team(mended.port),)))
        _complain(world, watcher, "hooli")
        PostgresCasebook(pool).resend(world.tenant_id, missed[1][0], world.now)
        deliver()
        assert missed[1][0] in [request.headers["webhook-id"] for request in mended.requests]


def test_a_receiver_that_hangs_does_not_hold_up_another(
    world: World, watcher: Watcher, deliver: Callable[..., None]
) -> None:
    with station(hanging()) as slow, station(http_answering(200)) as quick:
        world.apply("acme", Routing(receivers=(_team(slow.port, "slow"), _team(quick.port, "quick"))))
        for name in ("globex", "initech", "hooli"):
            _complain(world, watcher, name)
        deliver(timeout_seconds=3)
        assert len(quick.requests) == 3
        assert {reason for _, reason in _log(world)} == {"timed-out", "delivered"}


def test_a_crash_between_delivery_and_its_mark_repeats_under_the_same_id(
    world: World, watcher: Watcher, deliver: Callable[..., None], pool: Pool
) -> None:
    with station(http_answering(200)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        _complain(world, watcher)
        dying = PostgresOutbox(pool, {}, GATEWAY)
        (claimed,) = dying.claim(world.now, 10, [])
        asyncio.run(WebhookChannel(Web(world.clock)).deliver(claimed.delivery))
        deliver_nothing = world.rows("select id from alerts.notification where lease_until <= %s", world.now)
        assert deliver_nothing == [], "nobody else has it while the lease runs"
        world.clock.advance(LEASE)
        deliver()
        ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert ids == [claimed.delivery.id] * 2


def test_a_worker_that_lost_its_lease_undoes_nothing(
    world: World, watcher: Watcher, pool: Pool, deliver: Callable[..., None]
) -> None:
    from alerts.domain.retries import Outcome
    from alerts.ports.channel import Receipt
    from alerts.ports.outbox import Verdict

    with station(http_answering(200)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        _complain(world, watcher)
        slow = PostgresOutbox(pool, {}, GATEWAY)
        (claimed,) = slow.claim(world.now, 10, [])
        world.clock.advance(LEASE)
        deliver()
        later = world.now + timedelta(hours=1)
        slow.settle([(claimed, Verdict(Receipt(Outcome.RETRY, "timed-out"), world.now, later))])
    assert world.rows("select status from alerts.notification") == [("delivered",)]


def test_sending_again_keeps_the_id_and_starts_a_new_schedule(
    world: World, watcher: Watcher, deliver: Callable[..., None], pool: Pool
) -> None:
    with station(http_answering(200)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        _complain(world, watcher)
        deliver()
        (notice,) = world.rows("select id from alerts.notification")[0]
        PostgresCasebook(pool).resend(world.tenant_id, notice, world.now)
        deliver()
        assert [request.headers["webhook-id"] for request in receiver.requests] == [notice, notice]
    assert world.rows("select attempts, round from alerts.notification") == [(2, 1)]


def test_secrets_come_from_variables_made_for_that_and_from_no_others(
    world: World, watcher: Watcher, deliver: Callable[..., None]
) -> None:
    with station(http_answering(200)) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/"
        good = Receiver(
            name="good", kind="webhook", url=url, secret_env="ALERTS_SECRET_TEAM", allow_private=True
        )
        greedy = Receiver(
            name="greedy", kind="webhook", url=url, secret_env="DATABASE_URL", allow_private=True
        )
        world.apply("acme", Routing(receivers=(good, greedy)))
        _complain(world, watcher)
        deliver()
        assert len(receiver.requests) == 1
    assert sorted(_log(world)) == [("delivered", "delivered"), ("refused", "receiver-misconfigured")]


def test_no_secret_is_logged(
    world: World, watcher: Watcher, deliver: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    with station(http_answering(410)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        _complain(world, watcher)
        deliver()
    captured = capfd.readouterr()
    assert "receiver_disabled" in captured.out + captured.err
    assert SECRET not in captured.out + captured.err
    stored = world.rows("select a::text from alerts.attempt a union all select a::text from alerts.action a")
    assert not any(SECRET in text for (text,) in stored)


def test_two_workers_share_the_outbox_without_doing_anything_twice(
    world: World, watcher: Watcher, pool: Pool
) -> None:
    def work(outbox: PostgresOutbox, receiver: Station) -> Deliverer:
        channels = {"webhook": WebhookChannel(Web(world.clock))}
        assert receiver.port
        return Deliverer(outbox, channels, world.clock, Metrics(CollectorRegistry()), random.Random(1))

    async def both(receiver: Station) -> None:
        stop = asyncio.Event()
        workers = [work(PostgresOutbox(pool, {}, GATEWAY), receiver) for _ in range(2)]
        running = [asyncio.create_task(worker.run(stop)) for worker in workers]
        await asyncio.to_thread(wait_until, lambda: not _due(world), 60, "an empty outbox")
        stop.set()
        await asyncio.gather(*running)

    with station(http_answering(200)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        for number in range(30):
            _complain(world, watcher, f"account-{number}")
        asyncio.run(both(receiver))
        ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(ids) == len(set(ids)) == 30


def _following(slack: Station, pagerduty: Station) -> Routing:
    """A channel of Slack and a service of PagerDuty, both standing in on this machine."""
    bot = Receiver(
        name="slack",
        kind="slack",
        url=f"http://127.0.0.1:{slack.port}",
        secret="xoxb-1-secret",
        channel="#cs",
        allow_private=True,
    )
    pager = Receiver(
        name="pager",
        kind="pagerduty",
        url=f"http://127.0.0.1:{pagerduty.port}",
        secret="R" * 32,
        allow_private=True,
    )
    return Routing(receivers=(bot, pager))


def _went_quiet(world: World, account: int) -> None:
    """Ann and Bob used it until three weeks ago, Eve still does; one of our own people stopped too."""
    world.rows(
        "insert into engine.measure (tenant_id, name) values (%s, 'active_users') on conflict do nothing returning 1",
        world.tenant_id,
    )  # fmt: skip
    for name, ago, internal in (
        ("Ann", 21, False),
        ("Bob", 30, False),
        ("Eve", 1, False),
        ("us@vendor", 21, True),
    ):
        world.rows(
            "with p as (insert into engine.person (tenant_id, account_id, name, is_internal) values (%s, %s, %s, %s) returning id) "
            "insert into engine.presence select %s, m.id, %s, p.id, %s::date - d from p, engine.measure m, generate_series(0, 4) d "
            "where m.tenant_id = %s and m.name = 'active_users' returning 1",
            world.tenant_id, account, name, internal, world.tenant_id, account, world.now - timedelta(days=ago), world.tenant_id,
        )  # fmt: skip


def test_slack_and_pagerduty_follow_a_case_from_its_opening_to_its_end(
    world: World, watcher: Watcher, deliver: Callable[..., None]
) -> None:
    posted = json.dumps({"ok": True, "channel": "C1", "ts": "1.5"}).encode()
    with station(http_answering(200, body=posted)) as slack, station(http_answering(202)) as pagerduty:
        world.apply("acme", _following(slack, pagerduty))
        globex = world.account("globex", name="Globex")
        _went_quiet(world, globex)
        world.complains(globex)
        watcher.follow()
        deliver()
        case = str(world.cases()[0]["id"])
        desk = Desk(new_id, Post(new_id, GATEWAY, Metrics(CollectorRegistry())))
        actor = Actor(world.tenant_id, "Dana", "key")
        desk.acknowledge(watcher.ledger, actor, case, None, world.now)
        deliver()
        desk.outcome(watcher.ledger, actor, case, "saved", None, None, world.now)
        deliver()
        said: list[dict[str, Any]] = [json.loads(request.body) for request in slack.requests]
        events: list[dict[str, Any]] = [json.loads(request.body) for request in pagerduty.requests]
    assert [request.line.split()[1].rpartition("/")[2] for request in slack.requests] == [
        "chat.postMessage",
        "chat.update",
        "chat.update",
    ]
    assert all((one["channel"], one["ts"]) == ("C1", "1.5") for one in said[1:])
    assert "Dana" in json.dumps(said[1])
    assert "The account was saved." in json.dumps(said[2])
    assert [(one["event_action"], one["dedup_key"]) for one in events] == [
        (a, case) for a in ("trigger", "acknowledge", "resolve")
    ]
    stopped = events[0]["payload"]["custom_details"]["Who stopped"]
    assert stopped == "Ann (last seen 9 February 2026), Bob (last seen 31 January 2026)"
    assert not world.rows("select 1 from alerts.notification where body like '%%Ann%%'"), (
        "names are kept nowhere"
    )
    assert "/v1/buttons/" in json.dumps(said[0])
    assert "/v1/buttons/" not in json.dumps(said[1:])


def test_an_end_waits_until_its_beginning_was_taken(
    world: World, watcher: Watcher, deliver: Callable[..., None], outbox: PostgresOutbox
) -> None:
    """Else PagerDuty would drop the end, and the incident that is opened later would never close."""
    with station(http_answering(503)) as slack, station(http_answering(503)) as pagerduty:
        world.apply("acme", _following(slack, pagerduty))
        _complain(world, watcher)
        deliver()
        desk = Desk(new_id, Post(new_id, GATEWAY, Metrics(CollectorRegistry())))
        desk.outcome(
            watcher.ledger,
            Actor(world.tenant_id, "Dana", "key"),
            str(world.cases()[0]["id"]),
            "saved",
            None,
            None,
            world.now,
        )
        assert len(world.notices()) == 4
        assert outbox.claim(world.now, 10, []) == []
        world.pass_time(seconds=10)
        assert [one.delivery.type for one in outbox.claim(world.now, 10, [])] == [
            "case.opened",
            "case.opened",
        ]


def test_an_account_that_flaps_is_told_of_once_each_time_and_never_under_an_old_id(
    world: World, watcher: Watcher, deliver: Callable[..., None]
) -> None:
    with station(http_answering(200)) as receiver:
        world.apply("acme", Routing(receivers=(_team(receiver.port),)))
        globex = world.account("globex", name="Globex")
        for _ in range(8):
            world.complains(globex)
            watcher.follow()
            world.computed(globex, complaints_7d=0, complaints_28d=0)
            watcher.follow()
            world.pass_time(hours=30)
            world.drained()
            watcher.follow()
        deliver()
        sent = [request.headers["webhook-id"] for request in receiver.requests]
    opened = world.rows("select case_id, id from alerts.notification where type = 'case.opened'")
    assert len({case for case, _ in opened}) == len(opened) >= 2, "damped or not, a case is told of once"
    assert len(sent) == len(set(sent))
    assert {notice for _, notice in opened} <= set(sent)
    assert world.rows("select count(*) from alerts.notification where status <> 'delivered'") == [(0,)]
