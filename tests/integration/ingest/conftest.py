"""One running ingest for all tests that change nothing about it; each test has a tenant of its own."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import PostgresServer
from tests.integration.ingest.running import Ingest, Tenant


@pytest.fixture(scope="session")
def ingest(
    postgres_server: PostgresServer, migrated_template: str, kafka_bootstrap: str, work_directory: Path
) -> Iterator[Ingest]:
    name = f"ingest_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {}", name, migrated_template)
    service = Ingest(
        postgres_server.database_url(name),
        kafka_bootstrap,
        f"{name}.events",
        f"{name}.rejected",
        work_directory / "ingest.log",
    )
    try:
        yield service.start()
    finally:
        service.stop()
        postgres_server.drop(name)


@pytest.fixture
def tenant(ingest: Ingest) -> Tenant:
    return ingest.new_tenant(f"t-{uuid.uuid4().hex[:10]}")


@pytest.fixture
def start_ingest(
    postgres_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> Iterator[Callable[..., Ingest]]:
    """Start an ingest of this test alone, with settings by name."""
    started: list[Ingest] = []

    def start(bootstrap: str = kafka_bootstrap, **settings: str) -> Ingest:
        service = Ingest(
            postgres_url,
            bootstrap,
            f"{topic_prefix}.events",
            f"{topic_prefix}.rejected",
            tmp_path / "ingest.log",
            settings,
        )
        started.append(service)
        return service.start()

    yield start
    for service in started:
        service.stop()
