"""Records of the two topics: how events are packed for Kafka and read back.

A record of the events topic holds one or more events of one tenant and one partition, each exactly as ingest accepted it, and
one ingest stamp for all of them. The `content-type` header tells one event from several.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import crc32c
import msgspec

from common.errors import Rejected

EVENTS_TOPIC = "bellwether.events.v1"
REJECTED_TOPIC = "bellwether.rejected.v1"

BATCH_TYPE = b"application/cloudevents-batch+json"
SINGLE_TYPE = b"application/cloudevents+json"

MAX_STAMP_DIGITS = 17  # until the year 5138
MAX_TENANT_BYTES = 256
MAX_REASON_BYTES = 4096

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class OutRecord:
    """A record to be written; `partition` is explicit because the account decides it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class PackedEvents:
    """What one record of the events topic says. `bodies` keep the order in which ingest accepted them; they count nowhere before the
    `backfill` they belong to, if any, is closed. `may_hold_nul`: a text of theirs may have the character NUL in it."""

    tenant: str
    ingested_at_us: int
    bodies: list[msgspec.Raw]
    replay_of: int | None = None
    backfill: str | None = None
    may_hold_nul: bool = True


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """One item that ingest refused, as it came."""

    tenant: str
    ingested_at_us: int
    code: str
    message: str
    body: bytes


_decode_bodies = msgspec.json.Decoder(list[msgspec.Raw]).decode


def partition_of(tenant: str, account: str, partitions: int) -> int:
    """Return the partition of an account: CRC-32C of `tenant/account` modulo `partitions`."""
    return int(crc32c.crc32c(f"{tenant}/{account}".encode())) % partitions


def pack_events(
    topic: str,
    partition: int,
    tenant: str,
    ingested_at_us: int,
    bodies: Sequence[bytes | msgspec.Raw],
    replay_of: int | None = None,
    backfill: str | None = None,
) -> OutRecord:
    """Pack events (JSON objects as bytes) of one tenant and partition into one record, in order."""
    single = len(bodies) == 1
    value = bytes(bodies[0]) if single else b"[" + b",".join(bodies) + b"]"
    headers: Headers = (
        ("content-type", SINGLE_TYPE if single else BATCH_TYPE),
        ("bellwether-tenant", tenant.encode()),
        ("bellwether-ingested-at", b"%d" % ingested_at_us),
    )
    if replay_of is not None:
        headers += (("bellwether-replay", b"%d" % replay_of),)
    if backfill is not None:
        headers += (("bellwether-backfill", backfill.encode()),)
    return OutRecord(topic, partition, tenant.encode(), value, headers)


def unpack_events(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> PackedEvents:
    """Read a record of the events topic back; raises Rejected (code `record-...`) when it is not one that ingest wrote."""
    found = _texts(headers)
    tenant, ingested_at_us = _provenance(found)
    if not value:
        raise Rejected("record-empty", "the record has no value; only ingest may write this topic")
    kind = found.get("content-type", b"")
    replay = found.get("bellwether-replay")
    replay_of = int(replay) if replay is not None and replay.isdigit() and len(replay) <= 18 else None
    backfill = (
        found["bellwether-backfill"].decode(errors="replace") if "bellwether-backfill" in found else None
    )
    # JSON holds it escaped or not at all.
    nul = b"\\u0000" in value
    if kind == SINGLE_TYPE:
        return PackedEvents(tenant, ingested_at_us, [msgspec.Raw(value)], replay_of, backfill, nul)
    if kind != BATCH_TYPE:
        raise Rejected("record-content-type", f"content-type {kind[:60]!r} is neither one event nor a batch")
    try:
        return PackedEvents(tenant, ingested_at_us, _decode_bodies(value), replay_of, backfill, nul)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Rejected("record-not-json", f"the record is not a JSON array of events: {error}") from error


def pack_rejected(
    topic: str, tenant: str, ingested_at_us: int, code: str, message: str, body: bytes
) -> OutRecord:
    """Pack one refused item for the rejected topic (one partition)."""
    headers: Headers = (
        ("bellwether-tenant", tenant.encode()),
        ("bellwether-ingested-at", b"%d" % ingested_at_us),
        ("bellwether-code", code.encode()),
        ("bellwether-message", message.encode()),
    )
    return OutRecord(topic, 0, tenant.encode(), body, headers)


def unpack_rejected(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> RefusedItem:
    """Read a record of the rejected topic back; raises Rejected when its headers are not ours."""
    found = _texts(headers)
    tenant, ingested_at_us = _provenance(found)
    code, message = (
        found.get(f"bellwether-{name}", b"")[:MAX_REASON_BYTES]
        .decode(errors="replace")
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
        for name in ("code", "message")
    )
    return RefusedItem(tenant, ingested_at_us, code or "unknown", message, value or b"")


def stamp_of(headers: Iterable[tuple[str, bytes | None]]) -> int | None:
    """The ingest stamp of a record in epoch microseconds; None where it has none that ingest would have written."""
    stamp = _texts(headers).get("bellwether-ingested-at", b"")
    return int(stamp) if stamp.isdigit() and len(stamp) <= MAX_STAMP_DIGITS else None


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, bytes]:
    """Headers that have a value: Kafka's may have none."""
    return {name: value for name, value in headers if value is not None}


def _provenance(headers: dict[str, bytes]) -> tuple[str, int]:
    tenant, ingested_at_us = headers.get("bellwether-tenant"), stamp_of(headers.items())
    if not tenant or len(tenant) > MAX_TENANT_BYTES or b"\0" in tenant or ingested_at_us is None:
        raise Rejected(
            "record-unstamped",
            "the record lacks a tenant or an ingest stamp; only ingest may write this topic",
        )
    try:
        return tenant.decode(), ingested_at_us
    except UnicodeDecodeError as error:
        raise Rejected("record-unstamped", "the record's tenant is not UTF-8") from error
