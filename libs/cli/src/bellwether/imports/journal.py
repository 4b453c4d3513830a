"""An import and its report in the database, written as it goes, in the memory of a handful of lines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import psycopg

from bellwether.imports.report import Line, Tally
from common.control.imports import hold

Connection = psycopg.Connection[Any]

_BEGIN: Final[LiteralString] = """
insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run)
values (gen_random_uuid(), %(tenant)s, %(kind)s, %(file)s, %(at)s, %(by)s, %(dry_run)s) returning id::text
"""
_LINES: Final[LiteralString] = (
    "copy control.import_line (import_id, number, finding, line, tenant_id, subject, person, field, old, new, reason) from stdin"
)
_COUNT: Final[LiteralString] = "update control.import set counts = %(counts)s where id = %(id)s"
_END: Final[LiteralString] = "update control.import set ended_at = %(at)s where id = %(id)s"


@dataclass(frozen=True, slots=True)
class Head:
    """Whose import of what, by whom."""

    tenant_id: int
    kind: str
    file: str
    by: str
    dry_run: bool


class Journal:
    """The caller commits. `tally` counts what was written."""

    def __init__(self, conn: Connection, head: Head, most_shown: int) -> None:
        self._conn, self._head = conn, head
        self._number = 0
        self.tally = Tally(most_shown)
        self.started_at = datetime.now(UTC)
        row = conn.execute(
            _BEGIN,
            {
                "tenant": head.tenant_id,
                "kind": head.kind,
                "file": head.file,
                "at": self.started_at,
                "by": head.by,
                "dry_run": head.dry_run,
            },
        ).fetchone()
        assert row is not None
        self.id = str(row[0])
        hold(conn, self.id)

    def write(self, lines: Sequence[Line]) -> None:
        if not lines:
            return
        self.tally.add(lines)
        with self._conn.cursor() as cursor, cursor.copy(_LINES) as copy:
            for line in lines:
                self._number += 1
                copy.write_row(
                    (
                        self.id, self._number, line.finding, line.line, self._head.tenant_id, line.subject, line.person,
                        line.field, _json(line.old), _json(line.new), line.reason,
                    )
                )  # fmt: skip

    def count(self, more: Mapping[str, int]) -> dict[str, int]:
        """Keeps and returns all counts so far: what is left of an import that is cut short."""
        counts = {**self.tally.counts, **more}
        self._conn.execute(_COUNT, {"counts": json.dumps(counts), "id": self.id})
        return counts

    def end(self, more: Mapping[str, int]) -> dict[str, int]:
        """Returns all counts."""
        self._conn.execute(_END, {"at": datetime.now(UTC), "id": self.id})
        return self.count(more)


def _json(value: Any) -> str | None:
    """PostgreSQL keeps no NUL in JSON."""
    return None if value is None else json.dumps(value, ensure_ascii=False).replace("\\u0000", "")
