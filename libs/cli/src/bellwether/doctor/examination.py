"""All checks in order. Each stands alone: what fails does not keep the others from being looked at."""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from bellwether.doctor import judging
from bellwether.doctor.database import examine
from bellwether.doctor.finding import Finding, failure, note, ok, warning
from bellwether.doctor.judging import Progress, TopicFacts
from bellwether.stack.prerequisites import missing_packages
from bellwether.target import Target
from common.errors import BellwetherError, Unavailable
from common.streams.kafka import KafkaConsumerAdapter
from common.streams.port import TopicPartition

_SERVICES: Final = ("ingest", "engine", "gateway", "alerts")
_KAFKA_CHECKS: Final = ("partitions", "offsets", "lag", "engine")
_KNOCK_SECONDS: Final = 3.0
# A group of its own that never joins: the doctor must not take a partition from an engine.
_GROUP: Final = "bellwether-doctor"


@dataclass(frozen=True)
class Patient:
    target: Target
    topic: str
    data_directory: Path


def examination(patient: Patient) -> Iterator[Finding]:
    yield from _machine(patient)
    progress: tuple[Progress, ...] | None = None
    if patient.target.database_url is None:
        yield warning(
            "postgresql",
            "no database is known",
            "no stack runs here and DATABASE_URL is not set",
            "`bellwether up`",
        )
    else:
        report = examine(patient.target.database_url, patient.topic)
        yield from report.findings
        progress = report.progress
    yield from _kafka(patient, progress)
    for name in _SERVICES:
        if name in patient.target.urls:
            yield _service(name, patient.target.urls[name])


def _machine(patient: Patient) -> Iterator[Finding]:
    missing = missing_packages()
    if not missing:
        yield ok("java", "Java and Kafka's jars, or Maven to get them, are here")
    elif patient.target.kafka:
        yield note("java", f"{' and '.join(missing)} not here; not needed with a broker elsewhere")
    else:
        why, do = (
            "the local broker runs on Java; its jars come by Maven, once",
            f"apt-get install {' '.join(missing)}",
        )
        yield failure("java", f"{' and '.join(missing)} not installed", why, do)
    where = patient.data_directory if patient.data_directory.exists() else Path.cwd()
    usage = shutil.disk_usage(where)
    yield judging.disk(str(where), usage.free, usage.total)


def _kafka(patient: Patient, progress: tuple[Progress, ...] | None) -> Iterator[Finding]:
    if patient.target.kafka is None:
        yield warning(
            "kafka",
            "no broker is known",
            "no stack runs here and KAFKA_BOOTSTRAP_SERVERS is not set",
            "`bellwether up`",
        )
        return
    try:
        _knock(patient.target.kafka)
        topic = _topic(patient.target.kafka, patient.topic)
    except BellwetherError as error:
        if error.code == "topic-missing":
            yield failure(
                "kafka",
                f"topic {patient.topic} does not exist",
                error.message,
                "`bellwether init`; where it held events before, go on with docs/runbooks/engine-stopped.md, under “topic re-created”",
            )
        else:
            do = "start it, or correct KAFKA_BOOTSTRAP_SERVERS; see docs/runbooks/broker-down.md"
            yield failure("kafka", f"the broker at {patient.target.kafka} cannot be asked", error.message, do)
        yield from (judging.not_asked(check, "no topic") for check in _KAFKA_CHECKS)
        return
    yield ok("kafka", f"reachable at {patient.target.kafka}; topic {patient.topic} is there")
    if progress is None:
        yield from (
            judging.not_asked(check, "the engine's notes are in the database") for check in _KAFKA_CHECKS
        )
        return
    yield from judging.read_so_far(topic, progress, datetime.now(UTC))


def _knock(bootstrap: str) -> None:
    """Raises Unavailable when no broker listens: the client itself would go on trying for half a minute."""
    refusal = OSError("no address is given")
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
        except (OSError, ValueError) as error:
            refusal = error if isinstance(error, OSError) else OSError(f"{address} is no host:port")
        else:
            return
    raise Unavailable("broker-unreachable", f"{refusal}")


def _topic(bootstrap: str, name: str) -> TopicFacts:
    """Raises Unavailable without a broker or the topic."""
    consumer = KafkaConsumerAdapter(bootstrap, _GROUP, "bellwether-doctor")
    try:
        topic_id, count = consumer.topic_shape(name)
        bounds = consumer.bounds([TopicPartition(name, number) for number in range(count)])
    finally:
        consumer.close()
    return TopicFacts(name, topic_id, {where.partition: found for where, found in bounds.items()})


def _service(name: str, url: str) -> Finding:
    try:
        response = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False)
    except httpx.ReadTimeout:
        return judging.hanging(name, url)
    except httpx.HTTPError as error:
        return judging.service(name, url, None, f"{type(error).__name__}: {error}")
    return judging.service(name, url, response.status_code, response.text[:300])
