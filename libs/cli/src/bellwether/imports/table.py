"""Rows of a CSV file as people's programs write them: any common delimiter and encoding, line breaks inside quotes.

Memory is that of one row, whatever the file. A row that can't be read is told as such, with its line, and the next one is read.
"""

import codecs
import csv
import gzip
import io
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from bellwether.imports.cells import Order, agreed, order_of
from bellwether.load.records import Text, UnreadableFileError, csv_fault, delimiter_of

if TYPE_CHECKING:
    from _csv import Reader

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZIP_MAGIC: Final = b"PK\x03\x04"
_CHUNK_BYTES: Final = 1 << 20
_MOST_COLUMNS: Final = 1_000
_MOST_CELL_CHARACTERS: Final = 100_000
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What programs on Windows write where they don't write UTF-8.
_FALLBACK: Final = "cp1252"


@dataclass(frozen=True, slots=True)
class Row:
    """`line` counts from 1 and is where the row starts. As many cells as the header has."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    line: int
    reason: str


@dataclass(frozen=True)
class Table:
    """A file that can be read again and again. `encoding` and `delimiter` are as found."""

    text: io.TextIOWrapper
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    first_line: int  # of the rows

    def rows(self) -> Iterator[Row | Unreadable]:
        """Every row after the header; empty ones are left out."""
        self.text.seek(0)
        text = Text(self.text)
        reader = _reader(text, self.delimiter)
        while reader.line_num < self.first_line - 1:
            next(reader)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Unreadable(line, csv_fault(error, line, reader.line_num))
                continue
            if any(cell.strip() for cell in cells):
                cut = text.cut(cells, len(self.header))
                yield self._row(line, cells) if cut is None else Unreadable(line, cut)

    def check_filled(self) -> None:
        """Raises UnreadableFileError when there is no row, which no source that is still read would say."""
        if next(self.rows(), None) is None:
            raise UnreadableFileError(
                "The file has a header and no row, which is what a broken export leaves: nothing was compared or "
                "changed. Export it again."
            )

    def order(self, index: int) -> Order | None:
        """What the dates of a column show about the order of day and month. Reads the whole file."""
        cells = (row.cells[index].strip() for row in self.rows() if isinstance(row, Row))
        return agreed({found for cell in cells if (found := order_of(cell))})

    def _row(self, line: int, cells: Sequence[str]) -> Row | Unreadable:
        width = len(self.header)
        if any(cell.strip() for cell in cells[width:]):
            return Unreadable(line, f"it has {len(cells)} cells and the header {width}")
        if any("\0" in cell for cell in cells):
            return Unreadable(line, "it holds a NUL character")
        # Excel leaves out empty cells at the end of a row.
        return Row(line, tuple((*cells, *([""] * width))[:width]))


@contextmanager
def opened(file: Path | None, encoding: str | None = None) -> Iterator[Table]:
    """The table in a file, gzip or zip or neither; None is standard input. Raises UnreadableFileError, OSError."""
    with _seekable(file) as raw:
        try:
            text = io.TextIOWrapper(raw, encoding or _encoding(raw), newline="")
            try:
                yield _table(text)
            finally:
                text.detach()
        except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
            raise UnreadableFileError(
                f"The file ends in the middle or is no whole archive: {error}."
            ) from error
        except (UnicodeError, LookupError) as error:
            raise UnreadableFileError(f"The file can't be decoded ({error}). Say --encoding.") from error


@contextmanager
def _seekable(file: Path | None) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() if file is None else file.open("rb") as raw:
        if file is None:
            shutil.copyfileobj(sys.stdin.buffer, raw)
            raw.seek(0)
        magic = raw.read(4)
        raw.seek(0)
        if magic.startswith(_GZIP_MAGIC):
            with gzip.GzipFile(fileobj=raw) as plain:
                yield cast("IO[bytes]", plain)
        elif magic == _ZIP_MAGIC:
            with zipfile.ZipFile(raw) as archive, archive.open(_only_member(archive)) as member:
                yield member
        else:
            yield cast("IO[bytes]", raw)


def _only_member(archive: zipfile.ZipFile) -> str:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if len(names) != 1:
        raise UnreadableFileError(f"The zip file holds {len(names)} files; it must be one.")
    return names[0]


def _table(text: io.TextIOWrapper) -> Table:
    text.seek(0)
    skipped, line = 0, text.readline(_MOST_CELL_CHARACTERS)
    while line and not line.strip():
        skipped, line = skipped + 1, text.readline(_MOST_CELL_CHARACTERS)
    said = line.strip()
    if said.lower().startswith("sep=") and len(said) == len("sep=;"):
        delimiter, skipped = said[-1], skipped + 1
    else:
        delimiter = delimiter_of(line)
    text.seek(0)
    reader = _reader(text, delimiter)
    try:
        for _ in range(skipped):
            next(reader)
        header = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise UnreadableFileError(f"The header row is no CSV: {error}.") from error
    while header and not header[-1]:
        header.pop()
    if not header or len(header) > _MOST_COLUMNS:
        raise UnreadableFileError(f"The file has no header row of 1 to {_MOST_COLUMNS} columns.")
    return Table(text, text.encoding, delimiter, tuple(header), reader.line_num + 1)


def _encoding(raw: IO[bytes]) -> str:
    """By its first bytes, else UTF-8 when all of it is, else what Windows writes. Leaves the file at its start."""
    start = raw.read(4)
    raw.seek(0)
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := raw.read(_CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _FALLBACK
    finally:
        raw.seek(0)
    return "utf-8"


def _reader(text: Iterable[str], delimiter: str) -> "Reader":
    # A quote that is never closed would else read the rest of the file into one cell.
    csv.field_size_limit(_MOST_CELL_CHARACTERS)
    return csv.reader(text, delimiter=delimiter, strict=True)
