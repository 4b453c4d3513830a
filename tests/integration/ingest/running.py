"""A running ingest with tenants of its own, and a look at what it wrote."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import kafka
import msgspec
import psycopg

from common.auth.keys import mint
from common.auth.store import ensure_tenant, insert_key
from common.contracts.record import PackedEvents, RefusedItem, unpack_events, unpack_rejected
from common.local.ports import free_ports
from common.testing import wait_until

PATIENCE_SECONDS = 60.0
# A broker beside other tests may stand still for a while; tests that are about that set what they need.
UNHURRIED = {
    "INGEST_PUBLISH_TIMEOUT_SECONDS": "60",
    "INGEST_STALL_SECONDS": "60",
    "INGEST_BODY_TIMEOUT_SECONDS": "60",
}


@dataclass(frozen=True)
class Tenant:
    """A tenant with keys."""

    id: int
    slug: str
    ingest: str
    read: str
    admin: str


@dataclass
class Ingest:
    """One process of the service, started as an operator does."""

    database_url: str
    bootstrap: str
    events_topic: str
    rejected_topic: str
    log_path: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Ingest":
        self.launch()
        wait_until(self.is_ready, 2 * PATIENCE_SECONDS, f"ingest to be ready; see {self.log_path}")
        return self

    def launch(self, *arguments: str) -> None:
        (self.port,) = free_ports(1)
        environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "BELLWETHER_EVENTS_TOPIC": self.events_topic,
            "BELLWETHER_REJECTED_TOPIC": self.rejected_topic,
            "INGEST_PORT": str(self.port),
            **UNHURRIED,
            **self.settings,
        }
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ingest", *arguments], env=environment, stdout=log, stderr=log
            )

    def check(self) -> int:
        """Only check the settings; returns the exit code."""
        self.launch("--check-config")
        return self.wait()

    def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_path.read_text()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        except httpx.TransportError:
            return False

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()

    def wait(self, timeout_seconds: float = PATIENCE_SECONDS) -> int:
        assert self._process is not None
        return self._process.wait(timeout_seconds)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self.wait()

    def rss_bytes(self) -> int:
        found = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.pid)], check=True, capture_output=True, text=True
        )
        return int(found.stdout) * 1024

    def new_tenant(self, slug: str, source: str | None = None) -> Tenant:
        with psycopg.connect(self.database_url) as connection:
            tenant_id = ensure_tenant(connection, slug)
            keys = {}
            for scope in ("ingest", "read", "admin"):
                minted = mint(scope, tenant_id, slug, scope, source if scope == "ingest" else None)
                insert_key(connection, minted.row)
                keys[scope] = minted.text
        return Tenant(tenant_id, slug, **keys)

    def post(
        self,
        key: str,
        content: bytes,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/events",
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {key}", "Content-Type": media, **(headers or {})}
        return httpx.post(f"{self.url}{path}", content=content, headers=sent, timeout=2 * PATIENCE_SECONDS)

    def send(self, key: str, events: Sequence[Mapping[str, Any]]) -> httpx.Response:
        return self.post(key, msgspec.json.encode(list(events)))

    def metric(self, name: str) -> float:
        """The sum over all labels of a metric."""
        text = httpx.get(f"{self.url}/metrics", timeout=PATIENCE_SECONDS).text
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def records(self, tenant: Tenant) -> list[PackedEvents]:
        """Everything of a tenant in the events topic, by partition and offset."""
        found = [unpack_events(r.value, r.headers) for r in read_topic(self.bootstrap, self.events_topic)]
        return [record for record in found if record.tenant == tenant.slug]

    def bodies(self, tenant: Tenant) -> list[bytes]:
        return [bytes(body) for record in self.records(tenant) for body in record.bodies]

    def events(self, tenant: Tenant) -> list[dict[str, Any]]:
        return [msgspec.json.decode(body) for body in self.bodies(tenant)]

    def refused(self, tenant: Tenant) -> list[RefusedItem]:
        found = [unpack_rejected(r.value, r.headers) for r in read_topic(self.bootstrap, self.rejected_topic)]
        return [item for item in found if item.tenant == tenant.slug]

    def wait_for_refused(self, tenant: Tenant, count: int) -> list[RefusedItem]:
        def kept() -> list[RefusedItem]:
            found = self.refused(tenant)
            return found if len(found) >= count else []

        return wait_until(kept, PATIENCE_SECONDS, f"{count} refused items to be kept")


def read_topic(bootstrap: str, topic: str) -> list[Any]:
    """Read a topic from its beginning to its present end."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap.split(","), enable_auto_commit=False, metrics_enabled=False
    )
    try:
        partitions = [
            kafka.TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records: dict[Any, list[Any]] = {partition: [] for partition in partitions}

        def is_read() -> bool:
            for partition, found in consumer.poll(timeout_ms=200).items():
                records[partition] += found
            return all(consumer.position(partition) >= ends[partition] for partition in partitions)

        wait_until(is_read, PATIENCE_SECONDS, f"{topic} to be read to its end")
        return [record for partition in partitions for record in records[partition]]
    finally:
        consumer.close()


def event(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A valid event of now; None drops a member."""
    made = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "crm",
        "type": "page.opened",
        "subject": f"account-{number % 7}",
        "time": ago(number),
        "data": {"user": f"u-{number % 3}"},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")[:-6] + "Z"


def raw_request(port: int, content: bytes, timeout_seconds: float = PATIENCE_SECONDS) -> bytes:
    """Send bytes as they are and return the answer to them."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds) as connection:
        connection.sendall(content)
        answer = b""
        while not _is_whole(answer):
            piece = connection.recv(65_536)
            if not piece:
                break
            answer += piece
        return answer


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(found and lengths) and len(body) >= int(lengths[0].split(b":")[1])
