"""Time as a dependency: code that decides takes `now`; code that asks for it takes a Clock.

A machine's clock may be set back. What lasts for a span is held against the distance of two instants, whichever is later: else nothing would
happen until the clock has caught up.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Gives the present instant, aware and in UTC."""

    def now(self) -> datetime: ...


class Every:
    """Says once a span that it has passed."""

    def __init__(self, span: timedelta, now: datetime) -> None:
        self._span, self._last = span, now

    def is_due(self, now: datetime) -> bool:
        """Whether the span has passed since it was due last, or since the beginning."""
        if abs(now - self._last) < self._span:
            return False
        self._last = now
        return True


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        self._at += by
