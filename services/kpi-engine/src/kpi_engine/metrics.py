"""What Prometheus sees of the engine."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OUTCOMES = ("new", "duplicates", "conflicts", "rejected")
KINDS = ("tenant", "source", "type")


class EngineMetrics:
    """Counters and gauges; labels come from a fixed list, never from a tenant."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "bellwether_engine_events", "Events applied, by outcome", ["outcome"], registry=registry
        )
        self._left_out = Counter(
            "bellwether_engine_left_out",
            "Events that count, but not in a measure that can't read them",
            registry=registry,
        )
        self._states = Counter(
            "bellwether_engine_account_states", "Account states computed", registry=registry
        )
        self._seconds = Histogram(
            "bellwether_engine_batch_seconds",
            "Time of one batch from decoding to its commit",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self._partitions = Gauge("bellwether_engine_partitions", "Partitions owned", registry=registry)
        self._waiting = Gauge(
            "bellwether_engine_accounts_waiting",
            "Accounts whose state waits to be computed",
            registry=registry,
        )
        self._behind = Gauge(
            "bellwether_engine_records_behind", "Records not yet read, when last asked", registry=registry
        )
        self._broken = Gauge(
            "bellwether_engine_tracking_broken",
            "Tenants, sources and types of event that are missing, of all tenants, when last judged",
            ["kind"],
            registry=registry,
        )
        for outcome in OUTCOMES:
            self._events.labels(outcome)
        self.broken({})

    def batch(self, applied: Any, seconds: float) -> None:
        counts = asdict(applied)
        for outcome in OUTCOMES:
            self._events.labels(outcome).inc(counts[outcome])
        self._left_out.inc(counts["left_out"])
        self._states.inc(counts["computed"])
        self._seconds.observe(seconds)

    def owned(self, partitions: int, waiting: int) -> None:
        self._partitions.set(partitions)
        self._waiting.set(waiting)

    def behind(self, records: int) -> None:
        self._behind.set(records)

    def broken(self, by_kind: Mapping[str, int]) -> None:
        for kind in KINDS:
            self._broken.labels(kind).set(by_kind.get(kind, 0))
