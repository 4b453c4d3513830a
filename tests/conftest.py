"""Real parts for tests: one PostgreSQL server and one Kafka broker a session, a database and topic names of one's own per test.

`DATABASE_URL` and `KAFKA_BOOTSTRAP_SERVERS` take the place of what would be started here. Nothing missing is ever skipped.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql

from common.db.migrate import migrate
from common.local.kafka import LocalKafka
from common.local.ports import PortBlock, first_free_block
from common.local.postgres import VOLATILE, LocalPostgres
from common.streams.topics import ensure_topics
from common.testing import wait_until

ROOT = Path(__file__).resolve().parents[1]
PYTHON_SDKS = ("2.3.5", "2.4.0")  # of Segment

# Other examples each run, so many runs see much, but with CI=true the same; `--hypothesis-profile deep` looks longer once.
# No deadline: beside other runs a clock lies.
settings.register_profile("each-run", max_examples=40, deadline=None)
settings.register_profile("deep", max_examples=1_000, deadline=None)
settings.load_profile("each-run")


@dataclass(frozen=True)
class PostgresServer:
    """A server where databases may be created and dropped. `url` names some database of it."""

    url: str

    def database_url(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def to_be_cloned(self, name: str) -> None:
        """Background workers of extensions would connect to a database, and one in use can't be cloned."""
        self.execute("alter database {} with allow_connections false", name)
        wait_until(lambda: self._is_left_alone(name), 60, f"the workers of extensions to leave {name}")

    def _is_left_alone(self, name: str) -> bool:
        """Sends everybody away from a database; says whether nobody was there."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            there = conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
            )
            return there.rowcount == 0

    def drop(self, name: str) -> None:
        self.execute("drop database if exists {} with (force)", name)


@dataclass(frozen=True)
class Topics:
    events: str
    rejected: str


@pytest.fixture(scope="session")
def work_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bellwether-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def server_ports() -> Iterator[PortBlock]:
    """Three for the servers of this run. Claimed, and none of those that the system gives to whoever asks: both start for a while before
    they listen, beside other runs."""
    block = first_free_block(range(31_000, 32_700, 10), 3)
    yield block
    block.close()


@pytest.fixture(scope="session")
def postgres_server(work_directory: Path, server_ports: PortBlock) -> Iterator[PostgresServer]:
    given = os.environ.get("DATABASE_URL")
    if given:
        yield PostgresServer(given)
        return
    server = LocalPostgres(work_directory / "postgres", server_ports.base, settings=VOLATILE)
    try:
        server.start()
        yield PostgresServer(server.url())
    finally:
        server.stop()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"template_{uuid.uuid4().hex}"
    postgres_server.execute("create database {}", name)
    try:
        migrate(postgres_server.database_url(name))
        postgres_server.to_be_cloned(name)
        yield name
    finally:
        postgres_server.drop(name)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database of this test alone, with all migrations."""
    name = f"test_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    try:
        yield postgres_server.database_url(name)
    finally:
        postgres_server.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of this test alone, with nothing in it."""
    name = f"empty_{uuid.uuid4().hex}"
    postgres_server.execute("create database {}", name)
    try:
        yield postgres_server.database_url(name)
    finally:
        postgres_server.drop(name)


@pytest.fixture(scope="session")
def kafka_bootstrap(work_directory: Path, server_ports: PortBlock) -> Iterator[str]:
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    broker = LocalKafka(work_directory / "kafka", server_ports.base + 1, server_ports.base + 2)
    try:
        broker.start()
        yield broker.bootstrap_servers
    finally:
        broker.stop()


@pytest.fixture
def topic_prefix() -> str:
    """Makes topic and group names of this test alone."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def fresh_topics(kafka_bootstrap: str, topic_prefix: str) -> Topics:
    """The product's two topics under names of this test alone, created as the product creates them."""
    topics = Topics(f"{topic_prefix}.events", f"{topic_prefix}.rejected")
    ensure_topics(kafka_bootstrap, topics.events, topics.rejected)
    return topics


@pytest.fixture
def fresh_topic(topic_prefix: str) -> Callable[[str], str]:
    """Names a topic of this test alone; creating it is the test's business."""
    return lambda name: f"{topic_prefix}.{name}"


@pytest.fixture(scope="session")
def python_sdks(work_directory: Path) -> dict[str, Path]:
    """Each version of Segment's SDK with what it needs, in a directory of its own: they can't share one."""
    uv = subprocess.run([ROOT / ".ci" / "get-uv"], check=True, capture_output=True, text=True).stdout.strip()
    installed = {}
    for version in PYTHON_SDKS:
        target = work_directory / f"segment-{version}"
        package = f"segment-analytics-python=={version}"
        options = ["--quiet", "--python", sys.executable, "--target", str(target)]
        # Away from the checkout, whose constraints are for our own packages.
        subprocess.run([uv, "pip", "install", *options, package], check=True, cwd=work_directory)
        installed[version] = target
    return installed
