"""Records that ingest never wrote, straight in the events topic: set aside with a reason, and the partition goes on."""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from kafka import KafkaProducer
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.reference.events import Json

from common.contracts.record import partition_of

ONE = b"application/cloudevents+json"
MANY = b"application/cloudevents-batch+json"
PARTITIONS = 6
GOOD_PER_BAD = 300

Record = tuple[bytes | None, list[tuple[str, bytes]]]


def good(account: str) -> Json:
    return {
        "specversion": "1.0", "id": uuid.uuid4().hex, "source": "/app", "type": "feature.used", "subject": account,
        "time": datetime.now(UTC).isoformat(), "data": {"user": "u1", "feature": "export"},
    }  # fmt: skip


def headers(tenant: str, kind: bytes, stamp: bytes | None = None) -> list[tuple[str, bytes]]:
    now = b"%d" % int(datetime.now(UTC).timestamp() * 1_000_000)
    return [
        ("content-type", kind),
        ("bellwether-tenant", tenant.encode()),
        ("bellwether-ingested-at", stamp or now),
    ]


def poison(tenant: str, account: str) -> dict[str, Record]:
    rng = random.Random(5)
    whole = json.dumps(good(account)).encode()
    batch = json.dumps([good(account) for _ in range(5)]).encode()
    ours_one, ours_many = headers(tenant, ONE), headers(tenant, MANY)
    return {
        "random bytes, no headers": (rng.randbytes(500), []),
        "random bytes, our headers": (rng.randbytes(500), ours_many),
        "no value": (None, ours_one),
        "empty value": (b"", ours_one),
        "cut event": (whole[: len(whole) // 2], ours_one),
        "cut batch": (batch[: len(batch) // 2], ours_many),
        "deep": (b"[" * 200_000 + b"]" * 200_000, ours_many),
        "long": (b"[" + b" " * 900_000 + b"]x", ours_many),
        "unknown tenant": (whole, headers("nobody-knows-them", ONE)),
        "stamp in words": (whole, headers(tenant, ONE, b"now")),
        "no time": (json.dumps({**good(account), "time": "soon"}).encode(), ours_one),
        "no type": (json.dumps({k: v for k, v in good(account).items() if k != "type"}).encode(), ours_one),
        "nul in the account": (json.dumps({**good(account), "subject": "a\x00b"}).encode(), ours_one),
        "lone surrogate": (whole.replace(b'"u1"', b'"\\ud800"'), ours_one),
        "array of numbers": (b"[1,2,3]", ours_many),
        "a stamp of 5,000 digits": (whole, headers(tenant, ONE, b"9" * 5_000)),
        "a tenant with nul": (whole, headers("a\0b", ONE)),
        "a tenant of 100,000": (whole, headers("x" * 100_000, ONE)),
    }


@pytest.fixture(scope="module")
def owner(new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant("poisoned")


@pytest.fixture
def producer(stack: Stack) -> Iterator[KafkaProducer]:
    running = KafkaProducer(bootstrap_servers=stack.kafka, acks="all", max_request_size=2_000_000)
    yield running
    running.close()


def test_poison_is_set_aside_and_everything_else_is_counted(
    stack: Stack, owner: Tenant, producer: KafkaProducer
) -> None:
    account = "neighbour"
    engines = [p.pid for p in stack.roles("engine")]
    partition = partition_of(owner.slug, account, PARTITIONS)
    written: dict[str, int] = {}
    for name, (value, its_headers) in poison(owner.slug, account).items():
        owner.client.post(
            [good(f"neighbour-{n % 40}") if n % 3 else good(account) for n in range(GOOD_PER_BAD)]
        )
        sent = producer.send(
            stack.topic, key=b"poison", value=value, headers=its_headers, partition=partition
        )
        written[name] = sent.get(timeout=60).offset
    owner.client.post([good(account)])
    stack.wait_applied()
    kept = stack.select(
        'select "offset", stage, code from published.rejected where topic = %s and partition = %s',
        stack.topic,
        partition,
    )
    reasons = {int(offset): code for offset, stage, code in kept if stage == "engine"}
    assert {name for name, offset in written.items() if not reasons.get(offset)} == set()
    today = datetime.now(UTC).date()
    total = owner.client.figure("events", date(2026, 1, 1), today + timedelta(days=2)).value
    assert total == len(written) * GOOD_PER_BAD + 1
    assert [p.pid for p in stack.roles("engine")] == engines, "the engine was restarted"


def test_good_events_beside_a_bad_one_in_a_record_are_counted(
    stack: Stack, owner: Tenant, producer: KafkaProducer
) -> None:
    account = f"mixed-{uuid.uuid4().hex[:6]}"
    partition = partition_of(owner.slug, account, PARTITIONS)
    events: list[object] = [good(account), {**good(account), "time": "soon"}, good(account), 7, good(account)]
    value = json.dumps(events).encode()
    producer.send(stack.topic, value=value, headers=headers(owner.slug, MANY), partition=partition).get(
        timeout=60
    )
    stack.wait_applied()
    today = datetime.now(UTC).date()
    figure = owner.client.figure(
        "events", today - timedelta(days=1), today + timedelta(days=2), accounts=[account]
    )
    assert figure.value == 3
