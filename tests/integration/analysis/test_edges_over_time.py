"""By night every edge is looked at once a week; that one stopped to hold, and that it holds again, is written down once."""

import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.lives import DAY, WEEK, life
from tests.integration.analysis.stage import History
from tests.integration.analysis.test_driving import BELIEVED, LEAD_WEEKS, base, definitions, monday
from tests.integration.api_gateway.world import Served, serving
from tests.integration.kpi_engine.figures_stage import Ev

from api_gateway.adapters.analysis import PostgresAnalysis
from api_gateway.adapters.edge_book import PostgresEdgeBook
from api_gateway.domain.lasting import LOOKS
from api_gateway.http import analysis_schemas as schemas
from api_gateway.ports.analysis import Look
from api_gateway.use_cases.watch_edges import MOST_TIME, WatchEdges
from common import catalogue as catalogues
from common.aside import Aside
from common.auth.keys import mint
from common.auth.store import ensure_tenant, insert_key
from common.catalogue.models import Catalogue
from common.catalogue.tree import Driver
from common.clock import FixedClock, SystemClock
from common.db.pool import Pool, open_pool
from common.errors import Unavailable

ENOUGH = LOOKS["week"]
ACCOUNTS, WEEKS, ENDS = 220, 52, 35
EDGE = "logins_to_grr"


def night() -> datetime:
    return monday() + timedelta(hours=2)


def one_edge(**changes: Any) -> Catalogue:
    edge = Driver.model_validate({**BELIEVED, **changes})
    return definitions().model_copy(update={"drivers": {edge.name: edge}})


def ended(seed: int) -> Iterator[Ev]:
    """Who falls silent leaves four weeks later, for 35 weeks; in the 17 after them as many fall silent, and others leave."""
    rng, start = random.Random(seed), monday() - WEEKS * WEEK
    for number in range(ACCOUNTS):
        name, usual = f"account-{number:03}", rng.randrange(4, 8)
        falls = rng.randrange(3, WEEKS - 1) if rng.random() < 0.6 else None
        early = falls is not None and falls + LEAD_WEEKS < ENDS
        leaves = falls + LEAD_WEEKS if falls is not None and early else None
        if leaves is None and rng.random() < 0.35:
            leaves = rng.randrange(ENDS, WEEKS)
        yield from life(rng, start, WEEKS, name, "small", usual, falls, leaves)


class Slow(PostgresAnalysis):
    """Looks that take so long by the test's clock."""

    def __init__(self, pool: Pool, clock: FixedClock, each_takes: timedelta) -> None:
        super().__init__(pool, clock)
        self._passing, self._each_takes = clock, each_takes

    @contextmanager
    def look(self, tenant_id: int) -> Iterator[Look]:
        with super().look(tenant_id) as look:
            yield look
        self._passing.advance(self._each_takes)


class Failing(PostgresAnalysis):
    """The first look that is asked for fails."""

    def __init__(self, pool: Pool, clock: FixedClock, error: Exception) -> None:
        super().__init__(pool, clock)
        self._errors = [error]

    @contextmanager
    def look(self, tenant_id: int) -> Iterator[Look]:
        if self._errors:
            raise self._errors.pop()
        with super().look(tenant_id) as look:
            yield look


class Nights:
    """A gateway, and the process that looks by night, with a clock of its own."""

    def __init__(self, url: str, conn: psycopg.Connection[tuple[Any, ...]], served: Served, key: str) -> None:
        self.url, self.conn, self.clock = url, conn, FixedClock(night())
        self._served, self._headers = served, {"Authorization": f"Bearer {key}"}
        [(self.tenant_id,)] = self.rows("select id from control.tenant")

    def drivers(self, query: str = "") -> list[dict[str, Any]]:
        """What the API says of the edges now."""
        answer = self._served.client.get(f"/v1/drivers{query}", headers=self._headers, timeout=60)
        found = answer.json()
        schemas.Drivers.model_validate(found)
        edges: list[dict[str, Any]] = found["data"]
        return edges

    def look(self, at: datetime | None = None, each_takes: timedelta = timedelta(0)) -> int:
        """One round, from then on."""
        self.clock.advance((at or night()) - self.clock.now())
        return self._round(lambda pool: Slow(pool, self.clock, each_takes))

    def look_and_fail(self, error: Exception) -> int:
        """A round whose first look fails."""
        return self._round(lambda pool: Failing(pool, self.clock, error))

    def _round(self, analysis: Callable[[Pool], PostgresAnalysis]) -> int:
        pool = open_pool(self.url, "edges", 1, 1)
        try:
            with psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC") as connection:
                return WatchEdges(PostgresEdgeBook(connection), analysis(pool), self.clock).round()
        finally:
            pool.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.conn.execute(query).fetchall()

    def looks(self) -> list[tuple[str | None, str]]:
        return self.rows("select segment, state from control.edge_look order by through, segment nulls first")

    def stops(self) -> list[tuple[str | None, bool]]:
        """Segment, and whether it holds again."""
        return self.rows("select segment, holds_again_at is not null from published.edge_stop order by id")

    def saw(self, *states: str) -> None:
        """What earlier looks found of all accounts, up to a week before the latest one, which there must be."""
        for before, state in enumerate(reversed(states), start=1):
            self.conn.execute(
                "insert into control.edge_look (tenant_id, edge, segment, through, meaning, catalogue_version, looked_at, state, accounts) "
                "select tenant_id, edge, segment, through - 7 * %s, meaning, catalogue_version, looked_at, %s, accounts "
                "from control.edge_look where segment is null and through = %s",
                (before, state, monday().date()),
            )

    def again(self) -> list[tuple[str | None, bool]]:
        """Which edges stopped, after the latest look is made once more."""
        self.conn.execute("delete from control.edge_look where through = %s", (monday().date(),))
        assert self.look()
        return self.stops()


def written(server: PostgresServer, template: str, events: Iterator[Ev], catalogue: Catalogue) -> str:
    """The name of a database with this history, which nobody uses."""
    name = f"nights_{uuid.uuid4().hex}"
    server.execute("create database {} template {} strategy file_copy", name, template)
    history = History(server.database_url(name), catalogue, SystemClock())
    catalogues.apply(history.conn, "t", catalogue)
    history.tell(events)
    history.applied(SystemClock().now())
    history.conn.execute(
        "update engine.account_state s set traits = jsonb_build_object('segment', t.value) "
        "from engine.trait t where t.account_id = s.account_id and t.name = 'segment'"
    )
    history.close()
    server.to_be_cloned(name)
    return name


@pytest.fixture(scope="module")
def followed(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    name = written(postgres_server, migrated_template, base(3, follows=True), definitions())
    yield name
    postgres_server.drop(name)


@pytest.fixture(scope="module")
def over(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    name = written(postgres_server, migrated_template, ended(5), one_edge())
    yield name
    postgres_server.drop(name)


@contextmanager
def nights(server: PostgresServer, history: str) -> Iterator[Nights]:
    name = f"nights_{uuid.uuid4().hex}"
    server.execute("create database {} template {} strategy file_copy", name, history)
    url = server.database_url(name)
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as conn:
        key = mint("read", 1, "t", "read key")
        insert_key(conn, key.row)
        with serving(url) as served:
            yield Nights(url, conn, served, key.text)
    server.drop(name)


@pytest.fixture
def holding(postgres_server: PostgresServer, followed: str) -> Iterator[Nights]:
    with nights(postgres_server, followed) as made:
        yield made


@pytest.fixture
def gone(postgres_server: PostgresServer, over: str) -> Iterator[Nights]:
    with nights(postgres_server, over) as made:
        yield made


def test_each_edge_is_looked_at_once_a_week_as_the_api_does(holding: Nights) -> None:
    assert [holding.look(night() + hours * timedelta(hours=1)) for hours in (-2, 5)] == [0, 0], "it is day"
    assert holding.look() == len(definitions().drivers)
    assert [holding.look(night() + hours * timedelta(hours=1)) for hours in (1, 24)] == [0, 0]
    [edge, shared] = holding.drivers()
    assert shared["state"] == "shared_events"
    kept = holding.rows(
        "select segment, state, accounts, lead, lead_low, lead_high, correlation, low, high, catalogue_version, through "
        f"from control.edge_look where edge = '{EDGE}' order by segment nulls first"
    )
    apart = sorted(edge["segments"], key=lambda one: one["segment"])
    assert kept == [
        (
            one.get("segment"), one["state"], one["accounts"], *((one["lead"] or {}).get(name) for name in ("value", "low", "high")),
            *((one["correlation"] or {}).get(name) for name in ("value", "low", "high")), 1, monday().date(),
        )
        for one in (edge, *apart)
    ]  # fmt: skip
    assert holding.stops() == []
    again = holding.drivers()[0]
    assert (again["held_until"], again["stopped_at"]) == (monday().date().isoformat(), None)


def test_what_a_round_has_no_time_for_is_looked_at_by_the_next_one(holding: Nights) -> None:
    hours = [night() + n * timedelta(hours=1) for n in range(3)]
    assert [holding.look(at, MOST_TIME) for at in hours] == [1, 1, 0]
    assert len({edge for (edge,) in holding.rows("select edge from control.edge_look")}) == 2


def test_an_edge_that_stopped_is_written_down_once_and_not_after_one_look(gone: Nights) -> None:
    assert gone.look() == 1
    assert gone.looks() == [(None, "stopped"), ("small", "stopped")]
    assert gone.stops() == [], "it was never seen to hold"
    gone.saw(*["holds"] * ENOUGH, *["stopped"] * (ENOUGH - 1))
    assert gone.again() == [(None, False)], "and of the segment nothing is known"
    stop = "select driver, moves, owners, says, held_until, stopped_at from published.edge_stop"
    [(driver, moves, owners, says, held_until, stopped_at)] = gone.rows(stop)
    assert (driver, moves, stopped_at) == (BELIEVED["driver"], BELIEVED["moves"], night())
    [edge] = gone.drivers()
    assert (edge["held_until"], edge["stopped_at"]) == (held_until.isoformat(), night().isoformat())
    assert [(one["held_until"], one["stopped_at"]) for one in edge["segments"]] == [(None, None)]
    [apart] = gone.drivers("?by=segment:large_ones")
    assert [(one["held_until"], one["stopped_at"]) for one in apart["segments"]] == [(None, None)]
    assert owners[0] == BELIEVED["owner"]
    assert says.endswith("so it was, and in the latest weeks it isn't.")
    assert held_until == (monday() - ENOUGH * WEEK).date()
    assert gone.again() == [(None, False)], "once"


def test_an_edge_that_holds_again_is_written_down_once(holding: Nights) -> None:
    holding.look()
    holding.conn.execute(
        "insert into control.edge_stop (tenant_id, edge, driver, moves, owners, says, held_until, stopped_at) "
        "values (%s, %s, 'a', 'b', '{}', '-', '2026-01-01', now())",
        (holding.tenant_id, EDGE),
    )
    holding.saw(*["stopped"] * 3, *["holds"] * (ENOUGH - 2))
    assert holding.again() == [(None, False)], "not after so few looks"
    holding.conn.execute(
        "update control.edge_look set state = 'holds' where segment is null and edge = %s", (EDGE,)
    )
    assert holding.again() == holding.again() == [(None, True)]


def test_under_another_definition_an_edge_begins_anew(gone: Nights) -> None:
    gone.look()
    gone.saw(*["holds"] * ENOUGH, *["stopped"] * (ENOUGH - 1))
    assert gone.again() == [(None, False)]
    catalogues.apply(gone.conn, "t", one_edge(why="Because."))
    assert (gone.look(), len(gone.stops())) == (0, 1), "other words are no other definition"
    catalogues.apply(gone.conn, "t", one_edge(lag_days=30))
    asked = gone.drivers()[0]
    assert (asked["held_until"], asked["stopped_at"]) == (None, None), "nobody looked at that one yet"
    assert (gone.look(), gone.stops()) == (1, [])
    assert gone.looks() == [(None, "stopped"), ("small", "stopped")]
    catalogues.apply(gone.conn, "t", one_edge(name="another", lag_days=30))
    assert gone.look() == 1
    assert gone.rows("select distinct edge from control.edge_look") == [("another",)]


def test_a_fault_of_tracking_ends_nothing(gone: Nights) -> None:
    gone.look()
    gone.saw(*["holds"] * ENOUGH, *["stopped"] * (ENOUGH - 1))
    since = night() - 15 * DAY
    for kind, until in (("complaint.filed", None), ("user.logged_in", since + 15 * DAY)):
        gone.conn.execute(
            "insert into engine.tracking_spell (tenant_id, kind, name, since, found_at, until, expected, seen, types, share) "
            "values (%s, 'type', %s, %s, now(), %s, 9, 0, array[%s], 0.1)",
            (gone.tenant_id, kind, since, until, kind),
        )
    assert gone.again() == []
    assert gone.looks()[-2:] == [(None, "tracking_broken"), ("small", "tracking_broken")]
    gone.conn.execute("delete from engine.tracking_spell where name = 'user.logged_in'")
    assert gone.again() == [(None, False)]


def test_who_is_being_loaded_waits_and_who_can_not_be_read_stops_nobody(holding: Nights) -> None:
    other = ensure_tenant(holding.conn, "a-first-one")
    catalogues.apply(holding.conn, "a-first-one", one_edge())
    holding.conn.execute(
        "update control.definition set body = jsonb_set(body, '{drivers}', '7') where tenant_id = %s",
        (other,),
    )
    load = "insert into control.load (id, tenant_id, description, heartbeat_at) values (gen_random_uuid(), %s, '-', now())"
    holding.conn.execute(load, (holding.tenant_id,))
    assert holding.look() == 0
    holding.conn.execute("delete from control.load")
    with psycopg.connect(holding.url, autocommit=True) as busy:
        assert PostgresEdgeBook(busy).try_lease()
        assert holding.look() == 0
        PostgresEdgeBook(busy).release()
    assert holding.look() == len(definitions().drivers)


def test_an_edge_that_can_not_be_looked_at_keeps_no_other_from_it_and_a_lost_database_ends_the_round(
    holding: Nights,
) -> None:
    with pytest.raises(Unavailable):
        holding.look_and_fail(Unavailable("database-unavailable", "gone"))
    assert holding.looks() == []
    assert holding.look_and_fail(ZeroDivisionError()) == len(definitions().drivers) - 1
    assert holding.look() == 1, "the other one, by the next round"


def test_the_process_that_looks_keeps_what_it_found(holding: Nights) -> None:
    """In whatever zone it is two o'clock at night."""
    hours = (SystemClock().now().hour - 2 + 12) % 24 - 12
    zone = f"Etc/GMT{hours:+d}"
    # Another zone that is applied would be in force only once the past is counted by it.
    there = "update control.definition set body = jsonb_set(body, '{settings,timezone}', to_jsonb(%s::text))"
    holding.conn.execute(there, (zone,))
    environment = {**os.environ, "DATABASE_URL": holding.url}
    assert Aside("api_gateway", "--watch-edges", environment).step() == 0
    assert dict(holding.looks())[None] in ("holds", "shared_events")
