"""The report of an import: what was found, line by line, and how it is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

FINDINGS: Final = ("added", "changed", "missing", "refused", "kept")
_MEANING: Final = {
    "added": "new",
    "changed": "changed",
    "missing": "known and not in the file (nothing was done about it)",
    "refused": "refused",
    "kept": "left as it is",
}


@dataclass(frozen=True, slots=True)
class Line:
    """`line` is of the file; `subject` an account, a currency or a metric. `old` and `new` are JSON values."""

    finding: str
    line: int | None = None
    subject: str | None = None
    field: str | None = None
    old: Any = None
    new: Any = None
    person: str | None = None
    reason: str | None = None

    def text(self) -> str:
        place = [f"line {self.line}"] if self.line is not None else []
        about = [" / ".join(part for part in (self.subject, self.person, self.field) if part)]
        said = []
        if self.finding == "changed":
            said = [f"{_shown(self.old)} -> {_shown(self.new)}"]
        elif self.finding == "added" and self.new is not None:
            said = [_shown(self.new)]
        return ": ".join(part for part in (*place, *about, *said, self.reason) if part)


@dataclass
class Tally:
    """How much there was of what, and the first lines of each finding for the screen."""

    most_shown: int
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[Line]] = field(default_factory=lambda: {name: [] for name in FINDINGS})

    def add(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self.counts[line.finding] += 1
            if len(self.first[line.finding]) < self.most_shown:
                self.first[line.finding].append(line)

    def told(self) -> list[str]:
        """For people: every finding with its first lines."""
        said = []
        for finding in FINDINGS:
            count, shown = self.counts[finding], self.first[finding]
            if count:
                said.append(f"{count:,} {_MEANING[finding]}:")
                said += [f"  {line.text()}" for line in shown]
                said += [f"  ... and {count - len(shown):,} more"] if count > len(shown) else []
        return said


def _shown(value: Any) -> str:
    """One line, without control characters, whatever a cell holds."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= 120 else f"{text[:117]}..."
