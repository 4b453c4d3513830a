"""An event as the hot path reads it: a CloudEvents 1.0 object with its data left as bytes."""

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """The attributes that decide identity, account and time; everything else stays in the raw bytes.

    `time` is RFC 3339 text. `originaltime` is set only where ingest computed `time` (Segment's clock-skew correction).
    """

    id: str
    source: str
    type: str
    time: str
    specversion: str = "1.0"
    subject: str | None = None
    recordedtime: str | None = None
    originaltime: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
