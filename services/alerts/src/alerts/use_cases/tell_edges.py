"""Tells who owns it, once, that an edge of the tree holds no more, and once that it does again."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.domain.cases import NoticeType
from alerts.domain.edge_stops import EdgeStop, edges_notice, may_be_told
from alerts.domain.people import Team
from alerts.domain.routing import Target
from alerts.ports.ledger import Ledger
from alerts.ports.records import Definitions
from alerts.use_cases.heed_faults import default_hearers
from alerts.use_cases.post import Post


@dataclass(frozen=True)
class TellEdges:
    """A chore. Doing it twice tells nothing twice: what was told is written with the notice."""

    post: Post
    name: str = "edges"
    # They are found once a night.
    every: timedelta = timedelta(minutes=5)

    def round(self, ledger: Ledger, now: datetime) -> None:
        by_tenant: dict[int, list[EdgeStop]] = defaultdict(list)
        for stop in ledger.edge_news():
            by_tenant[stop.tenant_id].append(stop)
        for tenant_id, news in by_tenant.items():
            definitions = ledger.definitions(tenant_id)
            if definitions is not None and may_be_told(definitions.terms, now):
                self._tell(ledger, definitions, news, now)

    def _tell(
        self, ledger: Ledger, definitions: Definitions, news: Sequence[EdgeStop], now: datetime
    ) -> None:
        ended = [one for one in news if one.holds_again_at is None]
        again = [one for one in news if one.holds_again_at is not None]
        with ledger.transaction():
            ledger.note_stopped(ended, now)
            ledger.note_holding(again, now)
            self._send(ledger, definitions, NoticeType.DRIVER_STOPPED, ended, now)
            self._send(ledger, definitions, NoticeType.DRIVER_HOLDS, again, now)

    def _send(
        self,
        ledger: Ledger,
        definitions: Definitions,
        notice: NoticeType,
        stops: Sequence[EdgeStop],
        now: datetime,
    ) -> None:
        """To each receiver one notice, of all that concerns it."""
        tenant_id = definitions.tenant_id
        team = definitions.team.joined_by([one.leave for one in ledger.leaves(tenant_id, now)])
        targets = ledger.targets(tenant_id)
        heard: dict[Target, list[EdgeStop]] = defaultdict(list)
        for stop in stops:
            for target in _hearers(stop, notice, targets, definitions, team, now):
                heard[target].append(stop)
        for target, its in heard.items():
            body = edges_notice(notice, its, self.post.public_url, now)
            occasion = " ".join(stop.occasion for stop in its)
            ledger.add_notifications(self.post.to_all(tenant_id, notice, body, [target], now, occasion))


def _hearers(
    stop: EdgeStop,
    notice: NoticeType,
    targets: Sequence[Target],
    definitions: Definitions,
    team: Team,
    now: datetime,
) -> list[Target]:
    """The own receivers of the people who own it, or of who stands in; where an owner is no person of the team, those who hear of every case."""
    own = {team.receiver_of(owner, now) for owner in stop.owners}
    found = [one for one in targets if one.name in own and not one.disabled and one.wants(notice)]
    return found or default_hearers(targets, definitions, notice)
