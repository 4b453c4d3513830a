"""One stack for the whole tier, a tenant of its own for each story that counts."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.acceptance.stack import ROOT, Stack
from tests.acceptance.tenants import Tenant, create_tenant
from tests.acceptance.webhooks import WebhookReceiver

from common.local.ports import is_free

BLOCK = 10


def free_base(start: int = 21_000) -> int:
    """The first of ten neighbouring ports nobody uses. What runs beside others has a `start` of its own, a thousand away, and the same tests
    twice at once begin at different ports: between this look and the stack's own, ports that another takes would be missed."""
    for base in range(start + os.getpid() % 50 * BLOCK, 31_000, BLOCK):
        if all(is_free(port) for port in range(base, base + BLOCK)):
            return base
    raise AssertionError("no ten neighbouring ports are free")


@pytest.fixture(scope="session")
def stack_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bellwether-acceptance-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def stack(stack_directory: Path) -> Iterator[Stack]:
    running = Stack.start(stack_directory / "shared", free_base())
    try:
        yield running
    finally:
        left = running.stop()
    assert left == [], "the stack left processes behind"


@pytest.fixture(scope="session")
def real_activity() -> Path:
    """Fourteen years of what people really did; it lies beside the clone."""
    path = ROOT.parent / "shared" / "data" / "activity.ndjson.gz"
    assert path.is_file(), f"{path} is missing: the real activity belongs beside the clone"
    return path


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture(scope="session")
def new_tenant(stack: Stack, stack_directory: Path) -> Iterator[Callable[..., Tenant]]:
    """Makes a tenant with keys of its own, and definitions of its own when `overlay` names files and their text."""
    made: list[Tenant] = []

    def make(slug: str, overlay: dict[str, str] | None = None) -> Tenant:
        made.append(create_tenant(stack, slug, overlay, stack_directory / "overlays" / slug))
        return made[-1]

    yield make
    for tenant in made:
        tenant.client.close()
