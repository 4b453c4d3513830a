"""What is wrong with a catalogue, said so that its author can put it right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from common.errors import Rejected

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An `error` keeps the catalogue from being applied; a `warning` is advice."""

    file: str
    line: int
    field: str
    message: str
    advice: str
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" + (f" {self.field}" if self.field else "")
        warning = "warning: " if self.severity == "warning" else ""
        return f"{where}: {warning}{self.message}. {self.advice}"


class CatalogueInvalid(Rejected):
    """Nothing of the catalogue is applied; `findings` names every error in reading order."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        lines = "\n".join(str(finding) for finding in self.findings)
        super().__init__("catalogue-invalid", f"{len(self.findings)} finding(s) in the catalogue:\n{lines}")
