"""Storms end when nothing more was added to them for as long as they are counted over; then people hear how many there were."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.ports.ledger import Ledger
from alerts.use_cases.post import Post


@dataclass(frozen=True, slots=True)
class Calming:
    post: Post
    name: str = "calming"
    every: timedelta = timedelta(seconds=10)

    def round(self, ledger: Ledger, now: datetime) -> None:
        for tenant_id in ledger.stormy_tenants():
            definitions = ledger.definitions(tenant_id)
            cap = definitions.terms.storm if definitions else None
            within = cap.within if cap else timedelta(0)
            with ledger.transaction():
                for storm in ledger.end_storms(tenant_id, now - within, now):
                    ledger.add_notifications(self.post.storm(ledger, storm, now, over=True))
