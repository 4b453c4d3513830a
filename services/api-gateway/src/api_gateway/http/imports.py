"""`/v1/imports`: what was imported, by whom, and what each import found."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request

from api_gateway.domain import cursors
from api_gateway.domain.encoding import instant_text
from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.answers import json_answer
from api_gateway.http.event_pages import does_not_continue
from api_gateway.http.middleware import segment_text
from api_gateway.ports.imports import ImportReader
from api_gateway.use_cases.sessions import Caller

Finding = Literal["added", "changed", "missing", "refused", "kept"]
Limit = Annotated[int, Query(ge=1, le=1_000)]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the page before; it belongs to this very question")
]
_MOST_LINES = 2**31


def router(access: Access, imports: ImportReader) -> APIRouter:
    routes = APIRouter(prefix="/v1/imports", tags=["Imports"])
    caller_of = access.require("read")

    @routes.get("", **reference.IMPORTS)
    def listing(
        request: Request,
        caller: Annotated[Caller, Depends(caller_of)],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        question = cursors.fingerprint(tenant_id, "imports")
        after = _moment(cursors.decode(question, cursor, 2)) if cursor else None
        rows = imports.page(tenant_id, limit + 1, after)
        page, following = rows[:limit], None
        if len(rows) > limit:
            following = cursors.encode(question, (instant_text(page[-1].started_at), page[-1].id))
        return json_answer(request, {"data": [asdict(row) for row in page], "next_cursor": following})

    @routes.get("/{import_id}", **reference.IMPORT)
    def report(
        request: Request,
        import_id: str,
        caller: Annotated[Caller, Depends(caller_of)],
        finding: Annotated[list[Finding], Query(description="Only these findings")] = [],  # noqa: B006
        limit: Limit = 200,
        cursor: Cursor = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = imports.one(tenant_id, segment_text(import_id))
        question = cursors.fingerprint(tenant_id, "import", row.id, *sorted(finding))
        after = _number(cursors.decode(question, cursor, 1)) if cursor else 0
        lines = imports.lines(tenant_id, row.id, finding, limit + 1, after)
        page = lines[:limit]
        following = cursors.encode(question, (str(page[-1].number),)) if len(lines) > limit else None
        return json_answer(
            request, {**asdict(row), "data": [asdict(line) for line in page], "next_cursor": following}
        )

    return routes


def _moment(position: Sequence[str]) -> tuple[datetime, str]:
    try:
        at = datetime.fromisoformat(position[0])
        import_id = str(uuid.UUID(position[1]))
    except ValueError as error:
        raise does_not_continue() from error
    if at.tzinfo is None:
        raise does_not_continue()
    return at, import_id


def _number(position: Sequence[str]) -> int:
    text = position[0]
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) < _MOST_LINES):
        raise does_not_continue()
    return int(text)
