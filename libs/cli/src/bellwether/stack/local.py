"""Brings the whole local stack up, watches it and takes it down."""

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from bellwether.stack import prerequisites
from bellwether.stack.installation import prepare
from bellwether.stack.layout import (
    PORT_BASES,
    Backing,
    Files,
    Ports,
    block_size,
    engine_name,
    service_specs,
)
from bellwether.stack.supervisor import Supervisor
from common.errors import Unavailable
from common.local import process
from common.local.kafka import LocalKafka, jars_are_here
from common.local.ports import LOOPBACK, PortBlock, claim_block, first_free_block
from common.local.postgres import LocalPostgres
from common.local.process import ProcessSpec, SetupError
from common.program import EXIT_STOPPED

_BACKING = ("postgres", "kafka")
_BACKING_TIMEOUT_SECONDS = 120.0
_SERVICES_TIMEOUT_SECONDS = 120.0
# Together below the 15 s in which the stack promises to end.
_SERVICES_STOP_SECONDS = 8.5
_BACKING_STOP_SECONDS = 4.5
_POLL_SECONDS = 0.05
# Quick ends in a row, about 10 s of them, before anything was ready: another try would end the same way.
_HOPELESS_ENDS = 8


@dataclass(frozen=True)
class Options:
    """`port_base` None: the first block of free ports. A given `database_url` or `kafka` is used instead of starting one."""

    data_directory: Path
    port_base: int | None
    database_url: str | None
    kafka: str | None
    events_topic: str
    rejected_topic: str
    engines: int = 1


@dataclass(frozen=True)
class Ready:
    ports: Ports
    keys: dict[str, str]
    backing: Backing


class LocalStack:
    """`start`, then `tick` several times a second, then `stop`, all from the main thread; `stop` also after a failed start.

    `say` gets one sentence for people whenever something happens.
    """

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._files = Files(options.data_directory.resolve())
        self._supervisor = Supervisor(say)
        self._lock_file: int | None = None
        self._block: PortBlock | None = None

    @property
    def files(self) -> Files:
        return self._files

    def start(self) -> Ready:
        """Returns when every service says that it is ready, or waits for a person to decide. SetupError when something cannot work."""
        self._lock_directory()
        self._block = self._claim_ports()
        ports = Ports(self._block.base)
        backing = self._start_backing(ports)
        try:
            keys = prepare(backing, self._files.keys, self._say)
        except Unavailable as error:
            raise SetupError(f"{error.message}\n{self._given()}".strip()) from error
        self._say("Starting the services")
        for spec in service_specs(self._files, ports, backing, self._options.engines):
            self._supervisor.add(spec)
        self._wait_for_services(ports)
        return Ready(ports, keys, backing)

    def _given(self) -> str:
        """Where somebody goes on in a shell that took over the addresses of a stack that has ended, they lead nowhere."""
        asked = {
            "DATABASE_URL": self._options.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": self._options.kafka,
        }
        names = " ".join(name for name, value in asked.items() if value)
        return (
            f"Used because set in this shell: {names}. To start the stack's own: `unset {names}`."
            if names
            else ""
        )

    def tick(self) -> None:
        self._supervisor.tick()

    def stop(self) -> None:
        """The services first, so that they can finish their work against a broker and a database that still answer."""
        self._files.stack.unlink(missing_ok=True)
        services = [name for name in self._supervisor.names if name not in _BACKING]
        self._supervisor.stop(services, _SERVICES_STOP_SECONDS)
        self._supervisor.stop(_BACKING, _BACKING_STOP_SECONDS)
        if self._block is not None:
            self._block.close()
            self._block = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _lock_directory(self) -> None:
        self._files.root.mkdir(parents=True, exist_ok=True)
        lock_file = os.open(self._files.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock_file)
            raise SetupError(
                f"A stack is running on {self._files.root} already: end it, or give this one another --data-dir."
            ) from error
        self._lock_file = lock_file

    def _claim_ports(self) -> PortBlock:
        base, size = self._options.port_base, block_size(self._options.engines)
        return first_free_block(PORT_BASES, size) if base is None else claim_block(base, size)

    def _start_backing(self, ports: Ports) -> Backing:
        waiting: list[tuple[ProcessSpec, Callable[[], bool]]] = []
        database_url, bootstrap = self._options.database_url, self._options.kafka
        if database_url is None:
            postgres = LocalPostgres(self._files.postgres, ports.postgres)
            postgres.prepare()
            self._supervisor.add(postgres.spec)
            waiting.append((postgres.spec, postgres.is_ready))
            database_url = postgres.url()
        if bootstrap is None:
            kafka = LocalKafka(self._files.kafka, ports.kafka, ports.kafka_controller)
            prerequisites.ensure(self._say)
            if not jars_are_here():
                self._say("Getting Apache Kafka by Maven, once (about 54 MB)")
            kafka.prepare()
            kafka.mark_log()
            self._supervisor.add(kafka.spec)
            waiting.append((kafka.spec, kafka.is_ready))
            bootstrap = kafka.bootstrap_servers
        self._say(
            "Starting "
            + (" and ".join(spec.name for spec, _ in waiting) or "on the given broker and database")
        )
        for spec, is_ready in waiting:
            self._wait_for(spec, is_ready)
        return Backing(database_url, bootstrap, self._options.events_topic, self._options.rejected_topic)

    def _wait_for(self, spec: ProcessSpec, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _BACKING_TIMEOUT_SECONDS
        while not is_ready():
            self.tick()
            if self._supervisor.quick_ends(spec.name) >= _HOPELESS_ENDS or time.monotonic() > deadline:
                raise SetupError(
                    f"{spec.name} does not start; the end of {spec.log_path}:\n{process.log_tail(spec.log_path)}"
                )
            time.sleep(_POLL_SECONDS)

    def _wait_for_services(self, ports: Ports) -> None:
        """Together, because on a small machine they start at the same time."""
        missing = ports.urls | {
            f"engine {n}": f"http://{LOOPBACK}:{ports.engine_number(n)}"
            for n in range(2, self._options.engines + 1)
        }
        reasons: dict[str, str] = {}
        deadline = time.monotonic() + _SERVICES_TIMEOUT_SECONDS
        # Straight to the loopback interface, whatever proxies are set.
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while missing:
                self.tick()
                self._leave_out_stopped(missing)
                for name, url in list(missing.items()):
                    reasons[name] = _why_not_ready(client, url)
                    if not reasons[name]:
                        del missing[name]
                self._give_up_on_hopeless()
                if time.monotonic() > deadline:
                    told = "; ".join(f"{name}: {reasons[name]}" for name in missing)
                    raise SetupError(
                        f"Not ready after {_SERVICES_TIMEOUT_SECONDS:g} s: {told}. Logs: {self._files.root}/logs"
                    )
                time.sleep(_POLL_SECONDS)

    def _leave_out_stopped(self, missing: dict[str, str]) -> None:
        """An engine that waits for a person is not waited for: the person needs the database, and senders need ingest."""
        for number in range(1, self._options.engines + 1):
            name = "engine" if number == 1 else f"engine {number}"
            if name in missing and self._supervisor.ended_with(engine_name(number)) == EXIT_STOPPED:
                del missing[name]
                self._say(
                    f"{engine_name(number)} applies nothing until you have decided something: `bellwether doctor` says what"
                )

    def _give_up_on_hopeless(self) -> None:
        for name in self._supervisor.names:
            if self._supervisor.ended_with(name) == EXIT_STOPPED:
                continue
            if self._supervisor.quick_ends(name) >= _HOPELESS_ENDS:
                path = self._files.log(name)
                raise SetupError(f"{name} does not start; the end of {path}:\n{process.log_tail(path)}")


def _why_not_ready(client: httpx.Client, url: str) -> str:
    """Empty when ready."""
    try:
        response = client.get(f"{url}/readyz")
    except httpx.HTTPError as error:
        return f"does not answer ({type(error).__name__})"
    return "" if response.status_code == httpx.codes.OK else response.text[:300]
