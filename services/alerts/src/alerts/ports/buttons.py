"""What the buttons of notices need to know and remember."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.domain.buttons import Link
from alerts.ports.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Pressable:
    """What a link is about. `person`: who acts by it. `is_used`: it did what it does already."""

    account: str
    severity: str
    status: str
    person: str
    receiver: str
    is_used: bool


class ButtonBook(Protocol):
    """One connection of one thread, the same as that of the ledger it comes with. Raises Unavailable when the database does not answer."""

    def key(self) -> bytes:
        """Of our own installation; it stays as long as the database does."""

    def pressable(self, link: Link, link_hash: bytes) -> Pressable | None:
        """None when the case or the receiver is no more."""

    def use(self, link: Link, link_hash: bytes, now: datetime) -> bool:
        """Remembers that it was pressed, as part of the transaction; False when it was before, whoever was first."""


OpenButtons = Callable[[], AbstractContextManager[tuple[Ledger, ButtonBook]]]
