"""Cuts off clients that keep a connection busy without getting anywhere: a request's head has a deadline, its body must move.

uvicorn bounds only the time between requests; without this, a few thousand half-sent requests hold all sockets of a service for ever.
"""

import asyncio
import enum
from dataclasses import dataclass
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TITLES = {408: "Request Timeout", 431: "Request Header Fields Too Large"}


@dataclass(frozen=True, slots=True)
class Patience:
    """`head_seconds`: from the first byte to the end of the headers. A body must bring `body_bytes` in every
    `body_seconds`, or its end; time in which we ourselves did not read is not held against the client.
    """

    head_seconds: float = 10.0
    head_bytes: int = 65_536
    body_seconds: float = 10.0
    body_bytes: int = 10_240


class _Stage(enum.Enum):
    HEAD = "head"
    BODY = "body"
    COMPLETE = "complete"


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol with one timer, which is touched only when a request did not arrive in one piece."""

    def __init__(self, patience: Patience, **options: Any) -> None:
        super().__init__(**options)
        self._patience = patience
        self._stage, self._request_no = _Stage.COMPLETE, 0
        self._watched: tuple[_Stage, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._bytes, self._was_paused = 0, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Before its first request a connection may idle as it may between requests, and no longer.
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._request_no
        super().data_received(data)
        if self._request_no == before and not self._is_answering():
            self._stage = _Stage.HEAD if self._stage is _Stage.COMPLETE else self._stage
        self._watch(len(data))

    def on_message_begin(self) -> None:
        self._stage, self._request_no = _Stage.HEAD, self._request_no + 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stage = _Stage.BODY
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._was_paused = self._was_paused or self.flow.read_paused

    def on_message_complete(self) -> None:
        self._stage = _Stage.COMPLETE
        super().on_message_complete()

    def _watch(self, received: int) -> None:
        """After bytes came: the timer follows what is still missing."""
        if self._stage is _Stage.COMPLETE or self.transport.is_closing():
            self._unwatch()
            return
        now = (self._stage, self._request_no)
        if self._watched != now:
            self._unwatch()
            self._watched, self._bytes = now, 0
            self._set_timer()
        self._bytes += received
        if self._stage is _Stage.HEAD and self._bytes > self._patience.head_bytes:
            self._cut_off(
                431, "head-too-large", f"the headers are longer than {self._patience.head_bytes} bytes"
            )

    def _set_timer(self) -> None:
        patience = self._patience
        seconds = patience.head_seconds if self._stage is _Stage.HEAD else patience.body_seconds
        self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._watched = None

    def _time_is_up(self) -> None:
        patience = self._patience
        if self._stage is _Stage.HEAD:
            self._cut_off(408, "head-too-slow", f"the headers did not end within {patience.head_seconds:g} s")
        elif self._bytes < patience.body_bytes and not self._made_it_wait():
            needed = f"{patience.body_bytes} bytes of the body, or its end, are needed every {patience.body_seconds:g} s"
            self._cut_off(408, "body-too-slow", needed)
        else:
            self._bytes, self._was_paused = 0, False
            self._set_timer()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _made_it_wait(self) -> bool:
        return self._was_paused or self.flow.read_paused or self.cycle.waiting_for_100_continue

    def _cut_off(self, status: int, code: str, message: str) -> None:
        """With an answer where none has begun. The application sees a client that went away."""
        self._unwatch()
        answering = self._is_answering()
        if answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        has_begun = answering and self.cycle.response_started
        if has_begun or self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        self.transport.write(_answer(status, code, message))
        self.transport.close()


def _answer(status: int, code: str, message: str) -> bytes:
    title = _TITLES[status]
    body = orjson.dumps(
        {"type": "about:blank", "title": title, "status": status, "code": code, "message": message}
    )
    head = (
        f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
