"""What happens when somebody opens or presses a button of a notice. Opening changes nothing: scanners of mail open every link."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from alerts.domain.buttons import Link, hash_of, link_of
from alerts.ports.buttons import ButtonBook, OpenButtons, Pressable
from alerts.ports.ledger import Ledger
from alerts.use_cases.desk import Actor, Desk
from common.errors import Conflict


class Result(Enum):
    DONE = "done"
    ALREADY = "already"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Seen:
    """A good link and what it is about."""

    link: Link
    about: Pressable


@dataclass(frozen=True, slots=True)
class Buttons:
    """Both answer None for a link that is not good, whatever is wrong with it."""

    desk: Desk
    open: OpenButtons

    def look(self, token: str, now: datetime) -> Seen | None:
        with self.open() as (_, book):
            return _seen(book, token, now)

    def press(self, token: str, quiet_for: timedelta, now: datetime) -> tuple[Seen, Result] | None:
        """Does it, once: pressed again it does nothing. A case that was closed meanwhile stays as it is."""
        with self.open() as (ledger, book):
            seen = _seen(book, token, now)
            if seen is None:
                return None
            try:
                with ledger.transaction():
                    if not book.use(seen.link, hash_of(token), now):
                        return seen, Result.ALREADY
                    self._act(ledger, seen, quiet_for, now)
            except Conflict:
                return seen, Result.CLOSED
            return seen, Result.DONE

    def _act(self, ledger: Ledger, seen: Seen, quiet_for: timedelta, now: datetime) -> None:
        link = seen.link
        actor = Actor(link.tenant_id, seen.about.person, f"button of {seen.about.receiver}")
        if link.action == "acknowledge":
            self.desk.acknowledge(ledger, actor, link.case_id, None, now)
        elif link.action == "expected":
            self.desk.expected(ledger, actor, link.case_id, now + quiet_for, None, now)
        else:
            self.desk.outcome(ledger, actor, link.case_id, "not_real", False, None, now)


def _seen(book: ButtonBook, token: str, now: datetime) -> Seen | None:
    link = link_of(book.key(), token, now)
    about = book.pressable(link, hash_of(token)) if link is not None else None
    return Seen(link, about) if link is not None and about is not None else None
