"""The topics that tests are given."""

from kafka import KafkaAdminClient
from tests.conftest import Topics


def test_fresh_topics_exist_and_nobody_else_uses_them(
    kafka_bootstrap: str, fresh_topics: Topics, topic_prefix: str
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    try:
        assert {fresh_topics.events, fresh_topics.rejected} <= set(admin.list_topics())
    finally:
        admin.close()
    assert fresh_topics.events.startswith(topic_prefix)
