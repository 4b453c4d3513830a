"""What operators see. Labels come from enums, never from tenants or accounts."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.domain.cases import NoticeType, Origin
from alerts.domain.episodes import Reason
from alerts.domain.retries import Outcome


class Metrics:
    """Safe to use from many threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._transitions = Counter(
            "bellwether_alerts_transitions_total",
            "Alert transitions by reason",
            ["reason"],
            registry=registry,
        )
        self._opened = Counter(
            "bellwether_alerts_cases_opened_total", "Cases opened by origin", ["origin"], registry=registry
        )
        self._queued = Counter(
            "bellwether_alerts_notifications_total", "Notices queued by type", ["type"], registry=registry
        )
        self._attempts = Counter(
            "bellwether_alerts_attempts_total", "Delivery attempts by outcome", ["outcome"], registry=registry
        )
        self._delay = Histogram(
            "bellwether_alerts_delivery_delay_seconds",
            "From the notice being written to its delivery",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 30, 300, 3600),
            registry=registry,
        )
        self._evaluated = Counter(
            "bellwether_alerts_accounts_evaluated_total", "Accounts whose rules were asked", registry=registry
        )
        self._behind = Gauge(
            "bellwether_alerts_partitions_held",
            "Partitions on which nothing may open because the engine is behind",
            registry=registry,
        )

        self._round = Gauge(
            "bellwether_alerts_last_round_timestamp_seconds",
            "When accounts that changed were last looked through, as Unix time",
            registry=registry,
        )
        self._withheld = Gauge(
            "bellwether_alerts_heartbeat_withheld",
            "1 while the heartbeat is not sent because something is wrong",
            registry=registry,
        )

    def round_ended(self, at: datetime) -> None:
        self._round.set(at.timestamp())

    def heartbeat(self, *, is_withheld: bool) -> None:
        self._withheld.set(is_withheld)

    def transition(self, reason: Reason) -> None:
        self._transitions.labels(reason.value).inc()

    def case_opened(self, origin: Origin) -> None:
        self._opened.labels(origin.value).inc()

    def queued(self, notice: NoticeType) -> None:
        self._queued.labels(notice.value).inc()

    def attempted(self, outcome: Outcome) -> None:
        self._attempts.labels(outcome.value).inc()

    def delivered_after(self, seconds: float) -> None:
        self._delay.observe(seconds)

    def evaluated(self, accounts: int) -> None:
        self._evaluated.inc(accounts)

    def partitions_held(self, count: int) -> None:
        self._behind.set(count)
