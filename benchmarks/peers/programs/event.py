"""The part of an event that the task needs, decoded as fast as Python can. Its time is the time of its record."""

import msgspec

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Deed(msgspec.Struct, gc=False):
    user: str | None = None
    value: int = 0


class Event(msgspec.Struct, gc=False):
    subject: str
    data: Deed


decode = msgspec.json.Decoder(Event).decode
