"""`bellwether init`, which prepares databases and brokers that others run."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
from tests.conftest import Topics

from common.db.migrate import check_version


def init(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("bellwether")
    keys = tmp_path / "keys.json"
    kept = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}}
    return subprocess.run(
        [program, "init", "--keys-file", keys],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_database_is_ready_for_the_services_afterwards_and_repeating_changes_nothing(
    empty_postgres_url: str, kafka_bootstrap: str, fresh_topics: Topics, tmp_path: Path
) -> None:
    environment = {
        "DATABASE_URL": empty_postgres_url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "BELLWETHER_EVENTS_TOPIC": fresh_topics.events,
        "BELLWETHER_REJECTED_TOPIC": fresh_topics.rejected,
    }
    first = init(tmp_path, **environment)
    assert first.returncode == 0, first.stderr
    keys = first.stdout.splitlines()[-4:]
    assert [line.split()[0] for line in keys] == ["ingest", "read", "act", "admin"]
    assert init(tmp_path, **environment).stdout.splitlines() == keys
    with psycopg.connect(empty_postgres_url) as conn:
        check_version(conn)
        assert conn.execute("select count(*) from control.definition").fetchone() == (1,)


def test_what_is_not_set_is_named(tmp_path: Path) -> None:
    done = init(tmp_path)
    assert done.returncode == 2
    assert "DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS" in done.stderr
