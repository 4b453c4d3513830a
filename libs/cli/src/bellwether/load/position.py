"""Where a load stands, in a small file, so that the same command goes on after any kind of end."""

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec


class Position(msgspec.Struct, frozen=True):
    """Everything up to and including `line` is durable at ingest or refused. `digest` is the SHA-256 of the file."""

    digest: str
    line: int
    accepted: int
    refused: int


@dataclass(frozen=True)
class PositionFile:
    """Written whole or not at all. It may lag behind what ingest has: what is sent again counts once."""

    path: Path

    def read(self, digest: str) -> Position | None:
        """None when there is none, or when it is of a file with other content."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=Position)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        return found if found.digest == digest else None

    def write(self, position: Position) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self.path.with_suffix(f".{os.getpid()}.unfinished")
        unfinished.write_bytes(msgspec.json.encode(position))
        unfinished.replace(self.path)

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


def state_directory(environ: Mapping[str, str], home: Path) -> Path:
    """Per user, as the XDG base directory specification has it; the directory of the loaded file may be read-only."""
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else home / ".local" / "state") / "bellwether" / "loads"


def position_name(file: Path, url: str, key: str, file_type: str) -> str:
    """One load is one file going to one tenant's door in one way."""
    what = "\n".join((str(file.resolve()), url, key, file_type))
    return hashlib.sha256(what.encode()).hexdigest()[:24]


def digest_of(file: io.BufferedReader) -> str:
    """Reads the file once from its start and leaves it there."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def digest_of_all(files: Sequence[Path]) -> str:
    """Of the contents of files one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
