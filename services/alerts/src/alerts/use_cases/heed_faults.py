"""Tells people, once, that something does not arrive, and once that it does again; takes back what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from alerts.domain.cases import NoticeType
from alerts.domain.episodes import Reason
from alerts.domain.faults import broken_notice, mended_notice
from alerts.domain.inhibition import Fault
from alerts.domain.routing import Route, Target
from alerts.ports.ledger import Ledger
from alerts.ports.records import Definitions, Notification
from alerts.ports.tracking import News
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.evaluate import Evaluator


@dataclass(frozen=True)
class HeedFaults:
    """A chore. Doing it twice tells nothing twice: what was told is written with the notice."""

    evaluator: Evaluator
    calm: CalmAccounts
    public_url: str
    name: str = "tracking"
    every: timedelta = timedelta(seconds=5)

    def round(self, ledger: Ledger, now: datetime) -> None:
        by_tenant: dict[int, list[News]] = {}
        for news in ledger.tracking_news():
            by_tenant.setdefault(news.fault.tenant_id, []).append(news)
        for tenant_id, all_news in by_tenant.items():
            definitions = ledger.definitions(tenant_id)
            if definitions is None:
                continue
            with ledger.transaction():
                self._tell(ledger, definitions, all_news, now)

    def _tell(self, ledger: Ledger, definitions: Definitions, news: Sequence[News], now: datetime) -> None:
        broken = [one.fault for one in news if one.until is None]
        if broken:
            rules = _held(definitions, broken)
            withdrawn = self._take_back(ledger, definitions, broken, rules, now)
            ledger.note_broken(broken, withdrawn, now)
            body = broken_notice(broken, rules, withdrawn, self.public_url, now)
            self._send(ledger, definitions, NoticeType.TRACKING_BROKEN, body, broken, now)
        ended = {one.fault: one.until for one in news if one.until is not None}
        if ended:
            ledger.note_mended(list(ended), now)
            retired = {one.fault for one in news if one.retired}
            body = mended_notice(ended, retired, self.public_url, now)
            self._send(ledger, definitions, NoticeType.TRACKING_MENDED, body, list(ended), now)

    def _take_back(
        self,
        ledger: Ledger,
        definitions: Definitions,
        broken: Sequence[Fault],
        rules: Sequence[str],
        now: datetime,
    ) -> int:
        """Asks again about accounts on which something fired meanwhile: held rules take back what time alone made fire."""
        since = min(fault.broken.since for fault in broken)
        accounts = ledger.fired_since(definitions.tenant_id, rules, since)
        for account_id in accounts:
            self.calm.discard(account_id)
        self.evaluator.evaluate(ledger, accounts, now)
        return ledger.taken_back(definitions.tenant_id, Reason.TRACKING_BROKEN.value, now)

    def _send(
        self,
        ledger: Ledger,
        definitions: Definitions,
        notice: NoticeType,
        body: dict[str, Any],
        faults: Sequence[Fault],
        now: datetime,
    ) -> None:
        text = orjson.dumps(body).decode()
        # What is found again after a restore is told under the id that receivers know.
        occasion = " ".join(sorted(f"{one.kind}/{one.name}/{one.broken.since.isoformat()}" for one in faults))
        hearing = default_hearers(ledger.targets(definitions.tenant_id), definitions, notice)
        ledger.add_notifications(
            [
                Notification("", definitions.tenant_id, target.receiver_id, None, notice, text, now, occasion)
                for target in hearing
            ]
        )


def _held(definitions: Definitions, faults: Sequence[Fault]) -> list[str]:
    broken = [fault.broken for fault in faults]
    return sorted(name for name, reads in definitions.reads.items() if reads.is_hit(broken))


def default_hearers(targets: Sequence[Target], definitions: Definitions, notice: NoticeType) -> list[Target]:
    """The receivers of the routes that match any case; without any those that no route names, and without these all of the team's."""
    routes = definitions.routes
    default = {name for route in routes if _is_default(route) for name in route.receivers}
    routed = {name for route in routes for name in route.receivers} | definitions.team.receivers
    wanting = [target for target in targets if not target.disabled and target.wants(notice)]
    return (
        [target for target in wanting if target.name in default]
        or [target for target in wanting if target.name not in routed]
        or [target for target in wanting if target.name not in definitions.team.receivers]
    )


def _is_default(route: Route) -> bool:
    return not (route.severities or route.owners or route.segments or route.rules)
