"""Roles: `world` is the engine's side and the clock; `watcher` is one replica, moved on by hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from tests.integration.alerts.world import SECRET, TOPIC, World

from alerts.adapters.definitions import DefinitionStore
from alerts.adapters.ledger import PostgresLedger
from alerts.app import new_id
from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.use_cases.age import Ageing, Weighing
from alerts.use_cases.beat import Beating
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.chores import Chores
from alerts.use_cases.digest import Digesting
from alerts.use_cases.escalate import Escalating
from alerts.use_cases.evaluate import Evaluator
from alerts.use_cases.follow import Follower
from alerts.use_cases.heed_faults import HeedFaults
from alerts.use_cases.lines import KeepingLine
from alerts.use_cases.loads import LoadSweeper
from alerts.use_cases.losses import Reviewing
from alerts.use_cases.post import Post
from alerts.use_cases.storms import Calming
from alerts.use_cases.tell import Teller
from alerts.use_cases.tell_edges import TellEdges
from alerts.use_cases.upkeep import Upkeep
from common.catalogue.models import Receiver
from common.clock import FixedClock

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MAX_LAG = timedelta(seconds=60)


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(MONDAY_NOON)


@pytest.fixture
def world(postgres_url: str, clock: FixedClock) -> Iterator[World]:
    with connected(postgres_url) as connection:
        # A plain server partitions raw events by day, and the engine makes the days; one catch-all serves a test.
        if connection.execute(
            "select relkind from pg_class where oid = 'engine.raw_chunk'::regclass"
        ).fetchone() == ("p",):
            connection.execute(
                "create table if not exists engine.raw_chunk_any partition of engine.raw_chunk default"
            )
        made = World(postgres_url, connection, clock)
        made.tenant("acme", Receiver(name="team", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET))
        made.drained()
        yield made


@dataclass
class Watcher:
    """One replica without its threads: every step is taken by the test."""

    ledger: Ledger
    follower: Follower
    sweeper: LoadSweeper
    upkeep: Upkeep
    chores: Chores
    clock: FixedClock
    registry: CollectorRegistry

    @property
    def evaluated(self) -> int:
        """How many times the rules were asked about an account, so far."""
        return int(self.registry.get_sample_value("bellwether_alerts_accounts_evaluated_total") or 0)

    def follow(self) -> None:
        """Everything there is to do at this instant."""
        while self.follower.round(self.ledger, self.clock.now()):
            pass
        while self.follower.look_at_due(self.ledger, self.clock.now()):
            pass
        while self.sweeper.round(self.ledger, self.clock.now()):
            pass
        self.chores.round(self.ledger, self.clock.now())
        self.upkeep.tell_held_back(self.ledger, self.clock.now())


def replica(stack: ExitStack, world: World, trust_seconds: float = 0) -> Watcher:
    """One that looks at the world's database until the stack is left. The test's clock says nothing about the machine's, so as a rule it looks at
    definitions every time."""
    connection = stack.enter_context(connected(world.url))
    registry, calm = CollectorRegistry(), CalmAccounts()
    metrics = Metrics(registry)
    post = Post(new_id, "http://gateway.example", metrics)
    teller = Teller(post)
    evaluator = Evaluator(teller, metrics, new_id, calm)
    definitions = DefinitionStore(trust_seconds)
    return Watcher(
        PostgresLedger(connection, TOPIC, definitions),
        Follower(evaluator, calm, metrics, MAX_LAG),
        LoadSweeper(evaluator, new_id, "http://gateway.example", MAX_LAG),
        Upkeep(teller),
        Chores(
            (
                KeepingLine(lambda: new_id("line"), MAX_LAG),
                Ageing(teller),
                Weighing(),
                Escalating(post),
                Calming(post),
                Digesting(post),
                Reviewing(new_id),
                Beating(post, metrics, lambda: None, MAX_LAG),
                HeedFaults(evaluator, calm, "http://gateway.example"),
                TellEdges(post),
            )
        ),
        world.clock,
        registry,
    )


@pytest.fixture
def new_watcher(world: World) -> Iterator[Callable[..., Watcher]]:
    with ExitStack() as stack:
        yield lambda **options: replica(stack, world, **options)


@pytest.fixture
def watcher(new_watcher: Callable[..., Watcher]) -> Watcher:
    watcher = new_watcher()
    watcher.follow()
    return watcher
