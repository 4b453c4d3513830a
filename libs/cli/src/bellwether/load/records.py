"""From a file to the JSON objects that ingest takes: JSON lines of CloudEvents, CSV, or a Segment export; gzip or not.

Nothing is judged here that ingest judges: a line that is no event is sent as it stands and comes back refused, with its reason.
Only a row of a CSV that does not fit its header can't be sent: it would be half an event.
"""

import csv
import gzip
import io
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

_DELIMITERS: Final = ",;\t|"
_GZIP_MAGIC: Final = b"\x1f\x8b"
# Fields of `data` that the metric pack reads as text although they often look like numbers.
_TEXT_FIELDS: Final = frozenset(
    {"user", "owner", "subscription", "complaint", "ticket", "survey", "wave", "invoice", "deal", "product"}
    | {
        "mrr",
        "amount",
        "yearly_benefit",
        "customer_effort",
        "currency",
        "feature",
        "partner",
        "campaign",
        "plan",
    }
)
# Traits that are text although a name or a number of an account may look like a number.
ACCOUNT_TEXTS: Final = (
    *("name", "segment", "plan", "region", "country", "owner", "partner", "campaign", "source"),
    *("channel", "stage", "engagement_model", "parent", "kind"),
)
PERSON_TEXTS: Final = ("name", "email", "phone", "role", "persona")
_TEXT_PATHS: Final = frozenset(
    {("data", name) for name in _TEXT_FIELDS}
    | {("data", "traits", name) for name in (*ACCOUNT_TEXTS, *PERSON_TEXTS)}
)
_MOST_LEVELS: Final = 200  # ingest can be set to take no more
_REQUIRED: Final = ("id", "type", "time")
# Where a Segment export says when the event was sent or received: history, not the wire, so it must not shift the time again.
_SEGMENT_WIRE_FIELDS: Final = ("sentAt", "receivedAt", "originalTimestamp")


class FileType(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"
    SEGMENT = "segment"


class UnreadableFileError(Exception):
    """The file as a whole cannot be loaded; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person finds a record: its line, counted from 1, in a file of a directory; None where there is only one file."""

    file: str | None
    line: int

    def __str__(self) -> str:
        return f"line {self.line}" if self.file is None else f"{self.file} line {self.line}"


@dataclass(frozen=True, slots=True)
class Item:
    """`line` counts from 1 and is where the record starts; `body` is one JSON object as it is sent.

    `wrong`: why it is refused here and never sent; `body` is then the row as it was read.
    """

    line: int
    body: bytes
    wrong: str | None = None


class Source:
    """A file being read. `fraction` is how much of its bytes have been read, 0 to 1; None when the size is not known."""

    def __init__(self, raw: io.BufferedReader, size: int | None) -> None:
        self._raw = raw
        self._size = size
        packed = self._raw.peek(2)[:2] == _GZIP_MAGIC
        self._plain: IO[bytes] = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw)) if packed else self._raw

    @property
    def fraction(self) -> float | None:
        if not self._size:
            return None
        return min(1.0, self._raw.tell() / self._size)

    def place(self, line: int) -> Place:
        return Place(None, line)

    def lines(self) -> Iterator[bytes]:
        try:
            yield from self._plain
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableFileError(
                f"The file ends in the middle or is no whole gzip file: {error}."
            ) from error


class Sources:
    """All files of a directory as one, each in gzip or not, in the order of their names: what exports of a day or a year are.

    Lines are counted through all of them; `place` says which file's a line is, of those that were read.
    """

    def __init__(self, directory: Path, files: Sequence[Path]) -> None:
        self._directory, self._files = directory, files
        self._before: list[int] = []  # of each file that was begun, how many lines come before it
        self._size = sum(file.stat().st_size for file in files)
        self._read = 0
        self._open: io.BufferedReader | None = None

    @property
    def fraction(self) -> float | None:
        if not self._size:
            return None
        return min(1.0, (self._read + (self._open.tell() if self._open else 0)) / self._size)

    def place(self, line: int) -> Place:
        number = bisect_left(self._before, line) - 1
        return Place(str(self._files[number].relative_to(self._directory)), line - self._before[number])

    def lines(self) -> Iterator[bytes]:
        count = 0
        for file in self._files:
            self._before.append(count)
            with file.open("rb") as self._open:
                try:
                    for line in Source(self._open, None).lines():
                        count += 1
                        yield line
                except UnreadableFileError as error:
                    raise UnreadableFileError(f"{file}: {error}") from error
                self._read += self._open.tell()
            self._open = None


def files_of(directory: Path) -> list[Path]:
    """Every file below it by name, hidden ones left out. Raises UnreadableFileError when there are none."""
    found = sorted(
        path
        for path in directory.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )
    if not found:
        raise UnreadableFileError(f"There are no files in {directory}.")
    return found


def items(
    source: Source | Sources, file_type: FileType, name: str, recorded_at: str | None
) -> Iterator[Item]:
    """Every record of the file, in its order. Empty lines are left out."""
    if file_type is FileType.CSV:
        yield from _csv_items(source.lines(), name, recorded_at)
        return
    change = _changer(file_type, recorded_at)
    for number, line in enumerate(source.lines(), start=1):
        body = line.strip()
        if number == 1:
            body = body.removeprefix(b"\xef\xbb\xbf")
            if _opens_an_array(body):
                raise UnreadableFileError(
                    "The file is one array over several lines, and has to be one object a line: "
                    "write it so with jq -c '.[]' FILE."
                )
        if body:
            wrong = _wrong_in_an_array(body) if file_type is FileType.SEGMENT else None
            yield Item(number, change(body), wrong)


def _wrong_in_an_array(body: bytes) -> str | None:
    """Why a line can't be an element of a batch: its brackets and commas would be read as those of its neighbours."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.MsgspecError as error:
        return f"this is not JSON: {error}; every line has to be one call of Segment, whole"
    return None


def _opens_an_array(body: bytes) -> bool:
    """Whether a first line is the beginning of an array and no value of its own, which ingest would judge."""
    if not body.startswith(b"["):
        return False
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return True
    return False


def _changer(file_type: FileType, recorded_at: str | None) -> Callable[[bytes], bytes]:
    if file_type is FileType.SEGMENT:
        return _without_wire_fields
    if recorded_at is None or recorded_at == "recordedtime":
        return _as_it_stands
    path = tuple(recorded_at.split("."))
    return lambda body: _with_recorded_time(body, path)


def _as_it_stands(body: bytes) -> bytes:
    return body


def _with_recorded_time(body: bytes, path: Sequence[str]) -> bytes:
    """Puts the field at `path` into `recordedtime`. Members keep their bytes, so numbers stay exact."""
    try:
        event = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        found: object = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return body
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    if not isinstance(found, str):
        return body
    return msgspec.json.encode({**event, "recordedtime": found})


def _without_wire_fields(body: bytes) -> bytes:
    try:
        call = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return body
    if "timestamp" not in call and "originalTimestamp" in call:
        call["timestamp"] = call["originalTimestamp"]
    for name in _SEGMENT_WIRE_FIELDS:
        call.pop(name, None)
    return msgspec.json.encode(call)


def _csv_items(lines: Iterator[bytes], name: str, recorded_at: str | None) -> Iterator[Item]:
    text = Text(
        line.decode("utf-8-sig" if first else "utf-8", errors="strict") for first, line in _with_first(lines)
    )
    line = 1
    try:
        first = next(text, "")
        reader = csv.reader(chain([first], text), delimiter=delimiter_of(first), strict=True)
        columns = _columns(next(reader, []), recorded_at)
        line = reader.line_num + 1
        for row in reader:
            if row:
                yield _csv_item(line, columns, row, name, cut=text.cut(row, len(columns)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableFileError(f"Line {line}: {csv_fault(error, line, reader.line_num)}.") from error
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"The file is no CSV in UTF-8: {error}. Save it as UTF-8.") from error


class Text:
    """Lines of a CSV, which remember whether the last one that was read ends."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._ends = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._ends = line.endswith(("\n", "\r"))
        return line

    def cut(self, row: Sequence[str], columns: int) -> str | None:
        """Why the row that was just read can't be taken for whole. One that lacks its last cells may be; not so where its line doesn't
        end either: then what is missing wasn't written, or not sent."""
        if self._ends or len(row) >= columns:
            return None
        return (
            f"the file ends in the middle of it, after {len(row)} of {columns} cells and without a line break; "
            "export it again, or end the line where that is all of it"
        )


def csv_fault(error: csv.Error, line: int, last: int) -> str:
    """What is wrong with a row that starts at `line` and was read until `last`."""
    if last > line:
        return f"its quotes aren't closed properly, so lines {line} to {last} can't be told apart ({error})"
    if "field limit" in str(error):
        return (
            f"a cell has more than {csv.field_size_limit():,} characters, which no event can hold; shorten it"
        )
    return f"it is no CSV ({error})"


def check_once(names: Iterable[str]) -> None:
    """Of what columns say: two that say the same might say it differently. Raises UnreadableFileError."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise UnreadableFileError(
            f"The header has the column {twice[0]} twice, and only one of them can count. Rename or remove the other."
        )


def delimiter_of(header: str) -> str:
    """The one that stands most often in a header, quotes aside."""
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _with_first(lines: Iterator[bytes]) -> Iterator[tuple[bool, bytes]]:
    first = True
    for line in lines:
        yield first, line
        first = False


@dataclass(frozen=True)
class _Column:
    path: tuple[str, ...]  # in the event, such as data, traits, plan
    kind: str  # text, number, json or guess


def _columns(header: Sequence[str], recorded_at: str | None) -> list[_Column]:
    names = [column.strip() for column in header]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise UnreadableFileError(
            f"The header row has no column {', '.join(missing)}: it needs id, type, time, and has source, subject "
            "and data.* where they apply, such as data.user."
        )
    if recorded_at is not None and recorded_at not in names:
        raise UnreadableFileError(f"The header row has no column {recorded_at}, which --recorded-at names.")
    found = [_column(name, recorded_at) for name in names]
    check_once(".".join(column.path) for column in found if any(column.path))
    _check_apart({column.path for column in found})
    return found


def _column(name: str, recorded_at: str | None) -> _Column:
    if name == recorded_at:
        return _Column(("recordedtime",), "text")
    field, _, kind = name.partition(":")
    path = tuple(field.split("."))
    if path[0] != "data":
        # CloudEvents attributes and extensions are top-level names; ingest says so when a name is none.
        return _Column((name,), "text")
    if kind not in ("", "text", "number", "json"):
        raise UnreadableFileError(f"Column {name}: after the colon stands text, number or json.")
    if not all(path) or len(path) > _MOST_LEVELS:
        raise UnreadableFileError(
            f"Column {name[:80]}: between dots stand the names of 1 to {_MOST_LEVELS} levels, such as data.traits.plan."
        )
    usual = "json" if path == ("data",) else "text" if path in _TEXT_PATHS else "guess"
    return _Column(path, kind or usual)


def _check_apart(paths: AbstractSet[tuple[str, ...]]) -> None:
    """Of columns: one may not be a field of what another says whole. Raises UnreadableFileError."""
    for path in sorted(paths):
        for end in range(1, len(path)):
            if path[:end] in paths:
                whole, part = ".".join(path[:end]), ".".join(path)
                raise UnreadableFileError(
                    f"The header has the columns {whole} and {part}, and the second is a field of the first, so they "
                    f"could say two things. Remove one, or write {whole} as a column a field."
                )


def _csv_item(
    line: int, columns: Sequence[_Column], row: Sequence[str], name: str, *, cut: str | None
) -> Item:
    wrong = f"the row has {len(row)} cells and the header {len(columns)}" if len(row) > len(columns) else cut
    if wrong is not None:
        return Item(line, msgspec.json.encode(row), wrong)
    return Item(line, _csv_event(columns, row, name))


def _csv_event(columns: Sequence[_Column], row: Sequence[str], name: str) -> bytes:
    """An empty cell says nothing, and an object of which every cell is empty isn't there."""
    event: dict[str, Any] = {"specversion": "1.0", "source": f"/load/{name}"}
    for column, cell in zip(columns, row, strict=False):
        if cell != "":
            _put(event, column.path, _cell(cell, column.kind))
    data = event.pop("data", {})
    return msgspec.json.encode({**event, "data": data})


def _put(event: dict[str, Any], path: Sequence[str], value: object) -> None:
    *above, last = path
    for name in above:
        event = event.setdefault(name, {})
    event[last] = value


def _cell(cell: str, kind: str) -> object:
    """Numbers keep their digits as written. `guess` takes JSON's numbers and booleans as such and all else as text."""
    if kind == "text":
        return cell
    try:
        value = msgspec.json.decode(cell)
    except msgspec.MsgspecError:
        return cell
    if kind == "json" or (
        isinstance(value, int | float | bool) and not (kind == "number" and isinstance(value, bool))
    ):
        return msgspec.Raw(cell.strip().encode())
    return cell
