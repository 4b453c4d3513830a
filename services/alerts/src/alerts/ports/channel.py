"""A way to reach people. One conformance suite runs on every implementation (tests/contract/channels)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.domain.retries import Outcome


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a notice goes. `secrets` are never part of a log line, an error or an answer."""

    receiver_id: int
    tenant_id: int
    name: str
    kind: str
    target: str
    secrets: tuple[str, ...]
    allow_private: bool
    channel: str | None = None

    def __repr__(self) -> str:
        return f"Receiver({self.receiver_id}, {self.kind})"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver one notice. `id` stays over all attempts; `at` is of this one.

    `earlier`: what the receiver called the first message about the same case, where it can be changed.
    """

    id: str
    type: str
    body: str
    created_at: datetime
    at: datetime
    receiver: Receiver
    earlier: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of an attempt. `reason` is a constant in kebab-case: it goes to the delivery log, the metrics and the API.

    `reference`: what the receiver calls the message, to be given back as `earlier`.
    """

    outcome: Outcome
    reason: str
    status_code: int | None = None
    retry_after: timedelta | None = None
    reference: str | None = None


class Channel(Protocol):
    """Async. `deliver` never raises for what a receiver does or fails to do, takes at most its time-out, reads a bounded answer, and follows nothing.

    Replay: the same notice may be delivered again after a crash, always under the same id.
    """

    async def deliver(self, delivery: Delivery) -> Receipt: ...

    async def prepare(self) -> None:
        """Once, before the first delivery: whatever takes time that is not the receiver's. Never raises."""
