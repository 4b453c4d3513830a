"""What the gateway counts about itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# From a cached answer to a query that is too slow for a page.
_LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class GatewayMetrics:
    """All series of the gateway, on an injected registry. Labels are routes and enums, never tenants or accounts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Histogram(
            "bellwether_gateway_request_seconds",
            "Time to answer, by route and status class; streams are not counted",
            ("route", "status"),
            registry=registry,
            buckets=_LATENCY_BUCKETS,
        )
        self.streams = Gauge("bellwether_gateway_streams", "Open stream clients", registry=registry)
        self.streams_ended = Counter(
            "bellwether_gateway_streams_ended_total",
            "Streams that ended, by reason",
            ("reason",),
            registry=registry,
        )
        self.stream_messages = Counter(
            "bellwether_gateway_stream_messages_total",
            "Messages made for streams, by topic",
            ("topic",),
            registry=registry,
        )
        self.feed_lag = Gauge(
            "bellwether_gateway_feed_lag_seconds",
            "From the engine's last ingest stamp to its publication, at the last round",
            registry=registry,
        )
        self.feed_errors = Counter(
            "bellwether_gateway_feed_errors_total",
            "Rounds of the change feed that failed, by error code",
            ("code",),
            registry=registry,
        )
        self.forwarded = Counter(
            "bellwether_gateway_forwarded_total",
            "Requests forwarded to another service",
            ("service", "outcome"),
            registry=registry,
        )
