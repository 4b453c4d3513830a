"""The outbox as delivery workers see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.ports.channel import Delivery, Receipt


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notice under this worker's lease. `number` counts all attempts ever, `round` those since it was written or sent again."""

    delivery: Delivery
    number: int
    round: int
    receiver_disabled: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be written about an attempt. `next_attempt_at` None: it is over, delivered or not."""

    receipt: Receipt
    finished_at: datetime
    next_attempt_at: datetime | None
    disable_receiver: str | None = None


class Outbox(Protocol):
    """Sync, safe to use from many threads; raises Unavailable when the database does not answer.

    Replay: a notice whose worker died is claimed again when its lease ends, under the same id. A notice is never lost: it leaves `pending` only by
    `settle`, and only for the worker that holds its lease.
    """

    def claim(self, now: datetime, limit: int, busy: Sequence[int]) -> list[Claimed]:
        """Due notices, at most `limit`, none of the receivers in `busy`."""

    def settle(self, settled: Sequence[tuple[Claimed, Verdict]]) -> None:
        """All of them, or none when it raises; those whose lease another worker took stay as that one left them."""

    def next_due_at(self) -> datetime | None: ...
    def has_succeeded_since(self, receiver_id: int, since: datetime) -> bool:
        """Whether the receiver took anything since then."""

    def give_back(self, claimed: Sequence[Claimed]) -> None:
        """Ends leases on notices that were not tried."""
