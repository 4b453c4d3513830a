"""`bellwether keys` on a real database."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from tests.integration.cli.command import Cli

from common.auth.keys import parse, verify
from common.auth.store import find_key
from common.errors import Unauthorized


@pytest.fixture
def keys(cli_with: Callable[..., Cli], postgres_url: str) -> Cli:
    return cli_with(DATABASE_URL=postgres_url)


def opens(database: str, text: str, at: datetime | None = None) -> bool:
    with psycopg.connect(database) as conn:
        try:
            verify(parse(text), find_key(conn, parse(text).id), at or datetime.now(UTC))
        except Unauthorized:
            return False
    return True


def make(keys: Cli, *arguments: str) -> str:
    done = keys.run("keys", "create", "--name", "test", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_key_is_the_only_thing_on_stdout_and_opens_the_door(keys: Cli, postgres_url: str) -> None:
    text = make(keys, "--scope", "ingest", "--source", "web")
    assert text.startswith("bw_ingest_")
    assert opens(postgres_url, text)
    (row,) = json.loads(keys.run("keys", "list", "--json").stdout)
    assert (row["scope"], row["source"], row["state"]) == ("ingest", "web", "valid")
    assert text not in keys.run("keys", "list").stdout


def test_a_revoked_key_opens_nothing(keys: Cli, postgres_url: str) -> None:
    text = make(keys, "--scope", "read")
    assert keys.run("keys", "revoke", text).returncode == 0
    assert not opens(postgres_url, text)
    assert "revoked" in keys.run("keys", "list").stdout


def test_rotation_overlaps(keys: Cli, postgres_url: str) -> None:
    old = make(keys, "--scope", "act")
    done = keys.run("keys", "rotate", old, "--overlap-hours", "2")
    new = done.stdout.strip()
    assert new.startswith("bw_act_")
    later = datetime.now(UTC) + timedelta(hours=3)
    assert opens(postgres_url, old)
    assert opens(postgres_url, new, later)
    assert not opens(postgres_url, old, later)
    again = keys.run("keys", "rotate", old)
    assert again.returncode == 1
    assert "keys create" in again.stderr


def test_an_expiry_is_kept(keys: Cli, postgres_url: str) -> None:
    text = make(keys, "--scope", "read", "--expires-in-days", "1")
    assert opens(postgres_url, text)
    assert not opens(postgres_url, text, datetime.now(UTC) + timedelta(days=1, minutes=1))


def test_keys_of_another_tenant_are_not_within_reach(keys: Cli, postgres_url: str) -> None:
    text = make(keys, "--scope", "read", "--tenant", "other")
    make(keys, "--scope", "read")
    done = keys.run("keys", "revoke", text)
    assert done.returncode == 1
    assert "has no key" in done.stderr
    assert opens(postgres_url, text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "--scope", "root", "--name", "x"), "scope-unknown"),
        (("list", "--tenant", "nobody"), "tenant-unknown"),
        (("revoke", "bw_read_missing1"), "tenant-unknown"),
    ],
)
def test_mistakes_are_one_sentence(keys: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = keys.run("keys", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_database_it_says_how_to_name_one(cli_with: Callable[..., Cli]) -> None:
    done = cli_with().run("keys", "list")
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr


def test_a_database_that_is_not_there_or_empty_is_named(
    cli_with: Callable[..., Cli], empty_postgres_url: str
) -> None:
    empty = cli_with(DATABASE_URL=empty_postgres_url).run("keys", "list")
    assert "bellwether migrate" in empty.stderr
    gone = cli_with(DATABASE_URL="postgresql://127.0.0.1:1/x").run("keys", "list")
    assert gone.returncode == 1
    assert "The database can't be used: connection failed" in gone.stderr
