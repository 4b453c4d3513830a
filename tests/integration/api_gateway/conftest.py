"""Roles: `world` writes as the engine would, `ours` and `theirs` are two tenants, `gateway` serves them.

One database and one gateway serve all tests of this folder: every test has tenants of its own, and no tenant sees another.
"""

import itertools
import uuid
from collections.abc import Iterator

import pytest
from tests.conftest import PostgresServer
from tests.integration.api_gateway.world import Served, Tenant, World, serving

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def world(postgres_server: PostgresServer, migrated_template: str) -> Iterator[World]:
    name = f"gateway_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    world = World(postgres_server.database_url(name))
    try:
        yield world
    finally:
        world.close()
        postgres_server.drop(name)


@pytest.fixture
def ours(world: World) -> Tenant:
    return world.tenant(f"ours-{next(_numbers)}")


@pytest.fixture
def theirs(world: World) -> Tenant:
    return world.tenant(f"theirs-{next(_numbers)}")


@pytest.fixture(scope="session")
def gateway(world: World) -> Iterator[Served]:
    with serving(world.url) as served:
        yield served
