"""The only wiring of the service."""

import os
import random
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import uuid_utils
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from alerts.adapters.accuracy import PostgresAccuracy
from alerts.adapters.buttons import PostgresButtons
from alerts.adapters.casebook import PostgresCasebook
from alerts.adapters.definitions import DefinitionStore, compile_rule
from alerts.adapters.email import EmailChannel, MailServer
from alerts.adapters.history import PostgresHistory
from alerts.adapters.ledger import PostgresLedger
from alerts.adapters.neighbour import readiness_of
from alerts.adapters.outbox import LEASE_MARGIN, PostgresOutbox
from alerts.adapters.pagerduty import PagerDutyChannel
from alerts.adapters.slack import SlackChannel
from alerts.adapters.terms import terms_of
from alerts.adapters.web import Web
from alerts.adapters.webhook import WebhookChannel
from alerts.consumer.delivering import Delivering
from alerts.consumer.measuring import Measuring, replay_pasts
from alerts.consumer.watching import Watching
from alerts.http.accuracy import accuracy_router
from alerts.http.api import build_api
from alerts.http.backtest import backtest_router
from alerts.http.budgets import budgets_router
from alerts.http.buttons import buttons_router
from alerts.http.doors import Doors
from alerts.http.rules import rules_router
from alerts.metrics import Metrics
from alerts.ports.buttons import ButtonBook
from alerts.ports.ledger import Ledger
from alerts.settings import AlertsSettings, SharedSettings
from alerts.use_cases.age import Ageing, Weighing
from alerts.use_cases.backtest import Backtest
from alerts.use_cases.beat import Beating
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.chores import Chores
from alerts.use_cases.deliver import Deliverer
from alerts.use_cases.desk import Desk
from alerts.use_cases.digest import Digesting
from alerts.use_cases.escalate import Escalating
from alerts.use_cases.evaluate import Evaluator
from alerts.use_cases.follow import Follower
from alerts.use_cases.heed_faults import HeedFaults
from alerts.use_cases.lines import KeepingLine
from alerts.use_cases.loads import LoadSweeper
from alerts.use_cases.losses import Reviewing
from alerts.use_cases.measure import Measure
from alerts.use_cases.post import Post
from alerts.use_cases.press import Buttons
from alerts.use_cases.publish import Publisher
from alerts.use_cases.storms import Calming
from alerts.use_cases.tell import Teller
from alerts.use_cases.tell_edges import TellEdges
from alerts.use_cases.upkeep import Upkeep
from common.aside import Aside
from common.auth.ring import KeyRing
from common.auth.store import key_loader
from common.clock import Clock, SystemClock
from common.db.listen import Listener
from common.db.lost import LOST
from common.db.migrate import check_version
from common.db.pool import Pool, borrow, database_check, open_pool
from common.db.session import OPTIONS
from common.environment import tell_wrong
from common.errors import BellwetherError, Unavailable
from common.http.auth import require
from common.http.ops import Drain, ops_routes
from common.http.serve import serve
from common.logs import configure, get_logger

log = get_logger("alerts")
JOIN_SECONDS = 8.0
# Asked of the command, and passed to the process that is started for it.
REPLAY_PASTS = "--replay-pasts"


def new_id(prefix: str) -> str:
    """Time-ordered, so that ids sort by age."""
    return f"{prefix}_{uuid_utils.uuid7()}"


@dataclass
class App:
    """Everything built and nothing started. `start` runs the loops beside whoever serves `http`; `stop` ends them."""

    http: FastAPI
    watching: Watching
    delivering: Delivering
    measuring: Measuring
    pool: Pool
    drain: Drain
    on_defect: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self.failed = False
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (
                ("watching", self.watching.run),
                ("delivering", self.delivering.run),
                ("measuring", self.measuring.run),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the loops, the pool last; what a thread left unfinished is done again by the next one."""
        self._stop.set()
        self.measuring.replaying.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(JOIN_SECONDS)
        self.pool.close()

    def begin_stop(self) -> None:
        """Safe in a signal handler: only sets flags."""
        self.drain.start()
        self.measuring.replaying.stop()
        self._stop.set()

    def _guarded(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self._stop)
        except Exception:
            log.exception("loop_failed", loop=threading.current_thread().name)
            self.failed = True
            self._stop.set()
            self.on_defect()


def build(
    shared: SharedSettings,
    settings: AlertsSettings,
    environment: Mapping[str, str],
    clock: Clock,
    registry: CollectorRegistry,
) -> App:
    url = shared.database_url
    pool = open_pool(url, "bellwether-alerts", min_size=2, max_size=settings.pool_size)
    metrics, definitions, drain = Metrics(registry), DefinitionStore(), Drain()

    @contextmanager
    def own_ledger() -> Iterator[Ledger]:
        """For the watching thread: a connection of its own, because its leases end with it."""
        with _own_connection(url) as connection:
            yield PostgresLedger(connection, shared.bellwether_events_topic, definitions)

    @contextmanager
    def pooled_ledger() -> Iterator[Ledger]:
        with borrow(pool) as connection:
            yield PostgresLedger(connection, shared.bellwether_events_topic, definitions)

    @contextmanager
    def pooled_buttons() -> Iterator[tuple[Ledger, ButtonBook]]:
        with borrow(pool) as connection:
            ledger = PostgresLedger(connection, shared.bellwether_events_topic, definitions)
            yield ledger, PostgresButtons(connection)

    watching = _build_watching(settings, metrics, own_ledger, Listener(url, "bellwether_change"), clock)
    lease = timedelta(seconds=settings.delivery_timeout_seconds) + LEASE_MARGIN
    outbox = PostgresOutbox(pool, environment, settings.public_url, lease)
    mail = _mail_server(settings)
    web = Web(
        clock,
        timeout_seconds=settings.delivery_timeout_seconds,
        allow_private=settings.allow_private_receivers,
    )
    channels = {
        "webhook": WebhookChannel(web),
        "slack": SlackChannel(web),
        "pagerduty": PagerDutyChannel(web),
        "email": EmailChannel(mail, timeout_seconds=settings.delivery_timeout_seconds),
    }
    deliverer = Deliverer(outbox, channels, clock, metrics, random.Random(secrets.randbits(64)))  # noqa: S311 - spreads retries
    ring = KeyRing(key_loader(pool))
    doors = Doors(
        require(ring, clock, "read"),
        require(ring, clock, "act"),
        PostgresCasebook(pool),
        Desk(new_id, Post(new_id, settings.public_url, metrics)),
        pooled_ledger,
        clock,
        new_id,
        mail is not None,
        settings.allow_private_receivers,
    )
    checks = {"database": database_check(pool), "watching": watching.check}
    replays = Backtest(PostgresHistory(pool))
    replaying = Aside("alerts", REPLAY_PASTS, environment)
    backtest = backtest_router(doors, replays, compile_rule)
    budget = budgets_router(doors, replays, compile_rule, terms_of)
    measure = Measure(PostgresAccuracy(pool, clock), compile_rule)
    accuracy = accuracy_router(doors, measure)
    rules = rules_router(doors, measure.store)
    measuring = Measuring(own_ledger, Publisher(measure, replays), replaying, clock)
    buttons = buttons_router(Buttons(doors.desk, pooled_buttons), clock)
    http = build_api(doors, ops_routes(checks, registry, drain), budget, rules, backtest, accuracy, buttons)
    delivering = Delivering(deliverer, Listener(url, "bellwether_outbox"))
    return App(http, watching, delivering, measuring, pool, drain)


def _build_watching(
    settings: AlertsSettings, metrics: Metrics, ledger: Callable[[], object], listener: Listener, clock: Clock
) -> Watching:
    calm, max_lag = CalmAccounts(), timedelta(seconds=settings.max_lag_seconds)
    post = Post(new_id, settings.public_url, metrics)
    teller = Teller(post)
    evaluator = Evaluator(teller, metrics, new_id, calm)
    return Watching(
        ledger,  # type: ignore[arg-type]
        listener,
        Follower(evaluator, calm, metrics, max_lag),
        LoadSweeper(evaluator, new_id, settings.public_url, max_lag),
        Upkeep(teller),
        Chores(
            (
                KeepingLine(lambda: new_id("line"), max_lag),
                Ageing(teller),
                Weighing(),
                Escalating(post),
                Calming(post),
                Digesting(post),
                Reviewing(new_id),
                Beating(post, metrics, lambda: readiness_of(settings.ingest_url), max_lag),
                HeedFaults(evaluator, calm, settings.public_url),
                TellEdges(post),
            )
        ),
        calm,
        metrics,
        clock,
    )


@contextmanager
def _own_connection(url: str) -> Iterator[psycopg.Connection]:
    """Autocommit; a database that can't be reached or written, or stops answering, raises Unavailable."""
    try:
        with psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            application_name="bellwether-alerts",
            options=f"{OPTIONS} -c statement_timeout=60000",
        ) as connection:
            yield connection
    except LOST as error:
        raise Unavailable("database-unavailable", f"the database can't be used: {error}", 2) from error


def _mail_server(settings: AlertsSettings) -> MailServer | None:
    if not settings.smtp_host:
        return None
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_username or None,
        settings.smtp_password or None,
        settings.smtp_from,
    )


def replay() -> int:
    """Replay the pasts that are missing, then end; returns the exit status."""
    try:
        shared = SharedSettings()
    except ValidationError as error:
        return tell_wrong("alerts", error, SharedSettings)
    configure(shared.log_level)
    clock, url = SystemClock(), shared.database_url
    try:
        with (
            _own_connection(url) as connection,
            closing(open_pool(url, "bellwether-alerts-replay", 1, 2)) as pool,
        ):
            check_version(connection)
            ledger = PostgresLedger(connection, shared.bellwether_events_topic, DefinitionStore())
            measure = Measure(PostgresAccuracy(pool, clock), compile_rule)
            replay_pasts(ledger, Publisher(measure, Backtest(PostgresHistory(pool))), clock)
    except BellwetherError as error:
        log.warning("replay_ended", code=error.code, message=error.message)
        return 1
    return 0


def run(*, only_check: bool) -> int:
    """The process, or only the check of its settings: 0 after an orderly end, 1 after a defect, 2 for settings that can't work."""
    try:
        shared, settings = SharedSettings(), AlertsSettings()
    except ValidationError as error:
        return tell_wrong("alerts", error, SharedSettings, AlertsSettings)
    if only_check:
        return 0
    configure(shared.log_level)
    try:
        with _own_connection(shared.database_url) as connection:
            check_version(connection)
    except BellwetherError as error:
        log.critical("cannot_start", code=error.code, message=error.message)
        return 1
    app = build(shared, settings, os.environ, SystemClock(), CollectorRegistry())
    app.on_defect = lambda: signal.raise_signal(signal.SIGTERM)
    app.start()
    log.info("started", port=settings.port)
    try:
        serve(app.http, settings.host, settings.port, app.begin_stop)
    finally:
        app.stop()
    log.info("ended")
    return 1 if app.failed else 0
