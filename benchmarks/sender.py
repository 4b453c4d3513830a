"""The load generator: prepared bytes over a few kept-alive connections, flat out or on a schedule.

Runs as a process of its own, so that its CPU can be told from that of what is measured:
`python -m benchmarks.sender ORDER.json` reads an order, prints one JSON line.
"""

import json
import mmap
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

RETRY_SECONDS_AT_MOST = 1.0


@dataclass(frozen=True)
class Order:
    """`rate` 0 sends as fast as it is accepted. Times are of the monotonic clock, which all processes share."""

    file: str
    offsets: list[int]
    url: str
    key: str
    connections: int = 4
    rate: float = 0.0
    batch: int = 500


@dataclass
class Sent:
    """Per batch in the order of the file: when it was due, when it was acknowledged, how many were accepted."""

    began: float = 0.0
    ended: float = 0.0
    cpu_seconds: float = 0.0
    refused: int = 0
    due: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)

    @property
    def events(self) -> int:
        return sum(self.accepted)

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Connection:
    """One kept-alive connection that posts bodies and reads what little the answers say."""

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self._address = (str(address.hostname), int(address.port or 80))
        self._head = (
            f"POST /v1/events HTTP/1.1\r\nhost: {address.netloc}\r\nauthorization: Bearer {key}\r\n"
            "content-type: application/cloudevents-batch+json\r\ncontent-length: "
        ).encode()
        self._socket = self._open()

    def _open(self) -> socket.socket:
        made = socket.create_connection(self._address, 60)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        parts = [self._head + b"%d\r\n\r\n[" % (len(body) + 2), body, b"]"]
        sent = self._socket.sendmsg(parts)
        whole = sum(map(len, parts))
        if sent < whole:
            self._socket.sendall(b"".join(parts)[sent:])
        return self._answer()

    def _answer(self) -> tuple[int, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        return int(head[9:12]), body

    def _receive(self) -> bytes:
        received = self._socket.recv(65_536)
        if not received:
            raise ConnectionError("ingest closed the connection")
        return received


def send(order: Order) -> Sent:
    """Every batch until it is accepted; an answer other than 200, 429 or 503 ends it with RuntimeError."""
    count = len(order.offsets) - 1
    sent = Sent(due=[0.0] * count, acknowledged=[0.0] * count, accepted=[0] * count)
    errors: list[BaseException] = []
    with Path(order.file).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        numbers = iter(range(count))
        sent.began = time.monotonic()
        threads = [
            threading.Thread(target=_work, args=(order, content, numbers, sent, errors))
            for _ in range(order.connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    sent.ended = time.monotonic()
    sent.cpu_seconds = time.process_time()
    return sent


def _work(
    order: Order, content: mmap.mmap, numbers: Iterator[int], sent: Sent, errors: list[BaseException]
) -> None:
    try:
        connection = Connection(order.url, order.key)
        for number in numbers:
            due = sent.began + number * order.batch / order.rate if order.rate else time.monotonic()
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
            body = content[order.offsets[number] : order.offsets[number + 1] - 1].replace(b"\n", b",")
            sent.due[number] = due
            sent.accepted[number] = _until_accepted(connection, body, sent)
            sent.acknowledged[number] = time.monotonic()
    except (OSError, RuntimeError, ValueError) as error:
        errors.append(error)


def _until_accepted(connection: Connection, body: bytes, sent: Sent) -> int:
    while True:
        status, answer = connection.post(body)
        if status == 200:
            said = json.loads(answer)
            if said["rejected"]:
                raise RuntimeError(f"events were rejected: {said['rejected'][:2]}")
            return int(said["accepted"])
        if status not in (429, 503):
            raise RuntimeError(f"ingest answered {status}: {answer[:300]!r}")
        sent.refused += 1
        time.sleep(RETRY_SECONDS_AT_MOST / 4)


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    sys.stdout.write(json.dumps(asdict(send(Order(**given)))) + "\n")


def read_sent(line: str) -> Sent:
    return Sent(**json.loads(line))


def order_text(order: Order) -> str:
    return json.dumps(asdict(order))


if __name__ == "__main__":
    main()
