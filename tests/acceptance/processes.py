"""Processes as /proc shows them: who descends from whom, what they cost, which is which."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One process; `started` tells a reused pid from the same process."""

    pid: int
    parent: int
    started: int
    command: str
    cpu_seconds: float
    rss_bytes: int

    @property
    def alive(self) -> bool:
        now = read(self.pid)
        return now is not None and now.started == self.started

    def kill(self) -> None:
        """Fine when it ended by itself meanwhile."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def read(pid: int) -> Process | None:
    """None when it ended; a zombie counts as ended once its last thread is gone, for until then its sockets are open."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z" and int(fields[17]) <= 1:
        return None
    return Process(
        pid=pid,
        parent=int(fields[1]),
        started=int(fields[19]),
        command=command,
        cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND,
        rss_bytes=int(fields[21]) * PAGE_BYTES,
    )


def descendants(root: int) -> list[Process]:
    """Every process below `root`, not itself."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    everything = [process for number in numbers if (process := read(number)) is not None]
    found: list[Process] = []
    level = {root}
    while level:
        below = [p for p in everything if p.parent in level]
        found.extend(below)
        level = {p.pid for p in below}
    return found


ROLES = {
    "engine": ("kpi-engine", "kpi_engine"),
    "ingest": ("bin/ingest", "-m ingest"),
    "gateway": ("api-gateway", "api_gateway"),
    "alerts": ("bin/alerts", "-m alerts"),
    "broker": ("kafka.Kafka",),
    "database": ("postgres",),
}


def role_of(process: Process) -> str:
    """The part of the stack that a command line belongs to; `supervisor` for what starts and watches them."""
    for role, marks in ROLES.items():
        if any(mark in process.command for mark in marks):
            return role
    return "supervisor"
