"""Real Kafka and real PostgreSQL as child processes of whoever needs them: the local stack and the tests."""
