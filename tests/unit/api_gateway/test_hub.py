import asyncio

from api_gateway.use_cases.hub import Hub, Limits, Message

LIMITS = Limits(streams=3, streams_per_key=2, queue=4)
ALL = frozenset({"accounts", "alerts"})


def message(text: str, topic: str = "accounts") -> Message:
    return Message(topic, text.encode())


async def settle() -> None:
    """Let what was handed to the loop happen."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(done.set)
    await done.wait()


def test_messages_reach_those_of_the_tenant_who_listen_to_the_topic() -> None:
    async def run() -> None:
        hub = Hub(LIMITS)
        hub.attach(asyncio.get_running_loop())
        ours, theirs = hub.subscribe(1, "k1", ALL), hub.subscribe(2, "k2", ALL)
        only_alerts = hub.subscribe(1, "k1", frozenset({"alerts"}))
        assert ours
        assert theirs
        assert only_alerts
        hub.publish(1, [message("a"), message("b", "alerts")])
        await settle()
        assert await ours.take(0.01) == b"ab"
        assert await only_alerts.take(0.01) == b"b"
        assert await theirs.take(0.01) == b""

    asyncio.run(run())


def test_a_client_that_takes_nothing_is_ended_when_its_queue_is_full_and_others_go_on() -> None:
    async def run() -> None:
        hub = Hub(LIMITS)
        hub.attach(asyncio.get_running_loop())
        slow, quick = hub.subscribe(1, "k1", ALL), hub.subscribe(1, "k1", ALL)
        assert slow
        assert quick
        for number in range(10):
            hub.publish(1, [message(str(number))])
            await settle()
            assert await quick.take(0.01) == str(number).encode()
        assert slow.ended == "slow"
        assert quick.ended is None

    asyncio.run(run())


def test_streams_are_bounded_by_key_and_in_all_and_leaving_makes_room() -> None:
    hub = Hub(LIMITS)
    one, two = hub.subscribe(1, "k1", ALL), hub.subscribe(1, "k1", ALL)
    assert one
    assert two
    assert hub.subscribe(1, "k1", ALL) is None
    assert hub.subscribe(1, "k2", ALL)
    assert hub.subscribe(1, "k3", ALL) is None
    hub.unsubscribe(one)
    hub.unsubscribe(one)
    assert hub.size == 2
    assert hub.subscribe(1, "k3", ALL)


def test_nothing_is_watched_that_nobody_listens_to() -> None:
    hub = Hub(LIMITS)
    assert not hub.watched(1, "accounts")
    subscription = hub.subscribe(1, "k1", frozenset({"accounts"}))
    assert subscription
    assert hub.watched(1, "accounts")
    assert not hub.watched(1, "alerts")
    assert hub.watched_tenants("accounts") == [1]
    hub.unsubscribe(subscription)
    assert not hub.watched(1, "accounts")
    assert hub.watched_tenants("accounts") == []


def test_closing_ends_open_streams_and_those_to_come() -> None:
    async def run() -> None:
        hub = Hub(LIMITS)
        hub.attach(asyncio.get_running_loop())
        before = hub.subscribe(1, "k1", ALL)
        hub.close()
        await settle()
        after = hub.subscribe(1, "k2", ALL)
        assert before
        assert after
        assert (before.ended, after.ended) == ("shutdown", "shutdown")
        assert await before.take(5) == b""

    asyncio.run(run())
