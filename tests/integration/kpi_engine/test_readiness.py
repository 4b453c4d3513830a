"""What the engine says of dependencies that aren't there."""

import socket

from common.streams.reachable import why_unreachable
from kpi_engine.app import why_no_database


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_broker_that_accepts_nothing_is_named() -> None:
    address = f"127.0.0.1:{closed_port()}"
    assert why_unreachable(address) == f"kafka: no broker accepts connections at {address}"
    assert why_unreachable("nonsense") == "kafka: no broker accepts connections at nonsense"


def test_one_broker_of_several_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        port = broker.getsockname()[1]
        assert why_unreachable(f"127.0.0.1:{closed_port()}, 127.0.0.1:{port}") is None


def test_a_database_that_is_not_there_is_the_reason(postgres_url: str) -> None:
    assert why_no_database(postgres_url) is None
    why = why_no_database(f"postgresql://127.0.0.1:{closed_port()}/x") or ""
    assert why.startswith("database: ")
    assert "refused" in why
