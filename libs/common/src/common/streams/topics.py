"""The topics of the product: their shapes, created by the product and never by hand."""

from common.contracts.record import EVENTS_TOPIC, REJECTED_TOPIC
from common.streams.kafka import create_topics

DAY_MS = 24 * 3600 * 1000


def ensure_topics(
    bootstrap: str,
    events_topic: str = EVENTS_TOPIC,
    rejected_topic: str = REJECTED_TOPIC,
    partitions: int = 6,
    replication: int = 1,
    retention_days: int = 30,
) -> None:
    """Create the two topics where they are missing; an existing topic is left as it is. Raises Unavailable without a broker.

    The number of partitions can't be changed later: the account decides the partition, and the engine stops when it sees another number.
    """
    common = {
        "retention.ms": str(retention_days * DAY_MS),
        "cleanup.policy": "delete",
        "max.message.bytes": str(8 * 1024 * 1024),
    }
    if replication >= 3:
        common["min.insync.replicas"] = "2"
    create_topics(
        bootstrap,
        {
            events_topic: {
                "num_partitions": partitions,
                "replication_factor": replication,
                "configs": common,
            },
            rejected_topic: {"num_partitions": 1, "replication_factor": replication, "configs": common},
        },
    )
