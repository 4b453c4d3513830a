"""A stream client over a real socket, that keeps what it hears."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from common.testing import wait_until

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Heard:
    """One server-sent event."""

    id: str
    event: str
    data: Any


@dataclass
class Listening:
    """Reads a stream in a thread. Use it as a context manager."""

    url: str
    headers: dict[str, str]
    heard: list[Heard] = field(default_factory=list)
    status: int = 0
    ended: bool = False

    def __enter__(self) -> Self:
        self._client = httpx.Client(timeout=httpx.Timeout(PATIENCE_SECONDS), trust_env=False)
        self._context = self._client.stream("GET", self.url, headers=self.headers)
        self._answer = self._context.__enter__()
        self.status = self._answer.status_code
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        stream = self._answer.extensions["network_stream"]
        with suppress(OSError):  # the other side may have ended it
            stream.get_extra_info("socket").shutdown(2)
        self._thread.join(PATIENCE_SECONDS)
        self._context.__exit__(None, None, None)
        self._client.close()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    self.heard.append(
                        Heard(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"]))
                    )
                    fields = {}
                else:
                    fields = {}
        except httpx.HTTPError:
            pass
        self.ended = True

    def wait_for(
        self,
        event: str,
        such: Callable[[Any], bool] = lambda _: True,
        timeout_seconds: float = PATIENCE_SECONDS,
    ) -> Heard:
        """The first event of this name whose data is such."""
        found = wait_until(
            lambda: next((one for one in list(self.heard) if one.event == event and such(one.data)), None),
            timeout_seconds,
            f"{event} among {[one.event for one in self.heard]}",
        )
        assert found is not None
        return found
