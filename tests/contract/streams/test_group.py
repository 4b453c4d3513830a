"""Two members of a group on the real broker: who gets which partitions."""

import uuid
from contextlib import closing

import kafka
import pytest
from kafka.coordinator.assignors.range import RangePartitionAssignor

from common.streams.kafka import KafkaConsumerAdapter, create_topics
from common.streams.port import TopicPartition
from common.testing import wait_until

LOADS = (1_000, 10, 20, 30)


class Member:
    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self.owned: set[int] = set()
        self.consumer = KafkaConsumerAdapter(bootstrap, group, "test")
        self.consumer.weigh({TopicPartition(topic, p): load for p, load in enumerate(LOADS)})
        self.consumer.subscribe(
            [topic],
            lambda given: self.owned.update(p.partition for p in given),
            lambda taken: self.owned.difference_update(p.partition for p in taken),
        )

    def poll(self) -> None:
        self.consumer.poll(0.1, 10)


@pytest.fixture
def topic(kafka_bootstrap: str, topic_prefix: str) -> str:
    name = f"{topic_prefix}.shared"
    create_topics(
        kafka_bootstrap, {name: {"num_partitions": len(LOADS), "replication_factor": 1, "configs": {}}}
    )
    return name


def test_partitions_are_shared_by_what_they_have_to_say(kafka_bootstrap: str, topic: str) -> None:
    group = f"group-{uuid.uuid4()}"
    one, other = (Member(kafka_bootstrap, group, topic) for _ in range(2))
    with closing(one.consumer), closing(other.consumer):

        def shared() -> bool:
            one.poll()
            other.poll()
            return sorted(map(sorted, (one.owned, other.owned))) == [[0], [1, 2, 3]]

        wait_until(shared, 60, "the heavy partition to be all of one member's work")


def test_beside_a_member_of_an_earlier_version_all_partitions_are_read(
    kafka_bootstrap: str, topic: str
) -> None:
    group = f"group-{uuid.uuid4()}"
    earlier = kafka.KafkaConsumer(
        topic, bootstrap_servers=kafka_bootstrap, group_id=group, enable_auto_commit=False,
        auto_offset_reset="earliest", session_timeout_ms=6_000, heartbeat_interval_ms=1_500,
        partition_assignment_strategy=[RangePartitionAssignor],
    )  # fmt: skip
    with closing(earlier):
        # Without the remedy of our own adapter, a client that joins before it knows the topic may never hear of its partitions.
        assert earlier.partitions_for_topic(topic) == set(range(len(LOADS)))
        wait_until(
            lambda: earlier.poll(100) is not None and len(earlier.assignment()) == 4,
            60,
            "all to be the first's",
        )
        member = Member(kafka_bootstrap, group, topic)
        with closing(member.consumer):

            def shared() -> bool:
                earlier.poll(100)
                member.poll()
                return (member.owned, len(earlier.assignment())) in (({0, 1}, 2), ({2, 3}, 2))

            wait_until(shared, 60, "both to agree on what both know")
