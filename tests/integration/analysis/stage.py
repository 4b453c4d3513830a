"""A history written as the engine writes it, and a gateway that serves it: what is asked, and what it must answer, is known."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import numpy as np
from tests.integration.api_gateway.world import Served, serving
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common import catalogue as catalogues
from common.auth.keys import mint
from common.auth.store import insert_key
from common.catalogue.models import Catalogue
from common.clock import Clock, SystemClock
from common.contracts.instants import microseconds
from kpi_engine.domain.batch import TenantBatch


class History(Stage):
    """Writes events that arrived when they happened, unless told otherwise."""

    arrived_at: datetime | None = None

    def __init__(self, url: str, catalogue: Catalogue, clock: Clock) -> None:
        super().__init__(url, catalogue, clock)
        self._known: dict[tuple[int, str], int] = {}

    def account(self, name: str) -> int:
        return self._once((0, name), lambda: super(History, self).account(name))

    def person(self, account: int, name: str | None) -> int:
        return (
            self._once((account, name or ""), lambda: super(History, self).person(account, name))
            if account
            else 0
        )

    def _once(self, key: tuple[int, str], make: Callable[[], int]) -> int:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def batch(self, events: Sequence[Ev]) -> TenantBatch:
        stamps = [microseconds(self.arrived_at or event.at) for event in events]
        return replace(super().batch(events), ingested_at_us=np.array(stamps, np.int64))

    def tell(self, events: Iterable[Ev], arrived_at: datetime | None = None) -> None:
        self.arrived_at = arrived_at
        self.write(sorted(events, key=lambda event: event.order))

    def applied(self, at: datetime) -> None:
        """Say that everything that arrived by then is counted."""
        self.conn.execute(
            "insert into engine.progress (topic, partition, partitions, applied_at) values ('bellwether.events.v1', 0, 6, %s) "
            "on conflict (topic, partition) do update set applied_at = excluded.applied_at",
            (at,),
        )
        self.conn.execute(
            "insert into engine.account_state (account_id, tenant_id, computed_at, due_at, first_event_at, last_activity_at) "
            "select account_id, tenant_id, now(), now(), first_event_at, last_activity_at from engine.account_seen on conflict do nothing"
        )


class Told:
    """A gateway with a history behind it."""

    def __init__(self, served: Served, history: History, keys: Mapping[str, str]) -> None:
        self._served, self.history, self._keys = served, history, keys

    def send(self, method: str, path: str, body: Any = None, scope: str = "read") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._keys[scope]}"}
        return self._served.client.request(method, path, json=body, headers=headers, timeout=60)

    def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.send("POST", path, body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> dict[str, Any]:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def telling(url: str, *versions: Catalogue) -> Iterator[Told]:
    """Definitions are applied in order; the last one counts the history."""
    history = History(url, versions[-1], SystemClock())
    keys = {}
    for scope in ("read", "act"):
        made = mint(scope, history.tenant_id, "t", f"{scope} key")
        insert_key(history.conn, made.row)
        keys[scope] = made.text
    for version in versions:
        catalogues.apply(history.conn, "t", version)
    with serving(url) as served:
        yield Told(served, history, keys)
    history.close()
