"""Whatever somebody else writes into the topics: the engine goes on, keeps it with a reason, and counts what is good beside it."""

import json
from datetime import UTC, datetime
from typing import cast

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.test_engine import EVENTS, NOW, REJECTED, World, event, world

from common.contracts.record import BATCH_TYPE, SINGLE_TYPE, Headers, OutRecord
from common.streams.port import TopicPartition

__all__ = ["world"]  # the fixture

Record = tuple[str, bytes | None, tuple[tuple[str, bytes | None], ...]]

STAMP = b"%d" % int(NOW.timestamp() * 1_000_000)
OURS = (("content-type", BATCH_TYPE), ("bellwether-tenant", b"default"), ("bellwether-ingested-at", STAMP))
LONG_NUMBER = b"9" * 5_000  # more digits than Python turns into a number

values = st.one_of(
    st.none(),
    st.sampled_from(
        [SINGLE_TYPE, BATCH_TYPE, b"default", b"nobody", STAMP, LONG_NUMBER, b"-1", b"\xff\0", b""]
    ),
    st.binary(max_size=12),
)
names = st.sampled_from(
    ["content-type", "bellwether-tenant", "bellwether-ingested-at", "bellwether-replay", "bellwether-code", "bellwether-message", "x"]
)  # fmt: skip
headers = st.one_of(st.just(OURS), st.lists(st.tuples(names, values), max_size=6).map(tuple)).flatmap(
    lambda found: st.tuples(st.just(found), st.lists(st.tuples(names, values), max_size=2)).map(
        lambda parts: (*parts[0], *parts[1])
    )
)
scraps = st.sampled_from(
    [None, b"", b"[]", b"[1,2,3]", b"[[[", b"{}", json.dumps([event(900)]).encode(), json.dumps(event(901)).encode(),
     json.dumps([event(902, id="a\0b"), event(903, time="soon"), event(904, subject="\ud800"), event(905)]).encode(),
     json.dumps([event(906, type="x\0y"), event(907, data={"user": "a\0b"}), event(908, source="\0")]).encode(),
     json.dumps([event(909, type="account.updated", data={"traits": {"segment": "a\0b", "\0": 1}})]).encode()]
)  # fmt: skip
records = st.tuples(st.sampled_from([EVENTS, REJECTED]), st.one_of(scraps, st.binary(max_size=60)), headers)


def append(world: World, topic: str, value: bytes | None, its_headers: object) -> None:
    out = OutRecord(topic, 0, None, cast("bytes", value), cast("Headers", its_headers))
    world.broker.producer().send(out).result()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, min_size=1, max_size=4))
@example([(EVENTS, b"[]", (("content-type", None), *OURS[1:]))])
@example([(EVENTS, b"[]", (*OURS, ("bellwether-replay", LONG_NUMBER)))])
@example([(EVENTS, b"[]", (*OURS[:2], ("bellwether-ingested-at", LONG_NUMBER)))])
@example([(EVENTS, b"[]", (OURS[0], ("bellwether-tenant", b"a\0b"), OURS[2]))])
@example([(REJECTED, b"x", (*OURS[1:], ("bellwether-code", b"a\0b"), ("bellwether-message", b"\0")))])
@example([(REJECTED, b"x", (("bellwether-tenant", b"a\0b"), OURS[2]))])
def test_the_engine_goes_on_and_counts_what_is_good(world: World, foreign: list[Record]) -> None:
    engine = world.engine()
    for to, value, its_headers in foreign:
        append(world, to, value, its_headers)
    account = f"good-{sum(map(len, world.broker.logs.values()))}"
    world.send(event(1, subject=account))
    world.drain(engine)
    assert world.one("select count(*) from engine.account where name = %s", account) == 1
    for partition, log in world.broker.logs.items():
        assert engine_read(world, partition) == len(log)
    world.opened.pop().close()


def test_rare_spellings_of_instants_are_the_instants_that_they_say(world: World) -> None:
    engine = world.engine()
    for n, time in enumerate(("2026-02-28t12:00:00z", "2026-02-28T23:59:60Z")):
        data = {"subscription": "s", "mrr": "10", "currency": "EUR", "effective_at": time}
        world.send(event(n, time=time, type="subscription.started", data=data, subject=f"spelt-{n}"))
    world.drain(engine)
    query = "select array_agg(effective_at order by event_at) from engine.subscription_change where event_at = effective_at"
    assert world.one(query) == [datetime(2026, 2, 28, 12, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)]


def engine_read(world: World, partition: TopicPartition) -> int:
    """Up to where the log is applied, as committed with the figures."""
    query = "select coalesce(max(next_offset), 0) from engine.progress where (topic, partition) = (%s, %s)"
    return int(world.one(query, partition.topic, partition.partition))
