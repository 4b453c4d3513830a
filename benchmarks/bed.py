"""A broker and a database of their own for what is measured without the rest of the stack, and engines on them."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from tests.acceptance.processes import descendants
from tests.acceptance.stack import ROOT
from tests.reference.topic import end_offsets

from common.auth.store import ensure_tenant
from common.catalogue import Catalogue, apply
from common.db.migrate import migrate
from common.local import process
from common.local.kafka import LocalKafka
from common.local.ports import free_ports
from common.local.postgres import LocalPostgres
from common.local.process import ProcessSpec
from common.streams.topics import ensure_topics
from common.testing import wait_until

TENANT = "default"
PARTITIONS = 6
END_SECONDS = 20
READY_SECONDS = 60
# A stopped engine must not be voted out while its topic is filled.
SESSION_MS = "120000"


@dataclass
class Program:
    """A process that is measured, and where it says what goes wrong."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def pids(self) -> list[int]:
        return [self.process.pid, *(child.pid for child in descendants(self.process.pid))]

    def signal_all(self, number: int) -> None:
        for pid in self.pids():
            os.kill(pid, number)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def check_alive(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(
                f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
            )


@dataclass
class Bed:
    """Everything of it is below one directory and gone afterwards."""

    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="bellwether-bench-")))
    _made: int = 0

    def __enter__(self) -> Self:
        kafka_port, controller_port, postgres_port = free_ports(3)
        self.directory.chmod(0o755)  # the database's own account has to reach its files
        self._kafka = LocalKafka(self._below("kafka"), kafka_port, controller_port)
        self._postgres = LocalPostgres(self._below("postgres"), postgres_port)
        self._kafka.start()
        self._postgres.start()
        self.bootstrap = self._kafka.bootstrap_servers
        self.broker_pid, self.database_pid = self._roots("kafka.Kafka"), self._roots("bin/postgres")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kafka.stop()
        self._postgres.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _below(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(parents=True)
        return path

    def _roots(self, mark: str) -> int:
        """The oldest process of a server that we have started."""
        found = [child for child in descendants(os.getpid()) if mark in child.command]
        return min(found, key=lambda child: child.started).pid

    def fresh_name(self, what: str) -> str:
        self._made += 1
        return f"{what}-{self._made}"

    def database(self, name: str) -> str:
        """An empty database; returns its address."""
        with psycopg.connect(self._postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self._postgres.url(name)

    def drop(self, name: str) -> None:
        with psycopg.connect(self._postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def installed(self, name: str, catalogue: Catalogue) -> str:
        """A database with our tables, a tenant and its definitions."""
        url = self.database(name)
        migrate(url)
        with psycopg.connect(url) as connection:
            ensure_tenant(connection, TENANT)
            apply(connection, TENANT, catalogue)
        return url

    def topics(self, name: str) -> tuple[str, str]:
        """Events and rejected events."""
        events, rejected = f"{name}.events", f"{name}.rejected"
        ensure_topics(self.bootstrap, events, rejected, PARTITIONS, retention_days=3650)
        return events, rejected

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Program:
        """Ends with us, whatever ends us."""
        log = self.directory / f"{self.fresh_name(name)}.log"
        started = process.start(ProcessSpec(name, tuple(command), log, environment, ROOT))
        return Program(name, started, log)

    def engine(self, url: str, topics: tuple[str, str], group: str, name: str = "engine") -> Program:
        """The product's engine as the stack starts it."""
        settings = {
            "DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "BELLWETHER_EVENTS_TOPIC": topics[0],
            "BELLWETHER_REJECTED_TOPIC": topics[1], "ENGINE_GROUP": group, "ENGINE_PORT": str(free_ports(1)[0]),
            "ENGINE_SESSION_TIMEOUT_MS": SESSION_MS,
        }  # fmt: skip
        return self.start(name, [sys.executable, "-m", "kpi_engine"], settings)

    def ends(self, topic: str) -> dict[int, int]:
        """Where the partitions end that hold anything."""
        return {p: end for p, end in end_offsets(self.bootstrap, topic).items() if end}

    def wait_applied(self, programs: Sequence[Program], url: str, topic: str, timeout_seconds: float) -> None:
        """Until everything that is in the topic now is in the figures and no account waits to be recomputed."""
        ends = self.ends(topic)
        with psycopg.connect(url, autocommit=True) as connection:

            def applied() -> bool:
                for program in programs:
                    program.check_alive()
                rows = connection.execute(
                    "select partition, next_offset, dirty_accounts from published.progress where topic = %s",
                    (topic,),
                ).fetchall()
                done = {int(partition): int(offset) for partition, offset, _ in rows}
                return all(done.get(p, 0) >= end for p, end in ends.items()) and not any(r[2] for r in rows)

            wait_until(applied, timeout_seconds, "the engine to apply all events")
