"""Asking another service on a caller's behalf."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A request to pass on. `target` is the path with its query, still encoded. `takes_long`: more than the usual time is given."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    takes_long: bool = False


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What the service said, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ServiceStream:
    """What the service says, as it says it. Iterating raises Unavailable when it breaks off."""

    status: int
    headers: Mapping[str, str]
    parts: AsyncIterator[bytes]


class Service(Protocol):
    """Raises Unavailable when the service can't be reached or takes too long, ServiceBroken when its answer is none."""

    name: str

    async def ask(self, request: Forwarded) -> ServiceAnswer: ...

    def listen(self, request: Forwarded) -> AbstractAsyncContextManager[ServiceStream]: ...


class ServiceBroken(Exception):
    """The service answered something that can't be passed on."""
