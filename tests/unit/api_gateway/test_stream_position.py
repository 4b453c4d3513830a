from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from api_gateway.domain.stream_position import (
    StreamPosition,
    batches_kept,
    cases_kept,
    decode,
    encode,
    merge,
    owner_of,
)

numbers = st.integers(0, 2**63 - 1)
positions = st.builds(
    StreamPosition, st.dictionaries(st.integers(0, 999), numbers, max_size=12).map(MappingProxyType), numbers
)
OURS, THEIRS = owner_of("installation", 1), owner_of("installation", 2)


@given(positions)
def test_a_position_comes_back_as_it_was_given_out(position: StreamPosition) -> None:
    assert decode(OURS, encode(OURS, position)) == position


@given(positions)
def test_a_position_of_another_tenant_or_installation_is_not_taken(position: StreamPosition) -> None:
    assert decode(THEIRS, encode(OURS, position)) is None
    assert decode(owner_of("other", 1), encode(OURS, position)) is None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_garbage_is_no_position(text: str) -> None:
    assert decode(OURS, text) is None


@given(positions, positions)
def test_merging_never_goes_back(one: StreamPosition, other: StreamPosition) -> None:
    both = merge(one, other)
    for position in (one, other):
        assert all(both.batches[partition] >= batch for partition, batch in position.batches.items())
        assert both.cases >= position.cases
    assert merge(one, other) == merge(other, one)
    assert merge(both, one) == both


def at(batches: dict[int, int], cases: int = 0) -> StreamPosition:
    return StreamPosition(MappingProxyType(batches), cases)


def test_a_position_is_resumable_while_the_batch_after_it_is_kept() -> None:
    kept = {0: (5, 9)}
    assert batches_kept(at({0: 4}), kept)
    assert batches_kept(at({0: 9}), kept)
    assert not batches_kept(at({0: 3}), kept)
    assert not batches_kept(at({0: 10}), kept)


def test_a_partition_never_seen_must_be_there_from_its_first_batch() -> None:
    assert batches_kept(at({0: 9}), {0: (5, 9), 1: (1, 3)})
    assert not batches_kept(at({0: 9}), {0: (5, 9), 1: (2, 3)})
    assert not batches_kept(at({0: 9, 7: 1}), {0: (5, 9)})


def test_case_changes_are_judged_apart_from_batches() -> None:
    assert cases_kept(at({}, 4), (5, 9))
    assert not cases_kept(at({}, 3), (5, 9))
    assert not cases_kept(at({}, 10), (5, 9))
    assert cases_kept(at({}, 0), (1, 0))
