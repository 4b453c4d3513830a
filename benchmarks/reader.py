"""The load generator of reads: GETs over a few kept-alive connections, each as soon as the one before is answered.

Runs as a process of its own: `python -m benchmarks.reader ORDER.json` prints one JSON line.
"""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Order:
    """`paths` are asked for in turn, until there were so many requests or so many seconds are over.

    With `tags`, each is asked for once before, and its ETag goes with every further request.
    """

    url: str
    key: str
    paths: list[str]
    requests: int
    seconds: float = 60.0
    connections: int = 4
    tags: bool = False


@dataclass
class Heard:
    """Seconds of each request, and how often each status was answered."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    bytes: int = 0


class _Connection:
    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self._head = f" HTTP/1.1\r\nhost: {address.netloc}\r\nauthorization: Bearer {key}\r\n"
        self._socket = socket.create_connection(
            (str(address.hostname), int(address.port or 80)), TIMEOUT_SECONDS
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def get(self, path: str, tag: str | None) -> tuple[int, str | None, int]:
        """Status, tag, bytes of the body."""
        asked = f"GET {path}{self._head}" + (f"if-none-match: {tag}\r\n" if tag else "") + "\r\n"
        self._socket.sendall(asked.encode())
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        fields = {name.lower(): value for name, value in lines}
        length = 0 if head[9:12] == b"304" else int(fields["content-length"])
        while len(self._rest) < length:
            self._receive()
        self._rest = self._rest[length:]
        return int(head[9:12]), fields.get("etag"), length

    def _receive(self) -> None:
        received = self._socket.recv(262_144)
        if not received:
            raise ConnectionError("the gateway closed the connection")
        self._rest += received


def read(order: Order) -> Heard:
    """An answer other than 200 and 304 is counted under its status like any other."""
    heard, lock = Heard(), threading.Lock()
    errors: list[BaseException] = []
    tags = _tags(order) if order.tags else {}
    numbers = iter(range(order.requests))

    def work() -> None:
        try:
            connection = _Connection(order.url, order.key)
            for number in numbers:
                if time.perf_counter() - started > order.seconds:
                    return
                path = order.paths[number % len(order.paths)]
                began = time.perf_counter()
                status, _, length = connection.get(path, tags.get(path))
                took = time.perf_counter() - began
                with lock:
                    heard.latencies.append(took)
                    heard.statuses[str(status)] = heard.statuses.get(str(status), 0) + 1
                    heard.bytes += length
        except (OSError, ValueError, KeyError) as error:
            errors.append(error)

    started = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(order.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    heard.seconds = time.perf_counter() - started
    return heard


def _tags(order: Order) -> dict[str, str]:
    connection = _Connection(order.url, order.key)
    answers = {path: connection.get(path, None)[1] for path in dict.fromkeys(order.paths)}
    return {path: tag for path, tag in answers.items() if tag}


def run(order: Order, root: Path) -> Heard:
    """In a process of its own, started in `root`."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asdict(order), file)
        file.flush()
        command = [sys.executable, "-m", "benchmarks.reader", file.name]
        done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return Heard(**json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(read(Order(**json.loads(Path(sys.argv[1]).read_text()))))))
