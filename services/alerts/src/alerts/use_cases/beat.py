"""The dead man's switch: a notice every so often while all is well, so that its absence wakes somebody from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.domain.cases import NoticeType
from alerts.domain.pulse import ailment
from alerts.domain.summaries import heartbeat_notice
from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.ports.records import Definitions
from alerts.use_cases.post import Post
from common.logs import get_logger

log = get_logger("beat")


@dataclass(frozen=True, slots=True)
class Beating:
    """A beat that could not be delivered is dropped for the next one: one that comes late would say that all was well when it wasn't.

    `ingest` asks ingest whether it is ready and says what is wrong, None when nothing is.
    """

    post: Post
    metrics: Metrics
    ingest: Callable[[], str | None]
    max_lag: timedelta
    name: str = "beating"
    every: timedelta = timedelta(seconds=15)

    def round(self, ledger: Ledger, now: datetime) -> None:
        due = [known for known in self._wanted(ledger) if self._is_due(ledger, known, now)]
        if not due:
            return
        wrong = ailment(ledger.progress(), self.ingest(), now, self.max_lag)
        self.metrics.heartbeat(is_withheld=wrong is not None)
        if wrong is not None:
            log.warning("heartbeat_withheld", reason=wrong)
            return
        for definitions in due:
            self._beat(ledger, definitions, now)

    def _wanted(self, ledger: Ledger) -> list[Definitions]:
        found = (ledger.definitions(tenant_id) for tenant_id in ledger.tenants())
        return [known for known in found if known is not None and known.terms.heartbeat is not None]

    def _is_due(self, ledger: Ledger, definitions: Definitions, now: datetime) -> bool:
        heartbeat = definitions.terms.heartbeat
        before = ledger.last_beat_at(definitions.tenant_id)
        return heartbeat is not None and (before is None or not before <= now < before + heartbeat.every)

    def _beat(self, ledger: Ledger, definitions: Definitions, now: datetime) -> None:
        tenant_id, heartbeat = definitions.tenant_id, definitions.terms.heartbeat
        if heartbeat is None:
            return
        targets = [one for one in ledger.targets(tenant_id) if one.name == heartbeat.receiver]
        heard = [one for one in targets if not one.disabled]
        body = heartbeat_notice(heartbeat.every.total_seconds(), now)
        with ledger.transaction():
            ledger.drop_old_beats(tenant_id, now)
            ledger.beat(tenant_id, now)
            ledger.add_notifications(self.post.to_all(tenant_id, NoticeType.HEARTBEAT, body, heard, now))
