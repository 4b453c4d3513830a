"""Statements from queries.sql, by name."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

from alerts.adapters.rows import ALERT_COLUMNS, CASE_COLUMNS, CASE_VIEW

_HEAD = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statements() -> Mapping[str, LiteralString]:
    """All statements of this package; constants, so no value ever enters their text."""
    found: dict[str, LiteralString] = {}
    for path in sorted(Path(__file__).parent.glob("*.sql")):
        parts = _HEAD.split(path.read_text(encoding="utf-8"))[1:]
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            filled = text.replace("{alert}", ALERT_COLUMNS).replace("{case}", CASE_COLUMNS)
            filled = filled.replace("{view}", ", ".join(CASE_VIEW.values()))
            found[name] = cast("LiteralString", filled)
    return found
