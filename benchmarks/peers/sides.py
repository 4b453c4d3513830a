"""Who takes part: how each is started and where its answer stands."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from benchmarks.bed import Bed, Program
from benchmarks.definitions import simple, simple_answer
from benchmarks.oracle import Answer, cells
from benchmarks.peers import environment
from benchmarks.peers.programs.given import Given
from benchmarks.peers.programs.results import TABLES

from common.local.kafka import java_program

OURS = "bellwether"
SNAPSHOT_SECONDS = "10"  # what Bytewax takes when nothing is said


@dataclass(frozen=True)
class Task:
    """One side in one round: a name nobody used before, and topics that are its own."""

    bed: Bed
    name: str
    topics: tuple[str, str]


@dataclass(frozen=True)
class Side:
    """`once`: repetitions are left out of its answer. `start` returns the program and the address of its database."""

    name: str
    form: str
    once: bool
    start: Callable[[Task], tuple[Program, str]]

    @property
    def is_ours(self) -> bool:
        return self.once

    def written(self, connection: psycopg.Connection) -> float:
        """When it last wrote figures of events, by the database's clock; 0 before that."""
        query = OURS_WRITTEN if self.is_ours else "select max(at) from written"
        row = connection.execute(f"select coalesce(extract(epoch from ({query})), 0)::float8").fetchone()
        return float(row[0]) if row else 0.0

    def events(self, connection: psycopg.Connection) -> int:
        """How many events are in its figures."""
        row = connection.execute(
            OURS_EVENTS if self.is_ours else "select coalesce(sum(events), 0) from result_hour"
        ).fetchone()
        return int(row[0]) if row else 0

    def answer(self, connection: psycopg.Connection) -> Answer:
        if self.is_ours:
            return simple_answer(connection)
        hours, days = connection.execute(PEER_HOURS).fetchall(), connection.execute(PEER_DAYS).fetchall()
        return Answer(cells(hours), cells(days))


OURS_WRITTEN = "select max(written_at) from published.change where events > 0"
OURS_EVENTS = """select coalesce(sum(value), 0) from published.total_hour join published.measure using (tenant_id, measure_id)
where measure = 'events'"""
PEER_HOURS = "select account || ' ' || hour, events, total from result_hour"
PEER_DAYS = "select account || ' ' || day, people from result_day"


def _ours(task: Task) -> tuple[Program, str]:
    url = task.bed.installed(task.name, simple())
    return task.bed.engine(url, task.topics, task.name), url


def _prepared(task: Task) -> tuple[Given, str]:
    url = task.bed.database(task.name)
    with psycopg.connect(url) as connection:
        connection.execute(TABLES.encode())
    state = task.bed.directory / f"{task.name}-state"
    state.mkdir()
    return Given(task.bed.bootstrap, task.topics[0], url, task.name, state), url


def _module(name: str, *arguments: str) -> Callable[[Task], tuple[Program, str]]:
    def start(task: Task) -> tuple[Program, str]:
        told, url = _prepared(task)
        command = [str(environment.python()), "-m", f"benchmarks.peers.programs.{name}", *arguments]
        return task.bed.start(name, command, told.environment()), url

    return start


def _bytewax(form: str) -> Callable[[Task], tuple[Program, str]]:
    def start(task: Task) -> tuple[Program, str]:
        told, url = _prepared(task)
        run = [str(environment.python()), "-m"]
        task.bed.start("recovery", [*run, "bytewax.recovery", str(told.state), "1"], {}).process.wait()
        flow = f"benchmarks.peers.programs.bytewax_flow:{form}()"
        recovery = ["-r", str(told.state), "-s", SNAPSHOT_SECONDS, "-b", "0"]
        return task.bed.start("bytewax", [*run, "bytewax.run", flow, *recovery], told.environment()), url

    return start


def _kafka_streams(task: Task) -> tuple[Program, str]:
    told, url = _prepared(task)
    at = urlsplit(url)
    jdbc = f"jdbc:postgresql://{at.hostname}:{at.port}{at.path}?user={at.username}&password={at.password}"
    options = ["-Xms512m", "-Xmx1g", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    command = [
        str(java_program()),
        *options,
        f"-Djava.io.tmpdir={told.state}",
        "-cp",
        environment.java_classpath(),
        "bench.Figures",
    ]
    return task.bed.start("kafka-streams", command, {**told.environment(), "PEER_JDBC_URL": jdbc}), url


SIDES = (
    Side(OURS, "packed", True, _ours),
    Side(f"{OURS}, one event a record", "single", True, _ours),
    Side("plain kafka-python loop", "keyed", False, _module("plain_loop")),
    Side("Quix Streams", "keyed", False, _module("quix", "windows")),
    Side("Quix Streams, state by hand", "keyed", False, _module("quix", "by-hand")),
    Side("Bytewax", "keyed", False, _bytewax("windows")),
    Side("Bytewax, state by hand", "keyed", False, _bytewax("by_hand")),
    Side("Kafka Streams", "keyed", False, _kafka_streams),
)
