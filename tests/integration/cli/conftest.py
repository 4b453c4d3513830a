"""The command, pointed at a peer or at nothing."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.cli.command import Cli
from tests.integration.cli.importing import Engine, Importing
from tests.integration.cli.peer import KEY, Door, QuietServer, event, handler


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    server = QuietServer(("127.0.0.1", 0), handler(door))
    door.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield door
    finally:
        door.open.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def events_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a gzipped file of that many events, `extra` lines by their number put in between."""

    def write(count: int, extra: dict[int, str] | None = None) -> Path:
        lines = [json.dumps(event(number)) for number in range(count)]
        for number, line in sorted((extra or {}).items()):
            lines.insert(number - 1, line)
        path = tmp_path / "events.ndjson.gz"
        path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", compresslevel=1))
        return path

    return write


@pytest.fixture
def cli(tmp_path: Path, door: Door) -> Cli:
    """The command, pointed at the peer."""
    home = tmp_path / "home"
    home.mkdir()
    urls = {"BELLWETHER_INGEST_URL": door.url, "BELLWETHER_GATEWAY_URL": door.url}
    return Cli(home, {**urls, "BELLWETHER_KEY": KEY})


@pytest.fixture
def cli_with(tmp_path: Path) -> Callable[..., Cli]:
    """The command with the given environment alone."""

    def make(**environment: str) -> Cli:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        return Cli(home, environment)

    return make


@pytest.fixture
def engine(postgres_url: str, door: Door) -> Iterator[Engine]:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        yield Engine(conn, door)


@pytest.fixture
def importing(cli: Cli, postgres_url: str, engine: Engine, tmp_path: Path) -> Importing:
    """Imports a text as a gzipped file of Windows; returns what the command says."""
    cli.environment["DATABASE_URL"] = postgres_url

    def run(text: str, *options: str) -> dict[str, Any]:
        file = tmp_path / "accounts.csv.gz"
        file.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()))
        done = cli.run("import", "accounts", str(file), "--json", *options)
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout), "status": done.returncode}

    return run
