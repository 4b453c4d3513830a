"""How much a rule's firing matters. The order is that of the list."""

from collections.abc import Iterable
from typing import Literal, get_args

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


def rank(severity: str | None) -> int:
    """-1 for none at all."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def worst(severities: Iterable[Severity], default: Severity = "info") -> Severity:
    return max(severities, key=rank, default=default)
