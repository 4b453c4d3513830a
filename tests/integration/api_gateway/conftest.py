"""Roles: `world` writes as the engine would, `ours` and `theirs` are two tenants, `gateway` serves them."""

from collections.abc import Iterator

import pytest
from tests.integration.api_gateway.world import Served, Tenant, World, serving


@pytest.fixture
def world(postgres_url: str) -> World:
    return World(postgres_url)


@pytest.fixture
def ours(world: World) -> Tenant:
    return world.tenant("ours")


@pytest.fixture
def theirs(world: World) -> Tenant:
    return world.tenant("theirs")


@pytest.fixture
def gateway(world: World) -> Iterator[Served]:
    with serving(world.url) as served:
        yield served
