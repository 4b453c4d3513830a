"""Receives events over HTTP and publishes them to Kafka."""
