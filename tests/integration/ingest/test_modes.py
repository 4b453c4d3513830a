"""Every way to send an event, through the real server to the real broker."""

import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
import zstandard
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from tests.integration.ingest.running import Ingest, Tenant, ago, event

from common.contracts.record import partition_of


def test_a_batch_is_published_byte_for_byte_under_its_accounts_partition(
    ingest: Ingest, tenant: Tenant
) -> None:
    events = [event(n) for n in range(500)]
    answer = ingest.send(tenant.ingest, events)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 500, "rejected": []})
    assert Counter(ingest.bodies(tenant)) == Counter(msgspec.json.encode(one) for one in events)
    for record in ingest.records(tenant):
        accounts = {msgspec.json.decode(body)["subject"] for body in record.bodies}
        assert len({partition_of(tenant.slug, account, 6) for account in accounts}) == 1


def test_events_of_one_account_keep_their_order(ingest: Ingest, tenant: Tenant) -> None:
    ingest.send(tenant.ingest, [event(n, subject="acme") for n in range(300)])
    assert [found["id"] for found in ingest.events(tenant)] == [f"e-{n}" for n in range(300)]


def test_repeats_are_accepted(ingest: Ingest, tenant: Tenant) -> None:
    assert ingest.send(tenant.ingest, [event(1), event(1)]).json()["accepted"] == 2
    assert ingest.send(tenant.ingest, [event(1)]).json()["accepted"] == 1


@pytest.mark.parametrize(
    "media",
    ["application/json", "application/cloudevents+json", "application/cloudevents+json; charset=UTF-8"],
)
def test_one_event_is_taken(ingest: Ingest, tenant: Tenant, media: str) -> None:
    body = msgspec.json.encode(event(1))
    assert ingest.post(tenant.ingest, body, media).json() == {"accepted": 1, "rejected": []}
    assert ingest.bodies(tenant) == [body]


def test_lines_are_taken(ingest: Ingest, tenant: Tenant) -> None:
    lines = b"\n".join(msgspec.json.encode(event(n)) for n in range(10)) + b"\n\n"
    assert ingest.post(tenant.ingest, lines, "application/x-ndjson").json()["accepted"] == 10
    assert len(ingest.events(tenant)) == 10


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json", b"[]"),
        ("application/cloudevents-batch+json", b" [ ]"),
        ("application/x-ndjson", b""),
    ],
)
def test_an_empty_batch_is_fine(ingest: Ingest, tenant: Tenant, media: str, body: bytes) -> None:
    answer = ingest.post(tenant.ingest, body, media)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "rejected": []})


def test_compressed_bodies_are_taken(ingest: Ingest, tenant: Tenant) -> None:
    halves = [b"[" + msgspec.json.encode(event(1)), b"," + msgspec.json.encode(event(2)) + b"]"]
    members = b"".join(gzip.compress(half) for half in halves)
    frames = b"".join(zstandard.ZstdCompressor().compress(half) for half in halves)
    for encoding, body in (("gzip", members), ("zstd", frames)):
        answer = ingest.post(tenant.ingest, body, headers={"Content-Encoding": encoding})
        assert answer.json() == {"accepted": 2, "rejected": []}


def test_an_event_without_time_gets_its_arrival(ingest: Ingest, tenant: Tenant) -> None:
    before = datetime.now(UTC)
    ingest.send(tenant.ingest, [event(1, time=None)])
    after = datetime.now(UTC)
    (found,) = ingest.events(tenant)
    # To the millisecond.
    assert before - timedelta(milliseconds=1) < datetime.fromisoformat(found["time"]) <= after
    assert found["originaltime"] == "absent"


def test_each_refusal_is_named_and_kept(ingest: Ingest, tenant: Tenant) -> None:
    answer = ingest.send(
        tenant.ingest, [event(1), event(2, subject=None), event(3), event(4, time="yesterday")]
    )
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [(r["index"], r["id"], r["code"]) for r in answer.json()["rejected"]] == [
        (1, "e-2", "subject-missing"),
        (3, "e-4", "time-invalid"),
    ]
    kept = ingest.wait_for_refused(tenant, 2)
    assert {(item.code, msgspec.json.decode(item.body)["id"]) for item in kept} == {
        ("subject-missing", "e-2"),
        ("time-invalid", "e-4"),
    }


def test_nothing_accepted_is_400_with_the_same_body(ingest: Ingest, tenant: Tenant) -> None:
    answer = ingest.send(tenant.ingest, [event(1, subject=None)])
    assert answer.status_code == 400
    assert answer.json()["accepted"] == 0
    assert answer.json()["rejected"][0]["code"] == "subject-missing"


def sdk_event(number: int) -> CloudEvent:
    return CloudEvent(
        {
            "id": f"sdk-{number}",
            "source": "/crm",
            "type": "page.opened",
            "subject": 'Łódź "quoted" 100%',
            "time": datetime.now(UTC),
            "datacontenttype": "application/json",
        },
        {"user": "ann", "pages": number},
    )


def sdk_messages() -> list[Any]:
    """The SDK writes no batches; a batch is an array of what it writes, as the format says."""
    events = [sdk_event(n) for n in range(3)]
    batch = b"[" + b",".join(to_structured_event(one).body for one in events) + b"]"
    return [
        to_structured_event(events[0]),
        to_binary_event(events[1]),
        HTTPMessage({"content-type": "application/cloudevents-batch+json; charset=UTF-8"}, batch),
    ]


def test_the_cloudevents_sdk_delivers_in_three_modes(ingest: Ingest, tenant: Tenant) -> None:
    for message, count in zip(sdk_messages(), (1, 1, 3), strict=True):
        headers = {**message.headers, "Authorization": f"Bearer {tenant.ingest}"}
        answer = httpx.post(f"{ingest.url}/v1/events", content=message.body, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()) == (200, {"accepted": count, "rejected": []})
    found = ingest.events(tenant)
    assert {(one["id"], one["subject"], one["data"]["user"]) for one in found} == {
        (f"sdk-{n}", 'Łódź "quoted" 100%', "ann") for n in range(3)
    }


def test_events_in_headers_without_data_are_taken(ingest: Ingest, tenant: Tenant) -> None:
    headers = {
        "Authorization": f"Bearer {tenant.ingest}",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "crm",
        "ce-type": "page.opened",
        "ce-subject": "acme",
        "ce-time": ago(5),
    }
    assert httpx.post(f"{ingest.url}/v1/events", headers=headers, timeout=60).json()["accepted"] == 1
