"""What the engine changed: the feed behind the stream."""

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from api_gateway.domain.records import Change


class ChangeReader(Protocol):
    """Reads published changes. Raises Unavailable when the database doesn't answer: pause and call again."""

    def installation(self) -> str:
        """Return what names this database among all."""
        ...

    def ranges(self) -> Mapping[int, tuple[int, int]]:
        """Return the oldest and newest kept batch number per partition; a partition with nothing kept has oldest = newest + 1."""
        ...

    def after(self, batches: Mapping[int, int], limit: int, tenant_id: int | None = None) -> Sequence[Change]:
        """Return changes past these batch numbers, by partition and number: at most `limit` batches of each partition, none of them in part."""
        ...


class Wake(Protocol):
    """Waits for news."""

    def wait(self, stop: threading.Event | None = None) -> bool:
        """Return at a notification, or after a fraction of a second without one."""
        ...

    def close(self) -> None: ...
