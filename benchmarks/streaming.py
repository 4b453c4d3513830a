"""When the live stream named whom: one reader that does as little as it can."""

import http.client
import re
import socket
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.acceptance.stack import Stack


class StreamWatch:
    """Notes the first moment at which the stream's `accounts` lines name each account that matches a pattern."""

    def __init__(self, stack: Stack, pattern: bytes) -> None:
        address = urlsplit(stack.urls["gateway"])
        self.named: dict[str, float] = {}
        self._find = re.compile(pattern).findall
        self._http = http.client.HTTPConnection(str(address.hostname), address.port, timeout=120)
        self._http.request(
            "GET", "/v1/stream?topics=accounts", headers={"authorization": f"Bearer {stack.keys['read']}"}
        )
        self._answer = self._http.getresponse()
        if self._answer.status != 200:
            raise RuntimeError(f"the stream answered {self._answer.status}")
        self._socket = self._http.sock
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._http.close()

    def _read(self) -> None:
        try:
            while line := self._answer.readline():
                if line.startswith(b"data:"):
                    now = time.monotonic()
                    for name in self._find(line):
                        self.named.setdefault(name.decode(), now)
        except (OSError, http.client.HTTPException):
            if not self._ended:
                raise
