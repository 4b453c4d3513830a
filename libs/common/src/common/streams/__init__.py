"""Kafka behind ports."""
