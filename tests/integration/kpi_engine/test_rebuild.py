"""Histories of events and decisions leave the figures of the events that stand, and making them anew changes no cell."""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.figure_tables import figure_tables
from tests.integration.kpi_engine.test_corrections import world
from tests.integration.kpi_engine.test_engine import EVENTS, NOW, PARTITIONS, World, event
from tests.reference.standing import Event, Standing

from common.auth.store import ensure_tenant
from common.catalogue import apply, load
from common.catalogue.loading import base_pack
from common.contracts.record import pack_events, partition_of
from common.control import backfills
from common.control.log import Kind, NewEntry, append, entry
from kpi_engine.consumer.loop import Engine

__all__ = ["world"]

ACCOUNTS = ("acme", "globex")
_numbers = count()


def said(kind: str, day: int, account: str, user: str, value: int) -> dict[str, Any]:
    """What an event says besides who it is."""
    data: dict[str, dict[str, Any]] = {
        "user.logged_in": {},
        "feature.used": {"feature": f"f{value % 2}", "value": value},
        "user.updated": {"traits": {"is_internal": value % 2 == 0}},
        "survey.responded": {"survey": "s", "kind": "nps", "score": value},
        "ticket.opened": {"ticket": f"t{value % 2}"},
        "subscription.started": {"subscription": "s", "mrr": str(value), "currency": "EUR"},
        "subscription.cancelled": {"subscription": "s"},
    }
    at = NOW - timedelta(days=day, hours=value)
    return {"type": kind, "time": at.isoformat(), "subject": account, "data": {"user": user, **data[kind]}}


kinds = st.sampled_from(
    ["user.logged_in", "user.logged_in", "feature.used", "user.updated", "survey.responded", "ticket.opened",
     "subscription.started", "subscription.cancelled"]
)  # fmt: skip
sayings = st.builds(
    said,
    kinds,
    st.integers(0, 40),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(["ann", "bob"]),
    st.integers(0, 10),
)
ids = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("send"), st.lists(st.tuples(ids, sayings), min_size=1, max_size=6)),
    st.tuples(st.just("send"), st.lists(st.tuples(ids, sayings), min_size=1, max_size=6)),
    st.tuples(st.just("load"), st.lists(st.tuples(ids, sayings), min_size=1, max_size=6)),
    st.tuples(st.just("amend"), ids, sayings),
    st.tuples(st.just("delete"), ids),
    st.tuples(st.just("close")),
    st.tuples(st.just("revert")),
)


# Whether a company has such data at all is no reason to compute every account anew: it follows at the account's next turn.
_OF_THE_COMPANY = {"active_users_28d_before", "days_not_asked", "key_users_28d"}
_ARRIVED = re.compile(r', "newest_ingest_at": "[^"]*"')


@dataclass
class Life:
    """One tenant that lives through a history, and what must stand after it."""

    world: World
    engine: Engine
    slug: str
    tenant_id: int
    accounts: dict[int, str] = field(default_factory=dict)
    plain: Standing = field(default_factory=Standing)
    opened: str | None = None
    closed: str | None = None

    def live(self, step: tuple[Any, ...]) -> None:
        """Whatever changes a figure moves the tenant's standing, by which readers know that what they keep is old."""
        before = self._standing(), self.figures(), self.states()
        getattr(self, f"_{step[0]}")(*step[1:])
        self.compute()
        shown = self.figures(), self.states()
        assert shown == before[1:] or self._standing() != before[0], step

    def compute(self) -> None:
        """All accounts, which are computed once a second at most."""
        for _ in range(3):
            self.world.clock.advance(timedelta(seconds=1))
            self.engine.quiet_work_now()
            self.engine.step()

    def states(self) -> list[Any]:
        states = "select account, traits, figures, mrr from published.account where tenant_id = %s order by 1"
        return [
            (
                account,
                traits,
                {name: its for name, its in figures.items() if name not in _OF_THE_COMPANY},
                mrr,
            )
            for account, traits, figures, mrr in self._rows(states)
        ]

    def _standing(self) -> list[Any]:
        return self._rows("select * from published.standing where tenant_id = %s order by partition")

    def _rows(self, query: str) -> list[Any]:
        return self.world.connection.execute(query.encode(), (self.tenant_id,)).fetchall()

    def _event(self, number: int, saying: dict[str, Any]) -> Event:
        # An id belongs to an account: the first one that uses it.
        account = self.accounts.setdefault(number, saying["subject"])
        return event(number) | saying | {"subject": account, "id": f"e{number}"}

    def _send(self, drawn: list[tuple[int, dict[str, Any]]]) -> None:
        events = [self._event(*one) for one in drawn]
        self.world.send(*events, tenant=self.slug)
        self.world.drain(self.engine)
        for one in events:
            self.plain.send(one)

    def _load(self, drawn: list[tuple[int, dict[str, Any]]]) -> None:
        if self.opened is None:
            connection = self.world.connection
            self.opened = backfills.open_backfill(connection, self.tenant_id, "", "k", NOW).id
        stamp = int(NOW.timestamp() * 1_000_000)
        for one in drawn:
            made = self._event(*one)
            partition = partition_of(self.slug, made["subject"], PARTITIONS)
            body = _json(made)
            record = pack_events(EVENTS, partition, self.slug, stamp, [body], backfill=self.opened)
            self.world.broker.producer().send(record).result()
            self.plain.load(self.opened, made)
        self.world.drain(self.engine)

    def _amend(self, number: int, saying: dict[str, Any]) -> None:
        corrected = self._event(number, saying)
        self._decide("amendment", corrected["subject"], corrected["id"], _json(corrected).decode())
        self.plain.amend(corrected)

    def _delete(self, number: int) -> None:
        account = self.accounts.get(number, "acme")
        self._decide("deletion", account, f"e{number}", None)
        self.plain.delete((account, "app", f"e{number}"))

    def _close(self) -> None:
        if self.opened is not None and self.closed is None:
            asked = backfills.close(self.world.connection, self.tenant_id, self.opened, "k", NOW)
            self._settle(asked.close_entry)
            self.plain.close(self.opened)
            self.opened, self.closed = None, self.opened

    def _revert(self) -> None:
        if self.closed is not None:
            asked = backfills.revert(self.world.connection, self.tenant_id, self.closed, "k", NOW)
            self._settle(asked.revert_entry)
            self.plain.revert(self.closed)
            self.closed = None

    def rebuild(self) -> None:
        self._settle(append(self.world.connection, self.tenant_id, NewEntry("rebuild", "", "k"), NOW))

    def _decide(self, kind: Kind, account: str, event_id: str, body: str | None) -> None:
        new = NewEntry(kind, "", "k", account=account, source="app", event_id=event_id, body=body)
        self._settle(append(self.world.connection, self.tenant_id, new, NOW))

    def _settle(self, entry_id: str | None) -> None:
        assert entry_id is not None
        for _ in range(50):
            self.engine.quiet_work_now()
            self.engine.step()
            found = entry(self.world.connection, self.tenant_id, EVENTS, entry_id)
            if found is not None and found.state != "pending":
                return
        raise AssertionError("the entry was not applied")

    def figures(self) -> dict[str, set[str]]:
        tables = figure_tables(self.world.connection, self.tenant_id)
        # Time passes between what is compared.
        return tables | {"account_seen": {_ARRIVED.sub("", row) for row in tables["account_seen"]}}


def _json(made: Event) -> bytes:
    return json.dumps(made).encode()


@pytest.fixture
def engine(world: World) -> Engine:
    made = world.engine()
    made.step()
    return made


def born(world: World, engine: Engine) -> Life:
    """A tenant whose accounts lie in the same partitions as every other one's."""
    wanted = [0, 1]
    slug = next(
        slug
        for slug in (f"life{number}" for number in _numbers)
        if [partition_of(slug, account, PARTITIONS) for account in ACCOUNTS] == wanted
    )
    tenant_id = ensure_tenant(world.connection, slug)
    apply(world.connection, slug, load(base_pack()))
    engine.quiet_work_now()
    engine.step()
    return Life(world, engine, slug, tenant_id)


@given(history=st.lists(steps, min_size=2, max_size=9))
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_stands_is_counted_and_a_rebuild_changes_no_cell(
    world: World, engine: Engine, history: list[tuple[Any, ...]]
) -> None:
    life = born(world, engine)
    for step in history:
        life.live(step)
    lived = life.figures(), life.states()
    straight = born(world, engine)
    if standing := list(life.plain.events.values()):
        world.send(*standing, tenant=straight.slug)
        world.drain(engine)
    straight.compute()
    assert lived == (straight.figures(), straight.states())
    life.rebuild()
    life.compute()
    assert (life.figures(), life.states()) == lived


def test_a_mark_takes_out_of_a_rebuild_only_what_is_written_by_then(world: World, engine: Engine) -> None:
    """A piece ends with the chunk in which it is full. The events of later pieces are stored already, and don't count anyway."""
    life = born(world, engine)
    marked = said("user.updated", 20, "acme", "ann", 2)
    for number, saying in enumerate(
        [said("user.logged_in", 30, "acme", "ann", 1), marked, said("user.logged_in", 9, "acme", "ann", 1)]
    ):
        life.live(("send", [(4 * number + n, saying) for n in range(4)]))
    unmarked = said("user.updated", 10, "acme", "ann", 3)
    for number, saying in enumerate([unmarked, said("user.logged_in", 8, "acme", "ann", 1)], 3):
        life.live(("send", [(4 * number + n, saying) for n in range(4)]))
    lived = life.figures()
    life.rebuild()
    assert life.figures() == lived
