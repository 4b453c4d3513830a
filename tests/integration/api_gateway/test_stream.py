import base64
import contextlib
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.integration.api_gateway.listening import Listening
from tests.integration.api_gateway.world import ROOT, Served, Tenant, World, serving

from common import catalogue
from common.testing import wait_until


def listening(gateway: Served, tenant: Tenant, topics: str = "accounts", last_id: str = "") -> Listening:
    headers = {**tenant.headers(), **({"Last-Event-ID": last_id} if last_id else {})}
    return Listening(f"{gateway.url}/v1/stream?topics={topics}", headers)


def names(account_id: str) -> Any:
    return lambda data: account_id in [row["id"] for row in data["accounts"]]


def events_are(count: int) -> Any:
    return lambda data: any(one["metric"] == "events" and one["value"] == count for one in data["metrics"])


def test_a_changed_account_is_named_with_its_figures(world: World, ours: Tenant, gateway: Served) -> None:
    row = world.account(ours, "acme", mrr="10")
    with listening(gateway, ours) as client:
        client.wait_for("ready")
        world.change(ours, [row], mrr="20.5")
        heard = client.wait_for("accounts", names("acme"))
        assert heard.id
        assert heard.data["accounts"][0]["mrr"] == "20.50"


def test_an_account_first_seen_while_listening_is_named_too(
    world: World, ours: Tenant, gateway: Served
) -> None:
    with listening(gateway, ours) as client:
        client.wait_for("ready")
        world.change(ours, [world.account(ours, "brand new")])
        assert client.wait_for("accounts", names("brand new"))


def test_many_accounts_are_spread_over_messages_that_name_every_one(
    world: World, ours: Tenant, gateway: Served
) -> None:
    rows = [world.account(ours, f"a{number}") for number in range(250)]
    with listening(gateway, ours) as client:
        client.wait_for("ready")
        world.change(ours, rows)
        client.wait_for("accounts", names("a99"))
        told = wait_until(
            lambda: (
                [r["id"] for m in client.heard if m.event == "accounts" for r in m.data["accounts"]][249:]
                and client.heard
            ),
            60,
            "every account to be named",
        )
        assert {r["id"] for m in told if m.event == "accounts" for r in m.data["accounts"]} == {
            f"a{number}" for number in range(250)
        }


@pytest.mark.parametrize("missed", [False, True], ids=["live", "resumed"])
def test_of_very_many_accounts_those_with_new_figures_bring_them_and_the_others_are_named(
    world: World, ours: Tenant, gateway: Served, missed: bool
) -> None:
    rows = [world.account(ours, f"a{number}") for number in range(600)]
    with listening(gateway, ours) as client:
        opened = client.wait_for("ready").id
        if not missed:
            world.change(ours, rows, computed=rows[580:])
            wait_until(lambda: "a579" in repr(client.heard), 60, "the last account to be named")
    if missed:
        world.change(ours, rows, computed=rows[580:])
        with listening(gateway, ours, last_id=opened) as client:
            client.wait_for("ready")
    told = {r["id"]: r for m in client.heard if m.event == "accounts" for r in m.data["accounts"]}
    assert len(told) == 600
    assert {number for number in range(600) if "figures" in told[f"a{number}"]} == set(range(580, 600))
    assert told["a0"] == {"id": "a0"}


@pytest.mark.parametrize("others", [0, 600])
@pytest.mark.parametrize("missed", [False, True], ids=["live", "resumed"])
def test_an_account_of_which_nothing_is_left_is_told_to_be_gone(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served, missed: bool, others: int
) -> None:
    """Who follows the stream alone must not keep an account that no list shows any more."""
    rows = [world.account(ours, f"a{number}") for number in range(others)]
    mistyped, foreign = world.account(ours, "mistyped"), world.account(theirs, "foreign")
    with listening(gateway, ours) as client:
        opened = client.wait_for("ready").id
        if not missed:
            world.goes(mistyped, foreign)
            world.change(ours, [*rows, mistyped])
            client.wait_for("accounts", names("mistyped"))
    if missed:
        world.goes(mistyped, foreign)
        world.change(ours, [*rows, mistyped])
        with listening(gateway, ours, last_id=opened) as client:
            client.wait_for("ready")
    told = [r for m in client.heard if m.event == "accounts" for r in m.data["accounts"]]
    assert [r for r in told if "gone" in r] == [{"id": "mistyped", "gone": True}]
    assert len(told) == others + 1


def test_nobody_hears_of_another_tenant(world: World, ours: Tenant, theirs: Tenant, gateway: Served) -> None:
    mine, foreign = world.account(ours, "mine"), world.account(theirs, "foreign")
    with listening(gateway, ours, "accounts,metrics,alerts") as client:
        client.wait_for("ready")
        world.change(theirs, [foreign])
        world.case(theirs, foreign)
        world.change(ours, [mine])
        client.wait_for("accounts", names("mine"))
        assert "foreign" not in repr(client.heard)


def test_a_client_that_comes_back_is_told_everything_since(
    world: World, ours: Tenant, gateway: Served
) -> None:
    rows = {name: world.account(ours, name, partition=number % 3) for number, name in enumerate("abcdef")}
    with listening(gateway, ours) as client:
        client.wait_for("ready")
        world.change(ours, [rows["a"]], partition=0)
        last = client.wait_for("accounts", names("a")).id
    world.change(ours, [rows["b"]], partition=1)
    world.change(ours, [rows["c"], rows["a"]], partition=2)
    with listening(gateway, ours, last_id=last) as client:
        assert client.wait_for("ready").data == {"resumed": True}
        told = {
            row["id"]
            for message in client.heard
            if message.event == "accounts"
            for row in message.data["accounts"]
        }
        assert told == {"a", "b", "c"}
        world.change(ours, [rows["f"]], partition=0)
        client.wait_for("accounts", names("f"))


def test_a_restarted_gateway_resumes_its_clients(world: World, ours: Tenant) -> None:
    row = world.account(ours, "acme")
    world.change(ours, [row])
    with serving(world.url) as first, listening(first, ours) as client:
        last = client.wait_for("ready").id
    world.change(ours, [row])
    with serving(world.url) as second, listening(second, ours, last_id=last) as client:
        assert client.wait_for("ready").data == {"resumed": True}
        client.wait_for("accounts", names("acme"))


def test_a_client_that_was_away_too_long_is_reset(world: World, ours: Tenant, gateway: Served) -> None:
    row = world.account(ours, "acme")
    world.change(ours, [row])
    with listening(gateway, ours) as client:
        last = client.wait_for("ready").id
    newest = [world.change(ours, [row]) for _ in range(3)][-1]
    with world.connect() as connection:
        connection.execute("delete from engine.change where partition = 0 and batch_no < %s", (newest,))
    # Who is reset is sent to where the gateway is, and that is to be something that is kept.
    wait_until(lambda: _told_up_to(gateway) >= newest, 60, "the gateway to have read the newest change")
    with listening(gateway, ours, last_id=last) as client:
        reset = client.wait_for("reset")
        assert reset.data["reason"] == "too-old"
        world.change(ours, [row])
        client.wait_for("accounts", names("acme"))
    with listening(gateway, ours, last_id=reset.id) as client:
        assert client.wait_for("ready").data == {"resumed": True}


def _told_up_to(gateway: Served) -> int:
    position = gateway.gateway.hub.position
    return 0 if position is None else position.batches.get(0, 0)


def _garbage(ours_id: str) -> list[str]:
    whole = base64.urlsafe_b64decode(ours_id + "=" * (-len(ours_id) % 4)).decode()
    version, owner, batches, cases = whole.split("|")
    changed = [
        f"{version}|{owner}|0:99999999999999999999|{cases}",
        f"{version}|{owner}|{batches}|-1",
        f"2|{owner}|{batches}|{cases}",
        f"{version}|{owner}|x:y|0",
    ]
    return [
        "garbage",
        "%%%",
        "0:1,1:2",
        "A" * 9000,
        "-1",
        *(base64.urlsafe_b64encode(text.encode()).decode() for text in changed),
    ]


def test_a_foreign_or_damaged_position_is_reset(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    world.change(ours, [world.account(ours, "acme")])
    with listening(gateway, ours) as client:
        mine = client.wait_for("ready").id
    for tenant, last in [(theirs, mine), *((ours, text) for text in _garbage(mine))]:
        with listening(gateway, tenant, last_id=last) as client:
            assert client.wait_for("reset").data["reason"] == "unknown", last[:50]


def test_changed_cases_are_told_and_replayed(world: World, ours: Tenant, gateway: Served) -> None:
    row = world.account(ours, "acme")
    with listening(gateway, ours, "alerts") as client:
        first = client.wait_for("ready").id
        world.case(ours, row, "critical", words="logins fell by half")
        heard = client.wait_for("alerts")
        assert (heard.data["alerts"][0]["account"], heard.data["alerts"][0]["summary"]) == (
            "acme",
            "logins fell by half",
        )
    with listening(gateway, ours, "alerts", last_id=first) as client:
        client.wait_for("alerts")


def test_figures_are_told_at_once_and_then_at_most_once_a_second(
    world: World, ours: Tenant, gateway: Served
) -> None:
    row, now = world.account(ours, "acme"), datetime.now(UTC)
    world.count(ours, row, "events", now, 1)
    with listening(gateway, ours, "metrics") as client:
        client.wait_for("metrics", events_are(1))
        started = time.monotonic()
        for _ in range(20):
            world.count(ours, row, "events", now, 1)
            world.change(ours, [row])
        client.wait_for("metrics", events_are(21))
        told = [message for message in client.heard if message.event == "metrics"]
        assert len(told) <= 2 + (time.monotonic() - started)


def test_who_listens_already_is_told_what_was_computed_for_one_who_came(
    world: World, ours: Tenant, gateway: Served
) -> None:
    """A page that is opened computes figures; those whose change it met first must reach the pages that were open."""
    row, now = world.account(ours, "acme"), datetime.now(UTC)
    world.count(ours, row, "events", now, 1)
    began = time.monotonic()
    with listening(gateway, ours, "metrics") as open_before:
        open_before.wait_for("metrics", events_are(1))
        for count in range(2, 12):
            world.count(ours, row, "events", now, 1)
            world.change(ours, [row])
            with listening(gateway, ours, "metrics") as coming:
                coming.wait_for("metrics", events_are(count))
        open_before.wait_for("metrics", events_are(11), 20)
    # Once a minute figures are told anyway; that is not what is waited for here.
    assert time.monotonic() - began < 50


def said(figure: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(figure[name] for name in ("value", "reason", "proxy_of", "censored", "unit", "complete"))


def test_a_figure_of_the_stream_says_what_an_answer_says_of_it(
    world: World, ours: Tenant, gateway: Served
) -> None:
    """Why it is unknown too: a page that shows both must not explain one of them alone."""
    row = world.account(ours, "acme")
    with world.connect() as connection:
        connection.execute(
            "insert into engine.mrr_change (tenant_id, account_id, currency, at, delta) values (%s, %s, 'SEK', now() - interval '3 days', 90)",
            (ours.id, row),
        )
    with listening(gateway, ours, "metrics") as client:
        told = client.wait_for("metrics").data["metrics"]
    unknown = {one["metric"]: said(one) for one in told if one["reason"]}
    assert unknown
    today = datetime.now(UTC).date()
    question = {"from": f"{today}", "to": f"{today + timedelta(days=1)}", "grain": "day"}
    answer = gateway.post("/v1/query", ours, {"metrics": sorted(unknown), **question}).json()
    assert {one["metric"]: said(one) for one in answer["data"]} == unknown


def test_definitions_that_come_into_force_are_told_though_nothing_happens(
    world: World, ours: Tenant, gateway: Served
) -> None:
    """A client is patient for a minute; without news figures are told once in that time."""
    base = catalogue.load(ROOT / "catalogue")
    more = base.metrics["events"].model_copy(update={"name": "late"})
    began = time.monotonic()
    with listening(gateway, ours, "metrics") as client:
        client.wait_for("metrics")
        with world.connect() as connection:
            catalogue.apply(
                connection, ours.slug, base.model_copy(update={"metrics": {**base.metrics, "late": more}})
            )
        client.wait_for("metrics", lambda data: any(one["metric"] == "late" for one in data["metrics"]))
    assert time.monotonic() - began < 30


def test_a_stream_ends_soon_after_its_key_is_revoked(world: World, ours: Tenant, gateway: Served) -> None:
    with listening(gateway, ours) as client:
        client.wait_for("ready")
        with world.connect() as connection:
            connection.execute(
                "update control.api_key set revoked_at = now() where tenant_id = %s", (ours.id,)
            )
        wait_until(lambda: client.ended, 30, "the stream to end")


def test_clients_that_never_read_are_dropped_and_hold_up_nobody(world: World, ours: Tenant) -> None:
    # Large states fill the sockets' buffers soon.
    rows = [world.account(ours, f"a{number}", figures={"padding": "x" * 2_000}) for number in range(100)]
    with (
        serving(world.url, stream_queue=8, stream_send_seconds=0.5) as gateway,
        contextlib.ExitStack() as sockets,
    ):
        address = urlsplit(gateway.url)
        for _ in range(50):
            idle = sockets.enter_context(socket.create_connection((address.hostname, address.port)))
            idle.sendall(
                f"GET /v1/stream?topics=accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ours.keys['read']}\r\n\r\n".encode()
            )
        wait_until(lambda: gateway.gateway.hub.size == 50, 60, "50 streams")
        with listening(gateway, ours) as reader:
            reader.wait_for("ready")

            def told() -> bool:
                before = len(reader.heard)
                world.change(ours, rows)
                wait_until(lambda: len(reader.heard) > before, 60, "the reader to be told")
                return gateway.gateway.hub.size == 1

            wait_until(told, 60, "the idle clients to be dropped")
            assert not reader.ended


def test_a_key_may_open_so_many_streams_and_no_more(world: World, ours: Tenant) -> None:
    with (
        serving(world.url, streams_per_key=2) as gateway,
        listening(gateway, ours) as one,
        listening(gateway, ours),
    ):
        one.wait_for("ready")
        answer = gateway.get("/v1/stream", ours)
        assert (answer.status_code, answer.json()["code"]) == (429, "too-many-streams")
        assert answer.headers["retry-after"]


@pytest.mark.parametrize("topics", ["", "nothing", "accounts,", "accounts,other"])
def test_unknown_topics_are_refused(ours: Tenant, gateway: Served, topics: str) -> None:
    answer = gateway.client.get("/v1/stream", params={"topics": topics}, headers=ours.headers("ingest"))
    assert answer.status_code == 403
    if topics != "accounts,":
        answer = gateway.client.get("/v1/stream", params={"topics": topics}, headers=ours.headers())
        assert (answer.status_code, answer.json()["code"]) == (400, "topics-unknown")
