"""What a demo remembers in its data directory, so that the next one goes on with the same world instead of a second one."""

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from bellwether.demo.receiver import new_secret
from bellwether.stack.keys import write_private


class Memory(msgspec.Struct, frozen=True):
    """`told_until`: all history before it has been loaded; None before the first load ended."""

    seed: int
    anchor: date
    webhook_secret: str
    told_until: datetime | None = None

    def told(self, until: datetime) -> "Memory":
        return msgspec.structs.replace(self, told_until=until)


def recall(path: Path, seed: int, now: datetime) -> Memory:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        memory = Memory(seed=seed, anchor=now.astimezone(UTC).date(), webhook_secret=new_secret())
        keep(path, memory)
        return memory


def keep(path: Path, memory: Memory) -> None:
    """Readable by its owner alone: it holds the webhook's secret."""
    write_private(path, msgspec.json.encode(memory).decode())
