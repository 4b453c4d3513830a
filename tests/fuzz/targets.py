"""What must hold of any bytes: at the door of ingest, and in a record that the engine reads. Each takes bytes and raises when it does not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from common.contracts.diagnosis import Limits, Passed, examine
from common.contracts.event_types import TypeRules, rules_of
from common.contracts.instants import window_at
from common.contracts.record import BATCH_TYPE, PackedEvents, unpack_events
from common.contracts.refusals import Refusal
from common.errors import Rejected
from ingest.domain.items import Shape, cut, members_of
from ingest.domain.segment import Envelope, event_of
from ingest.domain.validation import Item, judge, text_of
from kpi_engine.domain.decode import Columns, Decoded, Decoder, about_of

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
STAMP_US = int(NOW.timestamp()) * 1_000_000
WINDOW = window_at(NOW, datetime(2000, 1, 1, tzinfo=UTC), timedelta(seconds=300))
LIMITS = Limits()
TYPES: TypeRules = rules_of([])
HEADERS = (
    ("content-type", BATCH_TYPE),
    ("bellwether-tenant", b"default"),
    ("bellwether-ingested-at", b"%d" % STAMP_US),
)
CALLS = (None, "track", "identify", "group", "page", "screen", "alias")


class OnePartition(dict[str, int]):
    def __missing__(self, account: str) -> int:
        return 0


def decoder(data: bytes) -> None:
    """A record of the topic: read or set aside, event by event, and what is kept fits the database."""
    try:
        packed = unpack_events(data, HEADERS)
    except Rejected as refused:
        assert_explained(refused)
        return
    decoded = decoded_of(packed)
    kept = sum(map(len, decoded.tenants.values()))
    assert kept + len(decoded.poisoned) == decoded.events == len(packed.bodies)
    for columns in decoded.tenants.values():
        assert_fits(columns)
    for poisoned in decoded.poisoned:
        assert_text(poisoned.code, poisoned.message)
        about = about_of(poisoned.body)
        assert_text(*filter(None, (about.id, about.source, about.type, about.subject)))
    alone = [decoded_of(PackedEvents("default", STAMP_US, [body])) for body in packed.bodies[:20]]
    if len(packed.bodies) <= 20:
        assert [len(one.poisoned) for one in alone].count(1) == len(decoded.poisoned), "neighbours matter"


def decoded_of(packed: PackedEvents) -> Decoded:
    made = Decoder()
    made.add("t", 0, 7, packed)
    return made.finish()


def assert_fits(columns: Columns) -> None:
    texts = (columns.accounts, columns.types, columns.sources, columns.ids)
    lists = (*texts, columns.users, columns.times, columns.bodies, columns.event_at_us)
    assert {len(column) for column in lists} == {len(columns)}
    for column in texts:
        assert_text(*column)
    assert_text(*(user for user in columns.users if user))
    for at_us in columns.event_at_us:
        assert 0 < int(at_us) < 4_102_444_800_000_000


def assert_explained(refused: Rejected) -> None:
    assert refused.code
    assert refused.message


def assert_text(*texts: str) -> None:
    """PostgreSQL holds it."""
    for text in texts:
        assert "\0" not in text
        text.encode()


def items(data: bytes) -> None:
    """A body at `POST /v1/events`: each item accepted or refused with a reason, and what is accepted the engine can read."""
    for shape in Shape:
        try:
            found = cut(data, shape, 1_000)
        except Rejected as refused:
            assert_explained(refused)
            continue
        accept(found.items, data, found.depth)


def accept(found: list[Item], body: bytes, depth: int) -> None:
    verdicts = judge(found, text_of(body, depth), WINDOW, LIMITS, TYPES, OnePartition())
    accepted = [bytes(item) for of_partition in verdicts.by_partition.values() for item in of_partition]
    assert len(accepted) == verdicts.accepted
    assert len(accepted) + len(verdicts.rejected) == len(found)
    for rejection in verdicts.rejected:
        assert rejection.refusal.code
        assert rejection.refusal.message
        assert_text(rejection.refusal.code.value)
    passed = [isinstance(examine(bytes(item), WINDOW, LIMITS, TYPES), Passed) for item in found]
    assert sum(passed) == verdicts.accepted, "the quick look and the slow one differ"
    for item in accepted:
        assert isinstance(json.loads(item), dict)
    if accepted:
        decoded = decoded_of(unpack_events(b"[" + b",".join(accepted) + b"]", HEADERS))
        assert decoded.poisoned == [], "ingest acknowledged what the engine sets aside"
        for columns in decoded.tenants.values():
            assert_fits(columns)


def segment(data: bytes) -> None:
    """A body at Segment's routes: each call is an event that is judged like any other, or has a reason."""
    envelope = Envelope("segment", NOW, None, {}, {})
    try:
        members = members_of(data)
        batch = cut(members["batch"], Shape.ARRAY, 500).items if "batch" in members else [data]
    except Rejected as refused:
        assert_explained(refused)
        return
    for call in CALLS:
        for item in batch[:20]:
            made = event_of(bytes(item), call, envelope, LIMITS)
            if isinstance(made, Refusal):
                assert made.message
            else:
                accept([made], made, 5)


TARGETS: dict[str, Callable[[bytes], None]] = {"decoder": decoder, "items": items, "segment": segment}
