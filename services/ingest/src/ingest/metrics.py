"""What operators see of ingest. Labels come from enums, never from a tenant."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.contracts.refusals import Code

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The counters of one process, on an injected registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.accepted = Counter(
            "bellwether_ingest_events_accepted",
            "Events that the broker confirmed, repeats included.",
            ["door"],
            registry=registry,
        )
        rejected = Counter(
            "bellwether_ingest_events_rejected", "Items refused, by reason.", ["code"], registry=registry
        )
        self.rejected = {code: rejected.labels(code.value) for code in Code}
        self.rejected_lost = Counter(
            "bellwether_ingest_rejected_not_kept",
            "Refused items that could not be kept for the live view: the broker was down or too many came at once.",
            registry=registry,
        )
        self.records = Counter(
            "bellwether_ingest_records_published", "Records that the broker confirmed.", registry=registry
        )
        self.bytes_in_flight = Gauge(
            "bellwether_ingest_in_flight_bytes",
            "Bytes of bodies and records that are held in memory now.",
            registry=registry,
        )
        self.requests = Histogram(
            "bellwether_ingest_request_duration_seconds",
            "From the first byte to the answer.",
            ["route", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        self.live_clients = Gauge(
            "bellwether_ingest_live_clients", "Open streams of the live view.", registry=registry
        )
