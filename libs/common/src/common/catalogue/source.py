"""YAML files as plain values that remember the line each of them stands on."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.catalogue.findings import Finding, Severity

Path_ = tuple[str | int, ...]
MAX_DEPTH = 20  # no definition nests half as deep
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """`lines` gives the line (from 1) of every value by its path of keys and positions."""

    file: str
    value: Any
    lines: dict[Path_, int]
    layer: int = 0
    """0 is the base pack; a later overlay may replace what an earlier one says."""
    faulty: frozenset[int] = frozenset()
    """Lines that couldn't be read as they stand; what follows from that isn't worth saying."""

    def line(self, path: Path_) -> int:
        """The line of `path`, or of the nearest value that holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


@dataclass(frozen=True)
class Entry:
    """One definition: a file's only mapping, or one of its list."""

    document: Document
    path: Path_
    value: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.value.get("name", ""))

    def finding(self, path: Path_, message: str, advice: str, severity: Severity = "error") -> Finding:
        line = self.document.line((*self.path, *path))
        field = ".".join(str(part) for part in path)
        if self.name:
            field = f"{self.name}.{field}" if field else self.name
        return Finding(self.document.file, line, field, message, advice, severity)

    def warning(self, path: Path_, message: str, advice: str) -> Finding:
        return self.finding(path, message, advice, "warning")


def read(file: Path, shown_as: str, layer: int, findings: list[Finding]) -> Document | None:
    """The file's content, or None with findings when it isn't YAML that can be read."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe or a device may never end
            findings.append(Finding(shown_as, 1, "", "is no file of text", "Put a file in its place"))
            return None
        loader = _LOADER(file.read_text(encoding="utf-8"))
    except OSError as error:
        advice = "Mend the link, or let whoever runs this read the file"
        findings.append(Finding(shown_as, 1, "", f"can't be read: {error.strerror}", advice))
        return None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        findings.append(Finding(shown_as, 1, "", f"can't be read: {error}", "Save it as UTF-8 text"))
        return None
    before = len(findings)
    try:
        reader = _Reader(loader, shown_as, findings)
        value = reader.document()
        faulty = frozenset(finding.line for finding in findings[before:] if finding.severity == "error")
        return Document(shown_as, value, reader.lines, layer, faulty)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        findings.append(
            Finding(shown_as, line, "", f"not YAML: {error.problem}", "Check indentation, colons and quotes")
        )
    except yaml.YAMLError as error:
        findings.append(
            Finding(shown_as, 1, "", f"not YAML: {error}", "Check indentation, colons and quotes")
        )
    finally:
        loader.dispose()
    return None


def entries(document: Document, findings: list[Finding]) -> Iterator[Entry]:
    """The definitions of a file that holds one mapping or a list of them."""
    if document.value is None:
        return
    items: list[tuple[Path_, Any]] = (
        [((position,), item) for position, item in enumerate(document.value)]
        if isinstance(document.value, list)
        else [((), document.value)]
    )
    for path, item in items:
        if isinstance(item, dict):
            yield Entry(document, path, item)
        else:
            findings.append(
                Finding(
                    document.file,
                    document.line(path),
                    "",
                    "isn't a definition",
                    "Write `name: ...` and its fields, or a list of such definitions",
                )
            )


class _Reader:
    """Builds values from events, so that no file, however deeply it nests, exhausts the stack."""

    def __init__(self, loader: Any, file: str, findings: list[Finding]) -> None:
        self.lines: dict[Path_, int] = {}
        self._loader = loader
        self._file = file
        self._findings = findings

    def document(self) -> Any:
        """The value of the only document; None for an empty file."""
        self._loader.get_event()
        if isinstance(self._loader.get_event(), yaml.StreamEndEvent):
            return None
        value = self._build(self._loader.get_event(), ())
        self._loader.get_event()
        after = self._loader.get_event()
        if not isinstance(after, yaml.StreamEndEvent):
            advice = "Write a list instead of documents parted by ---"
            self._report(after.start_mark.line + 1, (), "holds a second document", advice)
        return value

    def _build(self, event: Any, path: Path_) -> Any:
        line = event.start_mark.line + 1
        self.lines.setdefault(path, line)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.AliasEvent):  # an alias may repeat itself a billion times
            self._report(line, path, "repeats another value by alias", "Write the value out")
            return None
        if len(path) >= MAX_DEPTH:
            self._report(line, path[:1], f"nests deeper than {MAX_DEPTH} levels", "Write it flatter")
            return self._skip()
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _scalar(self, event: Any, path: Path_) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        line = event.start_mark.line + 1
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:  # a date that the calendar doesn't have
            self._report(line, path, f"{event.value!r}: {error}", "Correct or quote it")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._report(
                line,
                path,
                f"{event.value} is no number that can be counted with",
                "Write a number, or quote it",
            )
        elif isinstance(value, str):
            self._storable(value, line, path)
        elif isinstance(value, bool) and event.value.lower() not in ("true", "false"):
            advice = f"Write '{event.value}' in quotes where it is a name, such as a country; else {str(value).lower()}"
            self._report(line, path, f"YAML reads {event.value} as {str(value).lower()}", advice, "warning")
        return value

    def _storable(self, text: str, line: int, path: Path_) -> None:
        if "\0" in text:
            self._report(line, path, "holds the character U+0000, which can't be stored", "Leave it out")

    def _sequence(self, path: Path_) -> list[Any]:
        built: list[Any] = []
        while not isinstance(event := self._loader.get_event(), yaml.SequenceEndEvent):
            built.append(self._build(event, (*path, len(built))))
        return built

    def _mapping(self, path: Path_) -> dict[str, Any]:
        built: dict[str, Any] = {}
        while not isinstance(event := self._loader.get_event(), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                self._report(line, path, "has a key that is no text", "Write `name: value`")
                if not isinstance(event, yaml.AliasEvent):
                    self._skip()
                key = ""
            else:
                key = event.value
            self._storable(key, line, path)
            if key in built:
                self._report(line, (*path, key), "is given twice", "Keep one of the two")
            self.lines[(*path, key)] = line
            built[key] = self._build(self._loader.get_event(), (*path, key))
        return built

    def _skip(self) -> None:
        """Reads on to the end of the collection that has just begun."""
        depth = 1
        while depth:
            event = self._loader.get_event()
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)

    def _report(
        self, line: int, path: Path_, message: str, advice: str, severity: Severity = "error"
    ) -> None:
        field = ".".join(str(part) for part in path)
        self._findings.append(Finding(self._file, line, field, message, advice, severity))
