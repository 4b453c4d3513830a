"""Which Bellwether a command talks to."""

import json
from pathlib import Path

import pytest
import typer

from bellwether.commands.env import variables
from bellwether.options import checked_address
from bellwether.target import NoTargetError, find, from_stack_line

STACK = {
    "ready": True,
    "urls": {"ingest": "http://127.0.0.1:1/", "gateway": "http://127.0.0.1:2"},
    "keys": {"ingest": "i", "read": "r", "act": "a", "admin": "m"},
    "kafka": "127.0.0.1:3",
    "topic": "t",
    "database_url": "postgresql://d",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "stack.json").write_text(json.dumps(STACK))
    return tmp_path


def test_what_the_stack_wrote_down_is_used(directory: Path) -> None:
    target = find({}, directory)
    assert target.url("ingest") == "http://127.0.0.1:1"
    assert target.key("ingest") == "i"
    assert target.database() == "postgresql://d"
    assert (target.kafka, target.topic, target.directory) == ("127.0.0.1:3", "t", directory)


def test_the_environment_goes_before_the_stack(directory: Path) -> None:
    environ = {
        "BELLWETHER_DATA_DIR": str(directory),
        "BELLWETHER_INGEST_URL": "https://elsewhere/",
        "BELLWETHER_READ_KEY": "mine",
        "DATABASE_URL": "postgresql://e",
        "KAFKA_BOOTSTRAP_SERVERS": "k:1",
        "BELLWETHER_EVENTS_TOPIC": "u",
    }
    target = find(environ)
    assert target.url("ingest") == "https://elsewhere"
    assert target.url("gateway") == "http://127.0.0.1:2"
    assert (target.key("read"), target.key("ingest")) == ("mine", "i")
    assert (target.database(), target.kafka, target.topic) == ("postgresql://e", "k:1", "u")


def test_one_key_for_everything_replaces_all(directory: Path) -> None:
    target = find({"BELLWETHER_KEY": "all"}, directory)
    assert target.key("read") == target.key("ingest") == "all"


def test_a_key_of_a_wider_scope_serves_where_the_narrow_one_is_missing() -> None:
    target = find({"BELLWETHER_ADMIN_KEY": "m"}, Path("/nowhere"))
    assert target.key("read", "act", "admin") == "m"


def test_what_is_missing_is_named_with_the_way_to_give_it(tmp_path: Path) -> None:
    target = find({}, tmp_path)
    with pytest.raises(NoTargetError, match="BELLWETHER_INGEST_URL"):
        target.url("ingest")
    with pytest.raises(NoTargetError, match="BELLWETHER_READ_KEY"):
        target.key("read", "act")
    with pytest.raises(NoTargetError, match="DATABASE_URL"):
        target.database()


def test_a_damaged_stack_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{}")
    with pytest.raises(NoTargetError, match="delete it"):
        find({}, tmp_path)


def test_keys_and_passwords_do_not_show_when_it_is_printed() -> None:
    target = from_stack_line(
        json.dumps({**STACK, "keys": {"read": "topsecret"}, "database_url": "postgresql://pw"})
    )
    assert "topsecret" not in repr(target)
    assert "pw" not in repr(target)


def test_what_env_prints_is_what_the_commands_read(directory: Path, tmp_path: Path) -> None:
    target = find({}, directory)
    again = find(dict(variables(target)), tmp_path / "nowhere")
    assert (again.urls, again.keys, again.database_url) == (target.urls, target.keys, target.database_url)
    assert (again.kafka, again.topic) == (target.kafka, target.topic)


@pytest.mark.parametrize("address", ["geheim", "mysql://nobody:geheim@a/b"])
def test_what_is_no_address_of_a_database_is_refused_in_words_and_not_repeated(address: str) -> None:
    with pytest.raises(NoTargetError) as refused:
        find({"DATABASE_URL": address})
    assert "DATABASE_URL must be the address of a PostgreSQL" in str(refused.value)
    assert "geheim" not in str(refused.value)
    with pytest.raises(typer.BadParameter):
        checked_address(address)
