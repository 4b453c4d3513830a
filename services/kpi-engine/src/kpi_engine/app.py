"""The engine put together: the only place that reads settings."""

import gc
import os
import resource
import signal
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from common import logs
from common.aside import Aside
from common.clock import Clock, SystemClock
from common.db.lost import LOST
from common.db.migrate import check_version
from common.db.session import UNHURRIED
from common.errors import Unavailable
from common.heap import one_heap
from common.http.ops import Check, Drain, ops_routes
from common.http.problems import install_problem_handlers
from common.http.serve import serving_aside
from common.program import EXIT_STOPPED
from common.streams.kafka import KafkaConsumerAdapter
from common.streams.port import Consumer
from common.streams.reachable import why_unreachable
from kpi_engine.adapters import arrays
from kpi_engine.adapters.backfill_store import BackfillStore
from kpi_engine.adapters.control_store import ControlStore
from kpi_engine.adapters.directory import Directory
from kpi_engine.adapters.erased_names import ErasedNames
from kpi_engine.adapters.erasure_store import ErasureStore
from kpi_engine.adapters.event_store import EventStore
from kpi_engine.adapters.feed import FeedStore
from kpi_engine.adapters.figures_store import FigureWriter
from kpi_engine.adapters.id_store import IdStore
from kpi_engine.adapters.past_store import PastStore
from kpi_engine.adapters.progress import ProgressStore
from kpi_engine.adapters.rebuild_store import RebuildStore
from kpi_engine.adapters.retention_store import RetentionStore
from kpi_engine.adapters.revision_store import RevisionStore
from kpi_engine.adapters.state_store import PostgresStateStore
from kpi_engine.adapters.tracking_store import TrackingStore
from kpi_engine.consumer.loop import Engine, Limits
from kpi_engine.metrics import EngineMetrics
from kpi_engine.ports.errors import EngineStopped
from kpi_engine.settings import Settings
from kpi_engine.use_cases.account_states import AccountStates
from kpi_engine.use_cases.apply_backfill import Backfiller
from kpi_engine.use_cases.apply_batch import BatchWriter
from kpi_engine.use_cases.apply_control import ControlWriter
from kpi_engine.use_cases.apply_tenant import TenantWriter
from kpi_engine.use_cases.compute_states import StateComputer
from kpi_engine.use_cases.count_past import PastCounter
from kpi_engine.use_cases.load_ends import LoadEnds
from kpi_engine.use_cases.rebuild import Rebuilder
from kpi_engine.use_cases.track import Tracker
from kpi_engine.use_cases.train_risk import train_due

# The supervisor starts the engine again whatever the status; it only tells the log why.
EXIT_TRANSIENT = 3


def run(settings: Settings) -> int:
    """Run until told to end; returns the exit status."""
    one_heap()
    logs.configure(settings.log_level)
    log = logs.get_logger("engine")
    registry, drain = CollectorRegistry(), Drain()
    try:
        with _connected(settings, "kpi-engine") as connection:
            engine = build(settings, connection, registry)
            _collect_seldom()
            trainer = Aside("kpi_engine", "--train-risk", os.environ)
            if settings.train_risk_days:
                trainer.start()

            def end(*_: object) -> None:
                drain.start()
                trainer.stop()
                engine.stop()

            signal.signal(signal.SIGTERM, end)
            signal.signal(signal.SIGINT, end)
            with serving_aside(_ops(settings, registry, drain, engine)):
                try:
                    engine.run()
                finally:
                    trainer.stop()
    except EngineStopped as stopped:
        log.error("engine_stopped", code=stopped.code, message=stopped.message)  # noqa: TRY400 - the name says it all
        return EXIT_STOPPED
    except (*LOST, psycopg.InterfaceError, Unavailable) as error:
        log.warning("engine_lost_a_dependency", error=str(error))
        return EXIT_TRANSIENT
    return 0


def _collect_seldom() -> None:
    """A batch brings lists of ten thousand values, which Python would walk through every 700 objects in search of cycles; there are hardly any."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def train(settings: Settings) -> int:
    """Train renewal risk where it is due, then end; returns the exit status."""
    logs.configure(settings.log_level)
    most = settings.train_risk_memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        with _connected(settings, "kpi-engine-training") as connection:
            train_due(connection, timedelta(days=settings.train_risk_days), SystemClock())
    except (*LOST, Unavailable) as error:
        logs.get_logger("training").warning("training_lost_a_dependency", error=str(error))
        return EXIT_TRANSIENT
    return 0


@contextmanager
def _connected(settings: Settings, name: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database of this version."""
    with psycopg.connect(
        settings.database_url,
        autocommit=True,
        application_name=name,
        connect_timeout=5,
        # What it asks is small and asked often: compiling it, or sharing it out among processes, costs more than it saves.
        options=f"{UNHURRIED} -c jit=off -c max_parallel_workers_per_gather=0",
    ) as connection:
        check_version(connection)
        yield connection


def why_no_database(url: str) -> str | None:
    """Asked on a connection of its own: the engine's is busy with a batch."""
    try:
        with psycopg.connect(url, connect_timeout=2, application_name="kpi-engine-readiness"):
            return None
    except psycopg.Error as error:
        return f"database: {error}"


def build(settings: Settings, connection: psycopg.Connection, registry: CollectorRegistry) -> Engine:
    """Wire the engine to Kafka, on a connection that commits by itself outside transactions."""
    consumer = KafkaConsumerAdapter(
        settings.kafka_bootstrap_servers,
        settings.group,
        f"kpi-engine-{socket.gethostname()}-{os.getpid()}",
        settings.session_timeout_ms,
    )
    return assemble(settings, connection, consumer, SystemClock(), EngineMetrics(registry))


def assemble(
    settings: Settings,
    connection: psycopg.Connection,
    consumer: Consumer,
    clock: Clock,
    metrics: EngineMetrics,
) -> Engine:
    """Put the engine's parts together around a consumer and a clock."""
    arrays.register(connection)
    progress, names, events, feed = ProgressStore(uuid.uuid4()), Directory(), EventStore(), FeedStore()
    ids = IdStore(settings.recent_ids, settings.filter_bits_log2)
    states = StateComputer(names, AccountStates(PostgresStateStore()))
    figures = FigureWriter(clock)
    revisions = RevisionStore()
    backfills, controls, erased = BackfillStore(), ControlStore(), ErasedNames()
    tracking = TrackingStore()
    tenants = TenantWriter(names, ids, events, figures, revisions, backfills, erased, tracking)
    past = PastCounter(progress, names, figures, PastStore())
    backfiller = Backfiller(progress, names, events, feed, tenants, figures, controls, revisions, backfills)
    control = ControlWriter(
        progress,
        names,
        events,
        feed,
        tenants,
        figures,
        controls,
        revisions,
        ids,
        backfiller,
        ErasureStore(),
        erased,
        Rebuilder(names, figures, controls, RebuildStore(), settings.piece_events),
        RetentionStore(),
        clock,
    )
    writer = BatchWriter(
        connection, progress, names, events, feed, tenants, states, backfills, clock, settings.events_topic
    )
    limits = Limits(
        settings.batch_records,
        settings.batch_events,
        settings.piece_events,
        settings.batch_seconds,
        settings.states_per_batch,
        settings.states_when_idle,
        settings.watchdog_seconds,
    )
    topics = (settings.events_topic, settings.rejected_topic)
    return Engine(
        connection,
        consumer,
        writer,
        progress,
        ids,
        names,
        feed,
        states,
        LoadEnds(progress, states, settings.events_topic),
        past,
        control,
        Tracker(names, tracking, clock, settings.events_topic),
        clock,
        metrics,
        topics,
        limits,
    )


def _ops(settings: Settings, registry: CollectorRegistry, drain: Drain, engine: Engine) -> uvicorn.Config:
    checks: dict[str, Check] = {
        "kafka": partial(why_unreachable, settings.kafka_bootstrap_servers),
        "database": partial(why_no_database, settings.database_url),
        "partitions": engine.owns_nothing,
    }
    app = Starlette(routes=ops_routes(checks, registry, drain))
    install_problem_handlers(app)
    return uvicorn.Config(
        app,
        settings.host,
        settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=1,
    )
