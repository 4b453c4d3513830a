"""A stack of their own for tests that kill parts of it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.conftest import free_base
from tests.acceptance.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    directory = Path(tempfile.mkdtemp(prefix="bellwether-faults-"))
    running = Stack.start(directory / "data", free_base(24_000))
    try:
        yield running
    finally:
        left = running.stop()
        shutil.rmtree(directory)
    assert left == [], "the stack left processes behind"
