"""Identities in memory: exact whatever the order, the splits and the sizes."""

import hashlib
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.identity import ENTRY, Entries, entries_of, fingerprints, identities, same_body
from kpi_engine.domain.ids import Filter, PartitionIds, blocks_of, bucket_bits, buckets_of, first_of_each

# Few distinct halves, so that equal first halves with other second halves happen all the time.
ids = st.tuples(st.integers(0, 6), st.integers(0, 3)).map(
    lambda pair: (pair[0] << 58 | 5).to_bytes(8, "big") + pair[1].to_bytes(8, "big")
)
batches = st.lists(st.lists(ids, max_size=12), max_size=10)


def made(identities: Sequence[bytes], first_fp: int = 0) -> Entries:
    return entries_of(identities, [first_fp + i for i in range(len(identities))])


@given(batches)
def test_an_identity_is_known_exactly_when_it_was_added_and_with_its_first_fingerprint(
    batches: list[list[bytes]],
) -> None:
    model: dict[bytes, int] = {}
    partition = PartitionIds(filter_bits_log2=8)
    for number, batch in enumerate(batches):
        entries = made(batch, number * 100)
        found = partition.find_recent(entries)
        assert found.known.tolist() == [identity in model for identity in batch]
        assert [int(fp) for fp, known in zip(found.fp, found.known, strict=True) if known] == [
            model[identity] for identity in batch if identity in model
        ]
        first = first_of_each(entries)
        new = [i for i in range(len(batch)) if first[i] == i and not found.known[i]]
        partition.add(entries[new])
        model |= {batch[i]: number * 100 + i for i in new}
    assert partition.recent == len(model)
    held = partition.recent_entries().tobytes()
    assert {held[at : at + 16] for at in range(0, len(held), 24)} == set(model)


@given(st.lists(ids, max_size=30))
def test_the_first_of_each_identity_is_the_earliest_position_with_it(batch: list[bytes]) -> None:
    assert first_of_each(made(batch)).tolist() == [batch.index(identity) for identity in batch]


@given(st.lists(ids, max_size=200), st.lists(ids, max_size=50))
def test_the_filter_never_says_no_to_what_it_holds(added: list[bytes], asked: list[bytes]) -> None:
    held = Filter(bits_log2=10)
    held.add(made(added))
    entries = made(asked + added)
    maybe = held.maybe(entries["hi"].astype(np.uint64), entries["lo"].astype(np.uint64))
    assert all(maybe[i] for i, identity in enumerate(asked + added) if identity in set(added))


def test_the_filter_seldom_raises_a_false_alarm_within_its_size() -> None:
    random = np.random.default_rng(7)
    drawn = np.frombuffer(random.bytes(24 * 20_000), dtype=ENTRY)
    held = Filter(bits_log2=18)
    held.add(drawn[:10_000])
    others = drawn[10_000:]
    alarms = held.maybe(others["hi"].astype(np.uint64), others["lo"].astype(np.uint64)).mean()
    assert alarms < 0.01


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=60), st.integers(0, 4))
def test_blocks_hold_every_entry_once_in_the_bucket_of_its_leading_bits(
    identities: list[bytes], level: int
) -> None:
    entries = made(identities)
    blocks = blocks_of(entries, level)
    assert [bucket for bucket, _ in blocks] == sorted({int(b) for b in buckets_of(entries, level)})
    for bucket, block in blocks:
        held = np.frombuffer(block, dtype=ENTRY)
        assert all(int(e["hi"]) >> (64 - bucket_bits(level)) == bucket for e in held)
    together = b"".join(block for _, block in blocks)
    assert sorted(np.frombuffer(together, dtype=ENTRY).tolist()) == sorted(entries.tolist())


def test_identity_is_made_of_tenant_account_source_and_id_and_nothing_else() -> None:
    known = {
        one
        for tenant in "tu"
        for one in identities(tenant, ["a", "b", "a", "a"], ["s", "s", "r", "s"], ["i", "i", "i", "j"])
    }
    assert {len(one) for one in known} == {16}
    assert len(known) == 8
    assert identities("t", ["ab", "a"], ["c", "bc"], ["i", "i"])[0] not in identities(
        "t", ["a"], ["bc"], ["i"]
    )


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1, max_size=4))
def test_identities_stay_those_that_are_stored(parts: list[tuple[str, str, str]]) -> None:
    accounts, sources, event_ids = zip(*parts, strict=True)
    assert identities("t", accounts, sources, event_ids) == [
        hashlib.blake2b("\0".join(("t", *its)).encode(), digest_size=16).digest() for its in parts
    ]


def test_bodies_are_the_same_whatever_their_order_spaces_and_server_set_time() -> None:
    assert same_body(b'{"id":"1","data":{"a":1,"b":2}}', b'{ "data": {"b":2, "a":1}, "id":"1" }')
    assert not same_body(b'{"id":"1","data":{"a":1}}', b'{"id":"1","data":{"a":2}}')
    assert same_body(b'{"id":"1","time":"A","originaltime":"O"}', b'{"id":"1","time":"B","originaltime":"O"}')
    assert not same_body(b'{"id":"1","time":"A"}', b'{"id":"1","time":"B"}')


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_equal_bodies_have_equal_fingerprints(one: bytes, other: bytes) -> None:
    first, again, different = fingerprints([one, bytes(one), other]).tolist()
    assert first == again
    assert one == other or first != different
