"""`/v1/annotations`: what people say happened, shown beside figures of the same time."""

from datetime import datetime
from typing import Annotated, Any, Literal

import uuid_utils
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api_gateway.domain import annotations as rules
from api_gateway.domain import cursors
from api_gateway.domain.accounts import storable
from api_gateway.domain.annotations import Annotation, AnnotationsQuery
from api_gateway.domain.encoding import dumps
from api_gateway.http import analysis_reference as reference
from api_gateway.http.access import Access
from api_gateway.http.answers import json_answer
from api_gateway.ports.annotations import AnnotationStore
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases.sessions import Caller
from common.clock import Clock
from common.errors import Rejected
from common.figures.calendar import Calendar
from common.figures.model import Moment
from common.figures.request import moment

Name = Annotated[str, Field(min_length=1, max_length=512)]
Kind = Literal["release", "price", "outage", "market", "holiday"]


class NewAnnotation(BaseModel):
    """`from` and `to` are dates (the tenant's local midnight) or instants with offset; `to` is exclusive."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"from": "2026-03-01", "to": "2026-03-02", "kind": "price", "text": "Price list of 2026", "segments": ["small"]}
            ]
        },
    )  # fmt: skip

    from_: str = Field(alias="from", max_length=40)
    to: str = Field(max_length=40)
    kind: Kind
    text: str = Field(min_length=1, max_length=rules.MOST_CHARACTERS)
    author: str | None = Field(None, min_length=1, max_length=200, description="Else the name of the key")
    segments: list[Name] = Field(default=[], max_length=rules.MOST_NAMES)
    accounts: list[Name] = Field(default=[], max_length=rules.MOST_NAMES)


def router(access: Access, store: AnnotationStore, figures: FigureReader, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/v1/annotations", tags=["Explanations"])

    def instants(tenant_id: int, *given: str | None) -> list[datetime | None]:
        calendar = Calendar.of(figures.catalogue(tenant_id).settings)
        names = ("from", "to")
        return [
            None if text is None else instant(calendar, moment(text, name))
            for name, text in zip(names, given, strict=True)
        ]

    @routes.get("", **reference.ANNOTATIONS)
    def listing(
        request: Request,
        caller: Annotated[Caller, Depends(access.require("read"))],
        from_: Annotated[
            str | None, Query(alias="from", description="Only what ends after it", max_length=40)
        ] = None,
        to: Annotated[str | None, Query(description="Only what starts before it", max_length=40)] = None,
        kind: Kind | None = None,
        account: Annotated[str | None, Query(description="Only what concerns this account")] = None,
        segment: Annotated[str | None, Query(description="Only what concerns this segment")] = None,
        limit: Annotated[int, Query(ge=1, le=rules.MAX_LIMIT)] = rules.DEFAULT_LIMIT,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        start, end = instants(tenant_id, from_, to)
        own = [None if text is None else storable(text) for text in (account, segment)]
        question = cursors.fingerprint(tenant_id, "annotations", from_, to, kind, *own)
        after = None if cursor is None else cursors.decode(question, cursor, 2)
        query = AnnotationsQuery(
            start, end, kind, own[0], own[1], limit, None if after is None else (after[0], after[1])
        )
        found = store.list(tenant_id, query)
        page, more = found[:limit], len(found) > limit
        last = (page[-1].starts_at.isoformat(), page[-1].id) if more else ()
        return json_answer(
            request,
            {
                "data": [shown(one) for one in page],
                "next_cursor": cursors.encode(question, last) if more else None,
            },
        )

    @routes.post("", status_code=201, **reference.ANNOTATION_ADD)
    def add(caller: Annotated[Caller, Depends(access.require("act"))], body: NewAnnotation) -> Any:
        start, end = instants(caller.principal.tenant_id, body.from_, body.to)
        assert start is not None
        assert end is not None
        if start >= end:
            raise Rejected("range-empty", "from must lie before to; to is not part of the range")
        for text in (body.text, body.author or "", *body.segments, *body.accounts):
            storable(text)
        made = Annotation(
            str(uuid_utils.uuid7()), start, end, body.kind, body.text, body.author or caller.principal.name,
            tuple(body.segments), tuple(body.accounts), clock.now(),
        )  # fmt: skip
        store.add(caller.principal.tenant_id, made)
        return Response(dumps(shown(made)), 201, {"Cache-Control": "no-store"}, "application/json")

    @routes.delete("/{annotation_id}", status_code=204, **reference.ANNOTATION_REMOVE)
    def remove(
        annotation_id: Annotated[str, Path(description="As `GET /v1/annotations` has it")],
        caller: Annotated[Caller, Depends(access.require("act"))],
    ) -> Response:
        store.remove(caller.principal.tenant_id, annotation_id)
        return Response(status_code=204)

    return routes


def instant(calendar: Calendar, at: Moment) -> datetime:
    """Years that no clock of ours reaches are Rejected."""
    if not 1970 < at.year < 2200:
        raise Rejected("instant-invalid", "from and to must lie between the years 1970 and 2200")
    return at if isinstance(at, datetime) else calendar.day_start(at)


def shown(one: Annotation) -> dict[str, Any]:
    return {
        "id": one.id, "from": one.starts_at, "to": one.ends_at, "kind": one.kind, "text": one.text, "author": one.author,
        "segments": list(one.segments), "accounts": list(one.accounts), "created_at": one.created_at,
    }  # fmt: skip
