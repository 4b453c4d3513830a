"""Annotations in control.annotation."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from api_gateway.domain.annotations import Annotation, AnnotationsQuery
from common.db.pool import Pool, borrow
from common.errors import NotFound, Rejected

_COLUMNS = "id::text, starts_at, ends_at, kind, text, author, segments, accounts, created_at"
_INSERT = """
insert into control.annotation (id, tenant_id, starts_at, ends_at, kind, text, author, segments, accounts, created_at)
values (%(id)s, %(tenant)s, %(starts_at)s, %(ends_at)s, %(kind)s, %(text)s, %(author)s, %(segments)s, %(accounts)s, %(created_at)s)
"""


class PostgresAnnotations:
    """AnnotationStore on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def add(self, tenant_id: int, annotation: Annotation) -> None:
        lists = {"segments": list(annotation.segments), "accounts": list(annotation.accounts)}
        with borrow(self._pool) as connection:
            connection.execute(_INSERT, {**asdict(annotation), **lists, "tenant": tenant_id})

    def list(self, tenant_id: int, query: AnnotationsQuery) -> Sequence[Annotation]:
        wanted, parameters = _conditions(query)
        statement = (
            f"select {_COLUMNS} from control.annotation where tenant_id = %(tenant)s {''.join(wanted)} "
            "order by starts_at desc, id desc limit %(limit)s"
        )
        parameters |= {"tenant": tenant_id, "limit": query.limit + 1}
        with borrow(self._pool) as connection:
            return [Annotation(*row) for row in connection.execute(statement, parameters)]

    def remove(self, tenant_id: int, annotation_id: str) -> None:
        unknown = NotFound(
            "annotation-unknown", "this tenant has no annotation of that id; `GET /v1/annotations` lists them"
        )
        try:
            parameters = (str(uuid.UUID(annotation_id)), tenant_id)
        except ValueError as error:
            raise unknown from error
        with borrow(self._pool) as connection:
            gone = connection.execute(
                "delete from control.annotation where id = %s and tenant_id = %s", parameters
            )
            if not gone.rowcount:
                raise unknown


def _conditions(query: AnnotationsQuery) -> tuple[Sequence[str], dict[str, Any]]:
    wanted: list[str] = []
    parameters: dict[str, Any] = {}
    for name, value, condition in (
        ("start", query.start, "ends_at > %(start)s"),
        ("end", query.end, "starts_at < %(end)s"),
        ("kind", query.kind, "kind = %(kind)s"),
        ("account", query.account, "(%(account)s = any(accounts) or (accounts = '{}' and segments = '{}'))"),
        ("segment", query.segment, "(%(segment)s = any(segments) or (accounts = '{}' and segments = '{}'))"),
    ):
        if value is not None:
            wanted.append(f" and {condition}")
            parameters[name] = value
    if query.after is not None:
        try:
            parameters |= {"at": datetime.fromisoformat(query.after[0]), "id": str(uuid.UUID(query.after[1]))}
        except ValueError as error:
            raise Rejected("cursor-invalid", "this cursor does not continue this query") from error
        wanted.append(" and (starts_at, id) < (%(at)s, %(id)s)")
    return wanted, parameters
