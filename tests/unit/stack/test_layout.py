"""The names and addresses of a stack."""

import os
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bellwether.stack.layout import (
    MOST_ENGINES,
    PORT_BASES,
    Backing,
    Files,
    Ports,
    block_size,
    ready_line,
    service_specs,
)

BACKING = Backing("postgresql://somewhere/db", "127.0.0.1:9092", "events", "rejected")
ENGINE = re.compile(r"kpi[-_]engine")


@given(st.sampled_from(PORT_BASES), st.integers(1, MOST_ENGINES))
def test_every_part_has_a_port_of_its_own_inside_the_block(base: int, engines: int) -> None:
    ports = Ports(base)
    chosen = [
        ports.gateway,
        ports.ingest,
        *(ports.engine_number(n + 1) for n in range(engines)),
        ports.alerts,
        ports.kafka,
        ports.kafka_controller,
        ports.postgres,
    ]
    assert sorted(chosen) == list(range(base, base + block_size(engines)))
    assert block_size(engines) <= PORT_BASES.step
    assert ports.urls["engine"].endswith(f":{ports.engine_number(1)}")


def test_only_the_engine_s_command_line_names_the_engine(tmp_path: Path) -> None:
    specs = service_specs(Files(tmp_path), Ports(8080), BACKING, engines=2)
    engines = [spec for spec in specs if ENGINE.search(" ".join(spec.argv))]
    assert [spec.name for spec in engines] == ["kpi-engine", "kpi-engine-2"]
    assert [spec.environment["ENGINE_PORT"] for spec in engines] == ["8082", "8087"]


def test_the_services_meet_at_the_same_database_and_broker(tmp_path: Path) -> None:
    for spec in service_specs(Files(tmp_path), Ports(8080), BACKING):
        assert spec.environment["DATABASE_URL"] == BACKING.database_url
        assert spec.environment["KAFKA_BOOTSTRAP_SERVERS"] == BACKING.kafka


def test_the_ready_line_has_the_names_that_outside_checks_rely_on() -> None:
    keys = {scope: f"bw_{scope}_x_y" for scope in ("ingest", "read", "act", "admin")}
    line = ready_line(Ports(8080), keys, BACKING)
    assert line == {
        "ready": True,
        "urls": {
            "ingest": "http://127.0.0.1:8081",
            "gateway": "http://127.0.0.1:8080",
            "alerts": "http://127.0.0.1:8083",
            "engine": "http://127.0.0.1:8082",
        },
        "keys": keys,
        "kafka": "127.0.0.1:9092",
        "topic": "events",
        "database_url": "postgresql://somewhere/db",
    }


def test_no_file_of_ours_is_outside_the_directory(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for path in (files.postgres, files.kafka, files.keys, files.stack, files.lock, files.log("ingest")):
        assert os.path.commonpath([path, tmp_path]) == str(tmp_path)
