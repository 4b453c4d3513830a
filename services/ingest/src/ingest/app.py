"""The wiring of ingest: settings in, a running service out."""

import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from common import logs
from common.auth.ring import KeyRing
from common.auth.store import key_loader
from common.catalogue import CatalogueInvalid, load
from common.catalogue.loading import base_pack
from common.clock import Clock, SystemClock
from common.contracts.event_types import TypeRules, rules_of
from common.db.pool import Pool, open_pool
from common.environment import tell_wrong
from common.errors import Unavailable
from common.http.ops import Drain, ops_routes
from common.http.serve import serve
from common.http.validation import install_handlers
from common.streams.kafka import KafkaProducerAdapter
from common.streams.port import Producer
from common.streams.topics import ensure_topics
from ingest.adapters.declared_types import DeclaredTypes
from ingest.adapters.fate_feed import FateFeed
from ingest.adapters.live_store import PostgresLiveStore
from ingest.adapters.open_backfills import OpenBackfills
from ingest.adapters.readiness import broker_check, tolerant_database_check
from ingest.adapters.workers import listen, run_workers
from ingest.domain.inflation import TooLarge
from ingest.http.callers import Callers
from ingest.http.door import Door, Route
from ingest.http.events import EventsEndpoint, RequestLimits
from ingest.http.live import LiveView, too_large
from ingest.http.reference import describe
from ingest.http.segment import SegmentEndpoint
from ingest.http.settings_route import settings_router
from ingest.metrics import Metrics
from ingest.settings import Settings, SharedSettings
from ingest.use_cases.accept import Intake
from ingest.use_cases.admission import Budget
from ingest.use_cases.calls import CallIntake
from ingest.use_cases.keep import Keeper
from ingest.use_cases.publish import Pace, Publisher
from ingest.use_cases.replay import Replay

log = logs.get_logger("ingest")

TENANT_LEVEL = frozenset({"spend.recorded", "headcount.recorded", "metric.reported"})
START_SECONDS = 60
FLUSH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is built from; a test gives its own."""

    producer: Producer
    pool: Pool
    clock: Clock
    registry: CollectorRegistry
    drain: Drain


def build(settings: Settings, shared: SharedSettings, parts: Parts) -> Door:
    """Assemble the application. Closing what is in `parts` is the application's business, when it shuts down."""
    metrics = Metrics(parts.registry)
    clock, drain = parts.clock, parts.drain
    budget = Budget(settings.in_flight_bytes, metrics.bytes_in_flight.set)
    pace = Pace(
        settings.record_bytes,
        settings.linger_seconds,
        settings.publish_timeout_seconds,
        settings.stall_seconds,
    )
    topic = shared.bellwether_events_topic
    publisher = Publisher(parts.producer, topic, pace, budget, clock.now, metrics)
    keeper = Keeper(publisher, shared.bellwether_rejected_topic, metrics)
    intake = Intake(publisher, keeper, settings.terms, parts.producer.partitions(topic), clock, metrics)
    threads = ThreadPoolExecutor(8, thread_name_prefix="lookup")
    ring = KeyRing(key_loader(parts.pool), settings.key_fresh_seconds)
    types = DeclaredTypes(parts.pool, base_types(), clock)
    callers = Callers(ring, types, OpenBackfills(parts.pool), clock, threads)
    store = PostgresLiveStore(parts.pool)
    feed = FateFeed(shared.database_url, store, clock)
    request_limits = RequestLimits(
        settings.max_body_bytes, settings.max_events, settings.body_timeout_seconds
    )
    events = EventsEndpoint(callers, intake, publisher, request_limits)
    segment = SegmentEndpoint(callers, CallIntake(intake, keeper), publisher, settings.body_timeout_seconds)
    replay = Replay(intake, publisher, topic)
    live = LiveView(
        callers, store, feed, replay, drain, metrics, settings.live_clients, settings.max_event_bytes
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        feed.start()
        yield
        feed.stop()
        threads.shutdown(wait=False, cancel_futures=True)
        parts.producer.close(FLUSH_SECONDS)
        parts.pool.close()

    app = FastAPI(title="Bellwether ingest", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    install_handlers(app)
    app.add_exception_handler(TooLarge, too_large)
    checks = {
        "kafka": broker_check(shared.kafka_bootstrap_servers, publisher.stalled),
        "database": tolerant_database_check(parts.pool),
    }
    app.router.routes.extend(ops_routes(checks, parts.registry, drain))
    app.include_router(live.router())
    app.include_router(settings_router(callers))
    describe(app)
    routes = {("POST", "/v1/events"): Route("events", events.handle)} | segment.routes()
    return Door(routes, app, budget, metrics)


def base_types() -> TypeRules:
    """Return the types of the base pack, for tenants without a catalogue; without its files, only which types need no account."""
    try:
        return rules_of(load(base_pack()).event_types.values())
    except CatalogueInvalid as error:
        log.warning("base_pack_missing", error=str(error))
        return rules_of((), TENANT_LEVEL)


def open_producer(settings: Settings, shared: SharedSettings) -> Producer:
    """Create the topics where they are missing and connect; waits for a broker that is still starting. Raises Unavailable after a minute."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            ensure_topics(
                shared.kafka_bootstrap_servers,
                shared.bellwether_events_topic,
                shared.bellwether_rejected_topic,
                settings.partitions,
                settings.replication,
            )
            return KafkaProducerAdapter(shared.kafka_bootstrap_servers, "bellwether-ingest")
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise
            log.warning("waiting_for_kafka", code=error.code, error=error.message)
            time.sleep(1)


def check_config() -> int:
    """Validate the settings; prints what is wrong and returns an exit code."""
    try:
        Settings()
        SharedSettings()
    except ValidationError as error:
        return tell_wrong("ingest", error, SharedSettings, Settings)
    return 0


def run() -> int:
    """Serve until told to end, by settings that are valid; returns an exit code."""
    settings, shared = Settings(), SharedSettings()
    logs.configure(shared.log_level)
    if settings.workers == 1:
        return _serve(settings, shared, None)
    opened = listen(settings.host, settings.port)
    return run_workers(settings.workers, lambda: _serve(settings, shared, opened.fileno()))


def _serve(settings: Settings, shared: SharedSettings, fd: int | None) -> int:
    try:
        producer = open_producer(settings, shared)
    except Unavailable as error:
        log.critical("kafka_missing", code=error.code, error=error.message)
        return 1
    pool = open_pool(shared.database_url, "bellwether-ingest", timeout_seconds=3.0)
    drain = Drain()
    parts = Parts(producer, pool, SystemClock(), CollectorRegistry(), drain)
    app = build(settings, shared, parts)
    # Who calls is told by a key and never by an address, so nothing reads forwarding headers.
    options: dict[str, Any] = {"proxy_headers": False} | ({} if fd is None else {"fd": fd})
    log.info("ingest_started", host=settings.host, port=settings.port)
    serve(app, settings.host, settings.port, drain.start, **options)
    log.info("ingest_ended")
    return 0
