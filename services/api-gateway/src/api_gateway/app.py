"""The wiring: the only reader of settings."""

import asyncio
import os
import resource
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api_gateway.adapters.accounts import PostgresAccounts
from api_gateway.adapters.analysis import PostgresAnalysis
from api_gateway.adapters.annotations import PostgresAnnotations
from api_gateway.adapters.cases import PostgresCases
from api_gateway.adapters.changes import PostgresChanges
from api_gateway.adapters.corrections import PostgresCorrections
from api_gateway.adapters.edge_book import PostgresEdgeBook
from api_gateway.adapters.figures import PostgresFigures
from api_gateway.adapters.health import PostgresHealth
from api_gateway.adapters.imports import PostgresImports
from api_gateway.adapters.loads import PostgresLoads
from api_gateway.adapters.people import PostgresPeople
from api_gateway.adapters.renewals import PostgresRenewals
from api_gateway.adapters.services import HttpService
from api_gateway.adapters.sessions import PostgresSessions
from api_gateway.adapters.tracking import PostgresTracking
from api_gateway.adapters.traits import PostgresTraits
from api_gateway.http.access import Access
from api_gateway.http.application import Parts, application
from api_gateway.http.forwarding import Forwarding
from api_gateway.http.live_events import LiveEvents
from api_gateway.http.stream import Streams
from api_gateway.metrics import GatewayMetrics
from api_gateway.settings import EventSettings, GatewaySettings, SharedSettings
from api_gateway.use_cases.change_feed import ChangeFeed
from api_gateway.use_cases.hub import Hub, Limits
from api_gateway.use_cases.resume import Resume
from api_gateway.use_cases.sessions import Sessions
from api_gateway.use_cases.snapshots import Snapshots
from api_gateway.use_cases.watch_edges import WatchEdges
from common import logs
from common.aside import Aside
from common.auth.ring import KeyRing
from common.auth.store import key_loader
from common.clock import Clock, SystemClock
from common.db.listen import Listener
from common.db.migrate import check_version
from common.db.pool import Pool, borrow, database_check, open_pool
from common.errors import Unavailable
from common.http.ops import Drain

CHANNEL = "bellwether_change"
WATCH_EDGES = "--watch-edges"
_STOP_SECONDS = 3.0
# It is begun again within the hour whatever the status; that only tells the log why.
EXIT_TRANSIENT = 3


@dataclass(frozen=True, slots=True)
class Gateway:
    """The application, and what to call when the process is told to end."""

    app: FastAPI
    hub: Hub
    drain: Drain

    def end(self) -> None:
        """Turn unready and end all streams, so that the server can stop. Safe in a signal handler."""
        self.drain.start()
        self.hub.close()


def build(shared: SharedSettings, own: GatewaySettings, events: EventSettings) -> Gateway:
    """Make all parts; nothing is started before the server's loop runs."""
    clock, registry = SystemClock(), CollectorRegistry()
    metrics, drain = GatewayMetrics(registry), Drain()
    pool = open_pool(shared.database_url, "bellwether-gateway", 2, own.pool_size)
    ring = KeyRing(key_loader(pool))
    sessions = Sessions(PostgresSessions(pool), ring, clock, timedelta(seconds=own.session_seconds))
    figures, cases = PostgresFigures(pool, clock), PostgresCases(pool)
    accounts = PostgresAccounts(pool, shared.bellwether_events_topic, figures.health_profiles)
    changes = PostgresChanges(pool, shared.bellwether_events_topic)
    hub = Hub(Limits(own.streams, own.streams_per_key, own.stream_queue))
    snapshots = Snapshots(figures, hub, metrics, clock)
    feed = ChangeFeed(changes, cases, accounts, hub, snapshots.changed, metrics, clock)
    services = [
        HttpService("alerts", own.alerts_url, own.forward_seconds),
        HttpService("ingest", own.ingest_url, own.forward_seconds),
    ]
    ingest = Forwarding(services[1], metrics)
    parts = Parts(
        access=Access(ring, sessions, clock),
        sessions=sessions,
        accounts=accounts,
        cases=cases,
        figures=figures,
        analysis=PostgresAnalysis(pool, clock),
        annotations=PostgresAnnotations(pool),
        loads=PostgresLoads(pool),
        corrections=PostgresCorrections(pool, shared.bellwether_events_topic),
        terms=events.terms,
        imports=PostgresImports(pool),
        traits=PostgresTraits(pool),
        tracking=PostgresTracking(pool),
        health=PostgresHealth(pool),
        renewals=PostgresRenewals(pool),
        people=PostgresPeople(pool, figures),
        streams=Streams(hub, Resume(changes, cases, accounts), snapshots, metrics, own.stream_send_seconds),
        alerts=Forwarding(services[0], metrics),
        ingest=ingest,
        live_events=LiveEvents(hub, ingest, metrics, own.stream_send_seconds),
        clock=clock,
        metrics=metrics,
        registry=registry,
        checks={
            "database": database_check(pool),
            "feed": lambda: None if hub.position is not None else "the change feed has not been read yet",
        },
        drain=drain,
        secure_cookies=own.secure_cookies,
    )
    edges = Aside("api_gateway", WATCH_EDGES, os.environ)
    running = _Running(pool, hub, feed, snapshots, edges, services, shared.database_url)
    return Gateway(application(parts, running.lifespan), hub, drain)


@dataclass(frozen=True, slots=True)
class _Running:
    """What runs beside the server."""

    pool: Pool
    hub: Hub
    feed: ChangeFeed
    snapshots: Snapshots
    edges: Aside
    services: list[HttpService]
    database_url: str

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        _allow_many_connections()
        self.hub.attach(asyncio.get_running_loop())
        stop = threading.Event()
        threads = [
            threading.Thread(
                target=self.feed.run,
                args=(Listener(self.database_url, CHANNEL), stop),
                name="change-feed",
                daemon=True,
            ),
            threading.Thread(target=self.snapshots.run, args=(stop,), name="snapshots", daemon=True),
        ]
        for thread in threads:
            thread.start()
        self.edges.start()
        try:
            yield
        finally:
            stop.set()
            self.edges.stop()
            for thread in threads:
                await asyncio.to_thread(thread.join, _STOP_SECONDS)
            for service in self.services:
                await service.close()
            await asyncio.to_thread(self.pool.close, _STOP_SECONDS)


def watch_edges(shared: SharedSettings, own: GatewaySettings, clock: Clock) -> int:
    """Look at the edges of every tree whose turn it is, then end; returns the exit status."""
    logs.configure(shared.log_level)
    most = own.watch_edges_memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    pool = open_pool(shared.database_url, "bellwether-gateway-edges", 1, 2)
    try:
        with borrow(pool) as connection:
            connection.autocommit = True  # each edge is a transaction of its own
            check_version(connection)
            WatchEdges(PostgresEdgeBook(connection), PostgresAnalysis(pool, clock), clock).round()
    except Unavailable as error:
        logs.get_logger("edges").warning("edges_lost_a_dependency", error=error.message)
        return EXIT_TRANSIENT
    finally:
        pool.close()
    return 0


def _allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: every stream is a connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
