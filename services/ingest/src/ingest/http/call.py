"""One request on the hot path: its headers and its body, read within bounds."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from common.errors import Rejected
from ingest.domain.inflation import TooLarge
from ingest.use_cases.admission import Share

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class SlowBody(Rejected):
    """The body did not arrive in time (HTTP 408)."""


class ClientGone(Exception):
    """The client left before its body was complete; nobody is there to answer."""


class Call:
    """A request. `headers` have names in lower case; of repeated ones the last counts."""

    def __init__(self, scope: Scope, receive: Receive, share: Share) -> None:
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.raw_headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.share = share
        self._receive = receive

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def bearer(self) -> str:
        """Return the key in `Authorization: Bearer KEY`, or an empty string."""
        scheme, _, text = self.header(b"authorization").partition(" ")
        return text.strip() if scheme.lower() == "bearer" else ""

    async def body(self, max_bytes: int, timeout_seconds: float) -> bytes:
        """Return the whole body as sent. Raises TooLarge before reading where the length is declared, SlowBody, ClientGone, Unavailable
        when the budget has no room."""
        declared = int(self.headers.get(b"content-length", b"0"))
        if declared > max_bytes:
            raise TooLarge("body-too-large", f"the body has {declared} bytes; {max_bytes} are accepted")
        self.share.take(declared)
        message = await self._next(timeout_seconds)
        if not message.get("more_body", False):
            return bytes(message.get("body", b""))
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._rest(message.get("body", b""), declared, max_bytes)
        except TimeoutError as error:
            raise SlowBody(
                "body-timeout", f"the body was not complete after {timeout_seconds:g} s"
            ) from error

    async def _next(self, timeout_seconds: float) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(timeout_seconds):
                message = await self._receive()
        except TimeoutError as error:
            raise SlowBody("body-timeout", f"no body came within {timeout_seconds:g} s") from error
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message

    async def _rest(self, first: bytes, declared: int, max_bytes: int) -> bytes:
        pieces, size, more = [first], len(first), True
        while more:
            if size > max_bytes:
                raise TooLarge("body-too-large", f"the body has more than {max_bytes} bytes")
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece = message.get("body", b"")
            more = message.get("more_body", False)
            if not declared:
                self.share.take(len(piece))
            size += len(piece)
            pieces.append(piece)
        if size > max_bytes:
            raise TooLarge("body-too-large", f"the body has more than {max_bytes} bytes")
        return b"".join(pieces)
