"""YAML files as plain values that remember the line each of them stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.catalogue.findings import Finding

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """`lines` gives the line (from 1) of every value by its path of keys and positions."""

    file: str
    value: Any
    lines: dict[Path_, int]

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

    def finding(self, path: Path_, message: str, advice: str) -> Finding:
        line = self.document.line((*self.path, *path))
        field = ".".join(str(part) for part in path)
        if self.name:
            field = f"{self.name}.{field}" if field else self.name
        return Finding(self.document.file, line, field, message, advice)


def read(file: Path, shown_as: str, findings: list[Finding]) -> Document | None:
    """The file's content, or None with findings when it isn't YAML that can be read."""
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        findings.append(Finding(shown_as, 1, "", f"can't be read: {error}", "Save it as UTF-8 text"))
        return None
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(shown_as, None, {})
        reader = _Reader(loader, shown_as, findings)
        return Document(shown_as, reader.build(node, ()), reader.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        findings.append(
            Finding(shown_as, line, "", f"not YAML: {error.problem}", "Check indentation, colons and quotes")
        )
    except (yaml.YAMLError, ValueError) as error:
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
    def __init__(self, loader: yaml.SafeLoader, file: str, findings: list[Finding]) -> None:
        self.lines: dict[Path_, int] = {}
        self._loader = loader
        self._file = file
        self._findings = findings
        self._seen: set[int] = set()

    def build(self, node: yaml.Node, path: Path_) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.ScalarNode):
            return self._loader.construct_object(node)
        if id(node) in self._seen:  # an alias may repeat itself a billion times
            self._report(line, path, "repeats another value by alias", "Write the value out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, position)) for position, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: yaml.Node, path: Path_) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in built:
                self._report(line, (*path, key), "is given twice", "Keep one of the two")
            self.lines[(*path, key)] = line
            built[key] = self.build(value_node, (*path, key))
        return built

    def _report(self, line: int, path: Path_, message: str, advice: str) -> None:
        field = ".".join(str(part) for part in path)
        self._findings.append(Finding(self._file, line, field, message, advice))
