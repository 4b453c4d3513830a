"""An Apache Kafka broker of one's own: the published jars, one KRaft node, one directory that holds all of it."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from common.local import process
from common.local.ports import LOOPBACK
from common.local.process import ProcessSpec, Running, SetupError

JAVA_FLOOR = 17
_POM = Path(__file__).parents[5] / "deploy" / "kafka" / "pom.xml"
_START_TIMEOUT_SECONDS = 90.0
_STARTED = b"Kafka Server started"
# An event is at most 1 MB and a packed record a few: 8 MB leaves room without letting one record fill the heap.
MAX_RECORD_BYTES = 8 * 1024 * 1024

_JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    # For one small machine (docs/adr/0024): one collector thread, and the compiler that is done after seconds instead of minutes.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    # Without it a killed JVM leaves a file in the system's temporary directory.
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


class LocalKafka:
    """A single node that is broker and controller, on the loopback interface, its files below `root`.

    `prepare` is idempotent and needs Java; the first time on a machine it also needs Maven and the network.
    """

    def __init__(self, root: Path, port: int, controller_port: int) -> None:
        self._root = root
        self._port = port
        self._controller_port = controller_port
        self._running: Running | None = None
        self._log_offset = 0

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def _properties(self) -> Path:
        return self._root / "server.properties"

    @property
    def _log_path(self) -> Path:
        return self._root / "log"

    @property
    def spec(self) -> ProcessSpec:
        return ProcessSpec(
            name="kafka",
            argv=(*self._java(), "kafka.Kafka", str(self._properties)),
            log_path=self._log_path,
            directory=self._root,
        )

    def _java(self) -> tuple[str, ...]:
        return (
            str(java_program()),
            *_JVM_OPTIONS,
            # Native compression libraries are unpacked here, below a directory that we clean.
            f"-Djava.io.tmpdir={self._root / 'tmp'}",
            "-cp",
            f"{jars_directory()}/*",
        )

    def prepare(self) -> None:
        shutil.rmtree(self._root / "tmp", ignore_errors=True)
        (self._root / "tmp").mkdir(parents=True)
        self._properties.write_text(self._server_properties())
        if (self._root / "data" / "meta.properties").exists():
            return
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [
            *self._java(),
            "kafka.tools.StorageTool",
            "format",
            # One argument: an id may begin with a dash, and would be taken for an option.
            f"--cluster-id={cluster_id}",
            "-c",
            str(self._properties),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise SetupError(f"Kafka could not format its data directory:\n{done.stdout}{done.stderr}")

    def _server_properties(self) -> str:
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self._port},CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self._port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._root / "data"),
            # Topics are made by the product with the settings it needs; a typing error must not make one.
            "auto.create.topics.enable": "false",
            "delete.topic.enable": "true",
            "message.max.bytes": str(MAX_RECORD_BYTES),
            "replica.fetch.max.bytes": str(MAX_RECORD_BYTES),
            # One node: every internal topic has one replica. 50 partitions of offsets are for clusters.
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # Tests lose consumers on purpose and wait for the others to take over.
            "group.min.session.timeout.ms": "1000",
            # A killed broker is let in again when its old session is over: 14 s after the kill by default, 7 s with these.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # The default of 128 MB is a quarter of the heap.
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            "num.network.threads": "2",
            "num.io.threads": "4",
            "background.threads": "4",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def mark_log(self) -> None:
        """What the broker wrote until now is about an earlier start."""
        self._log_offset = self._log_path.stat().st_size if self._log_path.exists() else 0

    def is_ready(self) -> bool:
        """True when the broker said that it has started since `mark_log`, and its port answers."""
        if not self._log_path.exists():
            return False
        with self._log_path.open("rb") as log:
            log.seek(self._log_offset)
            if _STARTED not in log.read():
                return False
        try:
            socket.create_connection((LOOPBACK, self._port), timeout=1).close()
        except OSError:
            return False
        return True

    def start(self) -> None:
        self.prepare()
        self.mark_log()
        self._running = process.start(self.spec)
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self.is_ready():
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SetupError(f"Kafka did not start:\n{process.log_tail(self._log_path)}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._running is not None:
            process.stop(self._running, self.spec)
            self._running = None


def java_program() -> Path:
    """A Java that can run the broker, from JAVA_HOME or the PATH."""
    wanted = f"install Java {JAVA_FLOOR} or newer (on Debian: apt-get install default-jre-headless)"
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise SetupError(f"Kafka needs Java: {wanted}, or set KAFKA_BOOTSTRAP_SERVERS to a broker.")
    release = Path(found).resolve().parents[1] / "release"
    text = release.read_text() if release.exists() else _java_version_output(found)
    match = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    if match is None or int(match[1]) < JAVA_FLOOR:
        have = match[1] if match else "unknown"
        raise SetupError(f"{found} is Java {have}, too old for Kafka: {wanted}.")
    return Path(found)


def _java_version_output(java: str) -> str:
    return subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr


def jars_are_here() -> bool:
    """False when the next start will fetch them, which takes a while."""
    return _jars_path().exists()


def jars_directory() -> Path:
    """The broker's jars, resolved once per version; processes that come at the same moment wait for the first."""
    jars = _jars_path()
    if jars.exists():
        return jars
    jars.parent.mkdir(parents=True, exist_ok=True)
    with (jars.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            _resolve_jars(jars)
    return jars


def _jars_path() -> Path:
    if not _POM.exists():
        raise SetupError(
            "The local Kafka is part of a checkout: run this from one, or set KAFKA_BOOTSTRAP_SERVERS."
        )
    version = re.search(r"<kafka\.version>([^<]+)<", _POM.read_text())
    if version is None:
        raise SetupError(f"{_POM} names no kafka.version.")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "bellwether" / f"kafka-{version[1]}"


def _resolve_jars(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise SetupError(
            "Kafka's jars come by Maven, once: install it (on Debian: apt-get install maven), "
            "or set KAFKA_BOOTSTRAP_SERVERS to a broker."
        )
    unfinished = Path(tempfile.mkdtemp(dir=jars.parent))
    command = [
        maven,
        "-q",
        "-B",
        "-f",
        str(_POM),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={unfinished}",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(unfinished)
        raise SetupError(f"Maven could not get Kafka's jars (is the network there?):\n{done.stdout[-2000:]}")
    unfinished.rename(jars)
