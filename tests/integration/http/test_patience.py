"""Clients that send a request ever so slowly are cut off; those that only take their time are served."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from time import monotonic
from typing import Any

import pytest
import uvicorn

from common.http.patience import Patience
from common.http.serve import configuration
from common.testing import wait_until

PATIENCE = Patience(head_seconds=0.4, head_bytes=4_096, body_seconds=0.4, body_bytes=100)
# Those who are served may stand still as long as a busy machine can.
LONG_PATIENCE = Patience(head_seconds=60.0, head_bytes=4_096, body_seconds=2.0, body_bytes=100)
CUT_OFF_WITHIN_SECONDS = 60.0
BODY_HEAD = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 100000\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; a client that went away gets nothing."""
    if scope["type"] != "http":
        return
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        if not message["more_body"]:
            break
    body = str(length).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(patience: Patience) -> Iterator[tuple[str, int]]:
    server = uvicorn.Server(configuration(echo, "127.0.0.1", 0, patience, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, 60, "the server to listen")
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(60)


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with served(PATIENCE) as found:
        yield found


@pytest.fixture
def patient_address() -> Iterator[tuple[str, int]]:
    with served(LONG_PATIENCE) as found:
        yield found


def connect(address: tuple[str, int]) -> closing[socket.socket]:
    return closing(socket.create_connection(address, timeout=CUT_OFF_WITHIN_SECONDS))


def drip(connection: socket.socket, piece: bytes) -> bytes:
    """Sends a piece every 50 ms until the other side has had enough; returns what it said."""
    connection.settimeout(0.05)
    answer, ends_at = b"", monotonic() + CUT_OFF_WITHIN_SECONDS
    while monotonic() < ends_at:
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it may have said so and gone since the last look
            connection.sendall(piece)
        try:
            received = connection.recv(4_096)
        except TimeoutError:
            continue
        except ConnectionResetError:
            return answer
        if not received:
            return answer
        answer += received
    raise AssertionError("it was never cut off")


def ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return connection.recv(4_096)


def test_headers_that_never_end_are_cut_off(address: tuple[str, int]) -> None:
    with connect(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n")
        answer = drip(connection, b"x-drip: 1\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"head-too-slow"' in answer


def test_blank_lines_before_a_request_hold_no_connection(address: tuple[str, int]) -> None:
    with connect(address) as connection:
        answer = drip(connection, b"\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_headers_without_end_that_come_fast_are_refused_by_size(patient_address: tuple[str, int]) -> None:
    with connect(patient_address) as connection:
        answer = ask(connection, b"GET / HTTP/1.1\r\n" + b"x-much: " + b"y" * 8_192)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_body_that_hardly_moves_is_cut_off(address: tuple[str, int]) -> None:
    with connect(address) as connection:
        connection.sendall(BODY_HEAD)
        answer = drip(connection, b"x")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body-too-slow"' in answer


def test_a_chunked_body_that_hardly_moves_is_cut_off_too(address: tuple[str, int]) -> None:
    with connect(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n")
        answer = drip(connection, b"1\r\nx\r\n")
    assert b'"code":"body-too-slow"' in answer


def test_the_second_request_of_a_connection_is_watched_as_the_first(address: tuple[str, int]) -> None:
    with connect(address) as connection:
        assert ask(connection, b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").endswith(b"0")
        connection.sendall(b"GET /")
        answer = drip(connection, b"x")
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_takes_long_but_moves_is_served(patient_address: tuple[str, int]) -> None:
    """It takes twice as long as a body may stand still."""
    piece = b"x" * 100
    with connect(patient_address) as connection:
        connection.sendall(BODY_HEAD.replace(b"100000", b"4000"))
        began = monotonic()
        for n in range(40):
            wait_until(lambda n=n: monotonic() >= began + 0.1 * n, 60, "the next piece")  # type: ignore[misc]
            connection.sendall(piece)
        assert connection.recv(4_096).endswith(b"4000")


def test_a_slow_client_holds_up_nobody_else(patient_address: tuple[str, int]) -> None:
    with connect(patient_address) as slow, connect(patient_address) as other:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert ask(other, b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").startswith(b"HTTP/1.1 200 ")
