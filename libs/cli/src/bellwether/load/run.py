"""A load from the file to the moment all figures hold it."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from bellwether.load.batches import batches
from bellwether.load.delivery import Delivery, Patience
from bellwether.load.marking import LoadMark, wait_until_applied
from bellwether.load.position import Position, PositionFile, digest_of, digest_of_all, position_name
from bellwether.load.records import FileType, Source, Sources, files_of, items
from bellwether.load.reporting import Reporter, Summary
from bellwether.load.sending import Ledger, RefusedFile, Sink, deliver_all
from bellwether.target import NoTargetError, Target, http_client

_MOST_BYTES: Final = 1_000_000
# Segment's protocol allows half a megabyte a request.
_MOST_SEGMENT_BYTES: Final = 450_000
_NOT_SEEN: Final = (
    "no key with scope read (BELLWETHER_READ_KEY), so it is not seen when the figures hold everything"
)


@dataclass(frozen=True)
class Plan:
    """What to load and how. `file` None is standard input, which cannot be resumed."""

    file: Path | None
    file_type: FileType
    state_directory: Path
    recorded_at: str | None = None
    per_second: float | None = None
    batch: int = 500
    marked: bool = True
    wait: bool = True
    give_up_after_seconds: float | None = None
    refused_file: Path | None = None
    title: str | None = None

    @property
    def name(self) -> str:
        return self.title or (self.file.name if self.file else "stdin")


def run(plan: Plan, target: Target, shown: Reporter) -> Summary:
    """Raises NoTargetError, UnreadableFileError, StoppedError, GivenUpError or InterruptedLoadError."""
    key, url = target.key("ingest"), target.url("ingest")
    patience = Patience(plan.give_up_after_seconds, shown.waiting)
    identity = position_name(plan.file or Path("-"), url, key, plan.file_type)
    with _opened(plan.file) as (source, digest), http_client(url, key) as client:
        position_file = PositionFile(plan.state_directory / f"{identity}.json") if plan.file else None
        start = _start(position_file, digest, shown)
        refused_file = RefusedFile(plan.refused_file or plan.state_directory / f"{identity}.refused.ndjson")
        if not start.line and plan.refused_file is None:
            refused_file.path.unlink(missing_ok=True)
        ledger = Ledger(start, Sink(refused_file, position_file, source.place), shown)
        cut = batches(
            items(source, plan.file_type, plan.name, plan.recorded_at),
            size=plan.batch,
            most_bytes=_MOST_SEGMENT_BYTES if plan.file_type is FileType.SEGMENT else _MOST_BYTES,
            after_line=start.line,
            fraction=lambda: source.fraction,
        )
        delivery = Delivery(client, plan.file_type, patience)
        applied = send_marked(
            lambda: deliver_all(cut, delivery, patience, ledger, plan.per_second),
            plan,
            target,
            patience,
            shown,
            plan.state_directory / f"{identity}.mark" if plan.file else None,
        )
        refused_file.close()
        if position_file is not None:
            position_file.clear()
    refused_in_all = start.refused + ledger.standing.refused
    return Summary(
        ledger.standing,
        refused_in_all,
        start.line,
        str(refused_file.path) if refused_in_all else None,
        applied,
    )


def send_marked(
    send: Callable[[], None],
    plan: Plan,
    target: Target,
    patience: Patience,
    shown: Reporter,
    place: Path | None = None,
) -> bool:
    """Sends while the tenant is marked as loading, which is noted at `place`; True when afterwards all figures were seen to hold everything."""
    if not plan.marked:
        shown.phase(f"loading {plan.name}")
        send()
        return False
    gateway = target.url("gateway")
    with http_client(gateway, target.key("ingest", "admin")) as client:
        mark = LoadMark(client, f"bellwether load {plan.name}", patience, place)
        with mark:
            shown.phase(f"loading {plan.name}")
            send()
    if not plan.wait or mark.ended_at is None:
        return False
    try:
        read_key = target.key("read", "act", "admin")
    except NoTargetError:
        shown.phase(_NOT_SEEN)
        return False
    shown.phase("waiting until the figures hold it")
    with http_client(gateway, read_key) as reader:
        seen = wait_until_applied(reader, mark.ended_at, patience)
    if not seen:
        shown.phase(_NOT_SEEN)
    return seen


def _start(position_file: PositionFile | None, digest: Callable[[], str], shown: Reporter) -> Position:
    if position_file is None:
        return Position(digest="", line=0, accepted=0, refused=0)
    known = digest()
    found = position_file.read(known)
    if found is None:
        return Position(digest=known, line=0, accepted=0, refused=0)
    shown.phase(f"going on after line {found.line:,}")
    return found


@contextmanager
def _opened(file: Path | None) -> Iterator[tuple[Source | Sources, Callable[[], str]]]:
    """What is read, and how to tell its content; a directory is read file after file."""
    if file is None:
        yield Source(cast("io.BufferedReader", sys.stdin.buffer), None), str
    elif file.is_dir():
        files = files_of(file)
        yield Sources(file, files), lambda: digest_of_all(files)
    else:
        with file.open("rb") as raw:
            digest = digest_of(raw)
            yield Source(raw, file.stat().st_size), lambda: digest
