"""Server-sent events as messages. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the last one that the stream has given so far, or empty."""

    event: str
    data: str
    id: str


def messages(lines: Iterable[str], last_id: str = "") -> Iterator[Message]:
    """By the HTML standard's rules for event streams: comments and unknown fields are left out, `data` lines are joined."""
    event, data = "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield Message(event or "message", "\n".join(data), last_id)
            event, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last_id = value
