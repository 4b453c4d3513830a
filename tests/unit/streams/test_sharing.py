"""How partitions are shared: all of them, once, and by load."""

from hypothesis import given
from hypothesis import strategies as st

from common.streams.port import TopicPartition
from common.streams.sharing import LEAST_SHARE, shares

MEMBERS = st.integers(1, 5).map(lambda n: {f"m{i}": {"events", "rejected"} for i in range(n)})
LOADS = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)


def events(count: int) -> list[TopicPartition]:
    return [TopicPartition("events", p) for p in range(count)]


@given(MEMBERS, LOADS)
def test_each_partition_has_one_reader_and_nobody_is_ahead_by_more_than_one(
    topics_of: dict[str, set[str]], given_loads: list[int]
) -> None:
    partitions = [*events(len(given_loads)), TopicPartition("rejected", 0)]
    loads = dict(zip(partitions, given_loads, strict=False))
    found = shares(partitions, topics_of, loads)
    assert sorted((p.topic, p.partition) for of in found.values() for p in of) == sorted(
        (p.topic, p.partition) for p in partitions
    )
    least = LEAST_SHARE * sum(loads.values()) / len(partitions)
    weight = {p: max(loads.get(p, 0), least) for p in partitions}
    carried = [
        (sum(weight[p] for p in of), min((weight[p] for p in of), default=0.0)) for of in found.values()
    ]
    least_carried = min(total for total, _ in carried)
    for total, last in carried:
        assert total - least_carried <= last * (1 + 1e-9)


def test_with_nothing_known_they_are_dealt_in_turn() -> None:
    found = shares(events(6), {"b": ["events"], "a": ["events"]}, {})
    assert {m: [p.partition for p in of] for m, of in found.items()} == {"a": [0, 2, 4], "b": [1, 3, 5]}


def test_a_heavy_partition_is_nearly_all_of_a_members_work() -> None:
    loads = dict(zip(events(6), (130, 297, 191, 121, 146, 115), strict=True))
    found = shares(events(6), {"a": ["events"], "b": ["events"]}, loads)
    assert sorted(sum(loads[p] for p in of) for of in found.values()) == [458, 542]


def test_who_does_not_read_a_topic_gets_nothing_of_it() -> None:
    found = shares(
        [*events(2), TopicPartition("rejected", 0)], {"a": ["events", "rejected"], "b": ["events"]}, {}
    )
    assert TopicPartition("rejected", 0) in found["a"]
