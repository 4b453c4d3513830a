"""What is packed for Kafka is read back as it was, and what is not ours is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.record import (
    BATCH_TYPE,
    SINGLE_TYPE,
    pack_events,
    pack_rejected,
    partition_of,
    unpack_events,
    unpack_rejected,
)
from common.errors import Rejected

bodies = st.lists(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8), max_size=3).map(
        msgspec.json.encode
    ),
    min_size=1,
    max_size=8,
)


@given(bodies, st.text(alphabet="abc-1", min_size=1), st.integers(0, 4_000_000_000_000_000))
def test_events_come_back_as_they_were_packed(packed: list[bytes], tenant: str, stamp: int) -> None:
    record = pack_events("t", 3, tenant, stamp, packed)
    read = unpack_events(record.value, record.headers)
    assert (read.tenant, read.ingested_at_us, [bytes(b) for b in read.bodies]) == (tenant, stamp, packed)
    assert dict(record.headers)["content-type"] == (SINGLE_TYPE if len(packed) == 1 else BATCH_TYPE)


@given(st.binary(max_size=100), st.text(max_size=30))
def test_a_refused_item_comes_back_with_its_reason(body: bytes, message: str) -> None:
    message = message.encode(errors="replace").decode().replace("\0", "")
    record = pack_rejected("r", "acme", 5, "event-id-missing", message, body)
    read = unpack_rejected(record.value, record.headers)
    assert (read.tenant, read.code, read.message, read.body) == ("acme", "event-id-missing", message, body)


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (b"[]", (), "record-unstamped"),
        (b"[]", (("bellwether-tenant", b"a"), ("bellwether-ingested-at", b"soon")), "record-unstamped"),
        (b"[]", (("bellwether-tenant", b"\xff"), ("bellwether-ingested-at", b"1")), "record-unstamped"),
        (b"[]", (("bellwether-tenant", b"a"), ("bellwether-ingested-at", b"9" * 5_000)), "record-unstamped"),
        (b"[]", (("bellwether-tenant", b"a\0"), ("bellwether-ingested-at", b"1")), "record-unstamped"),
        (b"[]", (("bellwether-tenant", b"a" * 300), ("bellwether-ingested-at", b"1")), "record-unstamped"),
        (b"[]", (("bellwether-tenant", None), ("bellwether-ingested-at", None)), "record-unstamped"),
        (
            b"[]",
            (("bellwether-tenant", b"a"), ("bellwether-ingested-at", b"1"), ("content-type", None)),
            "record-content-type",
        ),
        (None, (("bellwether-tenant", b"a"), ("bellwether-ingested-at", b"1")), "record-empty"),
        (b"[", (("bellwether-tenant", b"a"), ("bellwether-ingested-at", b"1")), "record-content-type"),
        (
            b"[{",
            (("bellwether-tenant", b"a"), ("bellwether-ingested-at", b"1"), ("content-type", BATCH_TYPE)),
            "record-not-json",
        ),
    ],
)
def test_a_record_that_ingest_did_not_write_is_refused(
    value: bytes | None, headers: tuple[tuple[str, bytes | None], ...], code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        unpack_events(value, headers)
    assert refused.value.code == code


def test_a_replay_of_an_impossible_number_is_an_event_like_any_other() -> None:
    headers = (*pack_events("t", 0, "a", 1, [b"{}"]).headers, ("bellwether-replay", b"9" * 5_000))
    assert unpack_events(b"{}", headers).replay_of is None


def test_reasons_that_no_table_can_hold_are_made_to_fit() -> None:
    headers = (*pack_rejected("r", "a", 1, "c\0", "m\0" * 9_000, b"").headers,)
    read = unpack_rejected(None, headers)
    assert "\0" not in read.code + read.message
    assert len(read.message) < 5_000


@given(st.text(), st.text(), st.integers(1, 64))
def test_an_account_always_has_the_same_partition(tenant: str, account: str, partitions: int) -> None:
    tenant, account = (t.encode(errors="replace").decode() for t in (tenant, account))
    first = partition_of(tenant, account, partitions)
    assert first == partition_of(tenant, account, partitions)
    assert 0 <= first < partitions


def test_the_partition_of_an_account_never_changes_between_releases() -> None:
    assert [partition_of("default", account, 6) for account in ("acme", "globex", "initech", "")] == [
        5,
        1,
        3,
        2,
    ]
