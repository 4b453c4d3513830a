"""Loads of history in control.load."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import uuid_utils

from api_gateway.domain.records import Load
from common.db.pool import Pool, borrow
from common.errors import Conflict, NotFound

_COLUMNS = "id::text, description, started_at, heartbeat_at, ended_at"


class PostgresLoads:
    """LoadStore on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def start(self, tenant_id: int, description: str, now: datetime) -> Load:
        statement = f"""
          insert into control.load (id, tenant_id, description, started_at, heartbeat_at)
          values (%(id)s, %(tenant)s, %(description)s, %(now)s, %(now)s) returning {_COLUMNS}"""
        found = self._one(
            statement,
            {"id": str(uuid_utils.uuid7()), "tenant": tenant_id, "description": description, "now": now},
        )
        assert found is not None
        return found

    def heartbeat(self, tenant_id: int, load_id: str, now: datetime) -> Load:
        statement = f"""
          update control.load set heartbeat_at = case when ended_at is null then %(now)s else heartbeat_at end
          where id = %(id)s and tenant_id = %(tenant)s returning {_COLUMNS}"""
        found = self._existing(statement, tenant_id, load_id, now)
        if found.ended_at is not None:
            raise Conflict(
                "load-ended", f"this load ended at {found.ended_at.isoformat()}; start another one"
            )
        return found

    def end(self, tenant_id: int, load_id: str, now: datetime) -> Load:
        statement = f"""
          update control.load set ended_at = coalesce(ended_at, %(now)s)
          where id = %(id)s and tenant_id = %(tenant)s returning {_COLUMNS}"""
        return self._existing(statement, tenant_id, load_id, now)

    def list(self, tenant_id: int, limit: int) -> Sequence[Load]:
        statement = (
            f"select {_COLUMNS} from control.load where tenant_id = %s order by started_at desc, id limit %s"
        )
        with borrow(self._pool) as connection:
            return [Load(*row) for row in connection.execute(statement, (tenant_id, limit))]

    def _existing(self, statement: str, tenant_id: int, load_id: str, now: datetime) -> Load:
        unknown = NotFound("load-unknown", "this tenant has no load of that id; `GET /v1/loads` lists them")
        try:
            parameters = {"id": str(uuid.UUID(load_id)), "tenant": tenant_id, "now": now}
        except ValueError as error:
            raise unknown from error
        found = self._one(statement, parameters)
        if found is None:
            raise unknown
        return found

    def _one(self, statement: str, parameters: dict[str, Any]) -> Load | None:
        with borrow(self._pool) as connection:
            row = connection.execute(statement, parameters).fetchone()
        return Load(*row) if row else None
