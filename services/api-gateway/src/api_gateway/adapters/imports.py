"""Imports and what they stated, in schema control."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from api_gateway.ports.imports import AimRow, ImportRow, ReportLine
from common.control.imports import state_of
from common.db.pool import Pool, borrow
from common.errors import NotFound

_COLUMNS = (
    f"id::text, kind, file, started_at, ended_at, {state_of('import')} as state, imported_by, dry_run, counts"
)
_PAGE = f"""
select {_COLUMNS} from control.import
where tenant_id = %(tenant)s and (%(at)s::timestamptz is null or (started_at, id) < (%(at)s, %(id)s::uuid))
order by started_at desc, id desc limit %(limit)s
"""
_LINES = """
select number, finding, line, subject, person, field, old, new, reason from control.import_line
where tenant_id = %(tenant)s and import_id = %(id)s and number > %(after)s
  and (cardinality(%(findings)s::text[]) = 0 or finding = any(%(findings)s))
order by number limit %(limit)s
"""


def _newest(table: LiteralString, day: LiteralString) -> LiteralString:
    return f"""
select slice, at, value, low, high, set_by, why, source, set_at, unit, currency from (
  select distinct on (slice, {day}) nullif(slice, '') as slice, {day} as at, value, low, high, set_by, why, source, set_at, unit, currency
  from {table} where tenant_id = %s and metric = %s order by slice, {day}, id desc
) as newest
where value is not null or low is not null or high is not null order by slice nulls first, at nulls first limit 200"""


_TARGETS = _newest("control.target", "due")
_RANGES = _newest("control.industry_range", "day")


class PostgresImports:
    """ImportReader on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def page(self, tenant_id: int, limit: int, after: tuple[datetime, str] | None) -> Sequence[ImportRow]:
        at, import_id = after or (None, None)
        params = {"tenant": tenant_id, "at": at, "id": import_id, "limit": limit}
        with borrow(self._pool) as connection:
            return [ImportRow(*row) for row in connection.execute(_PAGE, params)]

    def one(self, tenant_id: int, import_id: str) -> ImportRow:
        unknown = NotFound(
            "import-unknown", "this tenant has no import of that id; `GET /v1/imports` lists them"
        )
        try:
            params = (tenant_id, str(uuid.UUID(import_id)))
        except ValueError as error:
            raise unknown from error
        statement = f"select {_COLUMNS} from control.import where tenant_id = %s and id = %s"
        with borrow(self._pool) as connection:
            row = connection.execute(statement, params).fetchone()
        if row is None:
            raise unknown
        return ImportRow(*row)

    def lines(
        self, tenant_id: int, import_id: str, findings: Sequence[str], limit: int, after: int
    ) -> Sequence[ReportLine]:
        params = {
            "tenant": tenant_id,
            "id": import_id,
            "findings": list(findings),
            "limit": limit,
            "after": after,
        }
        with borrow(self._pool) as connection:
            return [ReportLine(*row) for row in connection.execute(_LINES, params)]

    def targets(self, tenant_id: int, metric: str) -> Sequence[AimRow]:
        return self._aims(_TARGETS, tenant_id, metric)

    def ranges(self, tenant_id: int, metric: str) -> Sequence[AimRow]:
        return self._aims(_RANGES, tenant_id, metric)

    def _aims(self, statement: LiteralString, tenant_id: int, metric: str) -> Sequence[AimRow]:
        with borrow(self._pool) as connection:
            return [AimRow(*row) for row in connection.execute(statement, (tenant_id, metric))]
