"""Instants as RFC 3339 text, and the window in which an event's time must lie."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from common.contracts.refusals import Code, Refusal

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?)?", re.ASCII)
# Years that a date inside an event may name; beyond, arithmetic on it would leave what calendars and databases can hold.
FIRST_YEAR, LAST_YEAR = 1900, 2200
# When an event may have happened, where an installation says nothing else: so long ago, and so far after its arrival.
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
_SECOND, _MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIGNS = ("+", "-")
_UTC_OFFSET = "+00:00"
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
# What a canonical instant of so many characters looks like when every digit is a 0: no fraction, or one of 1 to 9 digits.
_SHAPES = {20: b"0000-00-00T00:00:00Z"} | {
    21 + digits: b"0000-00-00T00:00:00." + b"0" * digits + b"Z" for digits in range(1, 10)
}


@dataclass(frozen=True, slots=True)
class Window:
    """When an event may have happened: `oldest <= time <= newest`. The texts are their first 19 characters, for comparing as text."""

    stamp: datetime
    oldest: datetime
    newest: datetime
    oldest_text: str
    newest_text: str

    @property
    def stamp_text(self) -> str:
        return text_of(self.stamp)


def window_at(stamp: datetime, oldest: datetime, ahead: timedelta) -> Window:
    """Return the window for events that arrive at `stamp`."""
    newest = stamp + ahead
    return Window(stamp, oldest, newest, _seconds(oldest), _seconds(newest))


def text_of(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def is_surely_within(text: str, window: Window) -> bool:
    """Tell, quickly, whether `text` is a valid instant well inside the window. False means: look closer."""
    if text[-6:-5] in _SIGNS:
        if not text.endswith(_UTC_OFFSET):
            return refuse_outside("time", text, window) is None
        text = _with_z(text)
    try:
        return (
            text[-1] == "Z"
            and text[10] == "T"
            and text[16] == ":"
            and text[7] == "-"
            and (len(text) == 20 or (text[19] == "." and 22 <= len(text) <= 30))
            and window.oldest_text < text < window.newest_text
            and datetime.fromisoformat(text) is not None
        )
    except (ValueError, IndexError):
        return False


def are_surely_within(texts: Sequence[str], window: Window) -> bool:
    """Tell of many instants together whether `is_surely_within` holds for each."""
    if not texts:
        return True
    if _UTC_OFFSET in "".join(texts):
        texts = list(map(_with_z, texts))
    width = len(texts[0])
    shape = _SHAPES.get(width)
    if shape is None or set(map(len, texts)) != {width}:
        return all(is_surely_within(text, window) for text in texts)
    joined = "".join(texts).encode()
    if joined.translate(_DIGITS_ALIKE) != shape * len(texts):
        # A fraction of four digits is as wide as an offset.
        return any(text[-6:-5] in _SIGNS for text in texts) and all(
            is_surely_within(text, window) for text in texts
        )
    return (
        window.oldest_text < min(texts)
        and max(texts) < window.newest_text
        # Minutes and seconds begin with 0 to 5; what stands before them is looked up once an hour.
        and not (joined[14::width] + joined[17::width]).translate(None, b"012345")
        and all(map(_is_hour, {text[:13] for text in texts}))
    )


def _with_z(text: str) -> str:
    """The same instant where the text ends in +00:00, as Python writes it; any other text as it is."""
    return f"{text[:-6]}Z" if text.endswith(_UTC_OFFSET) else text


@lru_cache(maxsize=4096)
def _is_hour(text: str) -> bool:
    """Tell whether a text of the right shape, such as 2026-01-31T12, is an hour of the calendar."""
    try:
        return datetime.fromisoformat(text) is not None
    except ValueError:
        return False


class WithoutZoneError(ValueError):
    """Not an instant but a time of day in some zone, which isn't said."""

    def __init__(self) -> None:
        super().__init__("it has no zone")


def read(text: str) -> datetime | Refusal:
    """Read RFC 3339 with a zone, any offset."""
    if not _RFC3339.fullmatch(text):
        if _NO_ZONE.fullmatch(text):
            return Refusal(
                Code.TIME_WITHOUT_ZONE, f"{text!r} has no zone; write 2026-01-31T12:00:00Z or +01:00"
            )
        return Refusal(
            Code.TIME_INVALID,
            f"{text[:40]!r} is not an RFC 3339 instant such as 2026-01-31T12:00:00.000Z",
        )
    try:
        return instant_of(text)
    except ValueError as error:
        return Refusal(Code.TIME_INVALID, f"{text!r} is not an instant: {error}")


def instant_of(text: str) -> datetime:
    """Return what an accepted text says, exact to the microsecond, in the zone it is written in. Small `t` and `z` are read too; a leap
    second is the instant after it, as clocks count. ValueError where it is no instant, WithoutZoneError where it has no zone.

    Whoever reads instants of events reads them by this, or reads what was accepted otherwise.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = _read_unusual(text.replace("t", "T").replace("z", "Z"))
    if at.tzinfo is None:
        raise WithoutZoneError
    return at


def _read_unusual(text: str) -> datetime:
    """Read capital letters, and the second 60."""
    if text[16:19] != ":60":
        return datetime.fromisoformat(text)
    try:
        after = datetime.fromisoformat(f"{text[:17]}59{text[19:]}") + _SECOND
        begins = after.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if (begins.day, begins.hour, begins.minute, begins.second) != (1, 0, 0, 0):
        raise ValueError("a leap second ends a month of UTC, so it is 23:59:60Z of a month's last day")
    return after


def refuse_outside(name: str, text: str, window: Window) -> Refusal | None:
    """Return why an attribute's instant can't be accepted at this time, or None."""
    found = read(text)
    if isinstance(found, Refusal):
        return Refusal(found.code, f"`{name}`: {found.message}")
    if found < window.oldest:
        return Refusal(
            Code.TIME_TOO_OLD, f"`{name}` {text} is before {text_of(window.oldest)}, the oldest accepted"
        )
    if found > window.newest:
        ahead = int((window.newest - window.stamp).total_seconds())
        return Refusal(
            Code.TIME_IN_FUTURE,
            f"`{name}` {text} is more than {ahead} s after its arrival at {window.stamp_text}; check the clock that wrote it",
        )
    return None


def refuse_calendar(text: str) -> str | None:
    """Return what is wrong with an instant or date inside an event's data, or None."""
    try:
        found: date | datetime | Refusal = date.fromisoformat(text) if len(text) == 10 else read(text)
    except ValueError as error:
        return str(error)
    if isinstance(found, Refusal):
        return found.message
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return f"the year must lie between {FIRST_YEAR} and {LAST_YEAR}"
    return None


def microseconds(at: datetime) -> int:
    """Since 1970, exact, unlike `timestamp()`."""
    return (at - _EPOCH) // _MICROSECOND


def _seconds(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()[:19]
