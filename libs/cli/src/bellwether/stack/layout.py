"""Where things of a local stack are: its directory, its ports, its processes. Pure."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.local.ports import LOOPBACK
from common.local.process import ProcessSpec

DEFAULT_DATA_DIRECTORY = Path(".local/bellwether")
DEFAULT_PORT_BASE = 8080
BLOCK_SIZE = 7
# Below the ports that the system gives to outgoing connections (from 32768).
PORT_BASES = range(DEFAULT_PORT_BASE, 32_000, 10)
# A block is never larger than the step between two. More engines than partitions would have nothing to do.
MOST_ENGINES = 4


def block_size(engines: int) -> int:
    """Ports of a stack with so many engines."""
    return BLOCK_SIZE - 1 + engines


@dataclass(frozen=True)
class Files:
    """The stack's files below its directory. Whatever else is there is left alone."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def keys(self) -> Path:
        return self.root / "keys.json"

    @property
    def stack(self) -> Path:
        return self.root / "stack.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"


@dataclass(frozen=True)
class Ports:
    """Neighbours from `base`, in the order of the services' own defaults."""

    base: int

    @property
    def gateway(self) -> int:
        return self.base

    @property
    def ingest(self) -> int:
        return self.base + 1

    @property
    def engine(self) -> int:
        return self.base + 2

    @property
    def alerts(self) -> int:
        return self.base + 3

    @property
    def kafka(self) -> int:
        return self.base + 4

    @property
    def kafka_controller(self) -> int:
        return self.base + 5

    @property
    def postgres(self) -> int:
        return self.base + 6

    def engine_number(self, number: int) -> int:
        """The first engine has its place among the services; those after it come behind everything."""
        return self.engine if number == 1 else self.base + BLOCK_SIZE + number - 2

    @property
    def urls(self) -> dict[str, str]:
        ports = {"ingest": self.ingest, "gateway": self.gateway, "alerts": self.alerts, "engine": self.engine}
        return {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}


@dataclass(frozen=True)
class Backing:
    """The broker and the database, whoever runs them."""

    database_url: str
    kafka: str
    events_topic: str
    rejected_topic: str


def engine_name(number: int) -> str:
    """The process of one of several engines, counted from 1."""
    return "kpi-engine" if number == 1 else f"kpi-engine-{number}"


def service_specs(files: Files, ports: Ports, backing: Backing, engines: int = 1) -> tuple[ProcessSpec, ...]:
    """The four services, in the order they are started: who writes the database first, who shows it last.

    `engines` share the partitions of the events.
    """
    urls = ports.urls
    shared = {
        "DATABASE_URL": backing.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": backing.kafka,
        "BELLWETHER_EVENTS_TOPIC": backing.events_topic,
        "BELLWETHER_REJECTED_TOPIC": backing.rejected_topic,
    }
    return (
        *(
            _service(
                files,
                engine_name(number),
                "kpi_engine",
                shared | _address("ENGINE", ports.engine_number(number)),
            )
            for number in range(1, engines + 1)
        ),
        _service(files, "ingest", "ingest", shared | _address("INGEST", ports.ingest)),
        _service(
            files,
            "alerts",
            "alerts",
            shared
            | _address("ALERTS", ports.alerts)
            # Everything here is on the loopback interface, and so are the receivers that one tries it with.
            | {"ALERTS_PUBLIC_URL": urls["gateway"], "ALERTS_ALLOW_PRIVATE_RECEIVERS": "true"}
            | {"ALERTS_INGEST_URL": urls["ingest"]},
        ),
        _service(
            files,
            "api-gateway",
            "api_gateway",
            shared
            | _address("GATEWAY", ports.gateway)
            | {"GATEWAY_ALERTS_URL": urls["alerts"], "GATEWAY_INGEST_URL": urls["ingest"]},
        ),
    )


def _address(prefix: str, port: int) -> dict[str, str]:
    return {f"{prefix}_HOST": LOOPBACK, f"{prefix}_PORT": str(port)}


def _service(files: Files, name: str, module: str, environment: Mapping[str, str]) -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-m", module), files.log(name), environment)


def ready_line(ports: Ports, keys: Mapping[str, str], backing: Backing) -> dict[str, object]:
    """What `bellwether up --json` prints: names that outside checks rely on."""
    return {
        "ready": True,
        "urls": ports.urls,
        "keys": dict(keys),
        "kafka": backing.kafka,
        "topic": backing.events_topic,
        "database_url": backing.database_url,
    }
