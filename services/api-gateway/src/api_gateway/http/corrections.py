"""Corrections of what is counted: amendments, deletions, erasures, backfills, and the revisions they leave."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api_gateway.domain import cursors
from api_gateway.domain.accounts import storable
from api_gateway.domain.encoding import dumps
from api_gateway.http import correction_reference as reference
from api_gateway.http.access import Access
from api_gateway.http.answers import json_answer
from api_gateway.http.bodies import MAX_BODY_BYTES, bounded_body
from api_gateway.http.correction_schemas import Deletion, Erasure, OpenBackfill, Retention
from api_gateway.http.event_pages import does_not_continue
from api_gateway.ports.corrections import (
    RETENTION_KINDS,
    CorrectionStore,
    Revision,
    RevisionsAsked,
)
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases.newest import by_newest, metric_of
from api_gateway.use_cases.sessions import Caller
from common.clock import Clock
from common.contracts.diagnosis import Terms, examine
from common.contracts.event_types import rules_of
from common.contracts.refusals import Refusal
from common.control.backfills import Backfill
from common.control.log import Entry, Kind, NewEntry
from common.errors import Rejected
from common.figures.formulas import rows_told
from common.http.problems import problem_response

_KINDS: tuple[Kind, ...] = (
    "amendment",
    "deletion",
    "erasure",
    "backfill_closed",
    "backfill_reverted",
    "rebuild",
)
_NO_STORE = {"Cache-Control": "no-store"}
_MOST_LISTED = 100
_MOST_CHANGED = 1_000
_MAX_SEQ = 2**63 - 1


class _Identity(msgspec.Struct):
    id: str
    source: str
    type: str
    time: str
    subject: str | None = None


class _Amendment(msgspec.Struct, forbid_unknown_fields=True):
    event: msgspec.Raw
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


def router(
    access: Access, corrections: CorrectionStore, figures: FigureReader, terms: Terms, clock: Clock
) -> APIRouter:
    routes = APIRouter(tags=["Corrections"])
    shown = _Shown(corrections, figures)
    _add_corrections(routes, access, corrections, figures, shown, terms, clock)
    _add_erasures(routes, access, corrections, clock)
    _add_backfills(routes, access, corrections, shown, clock)
    _add_revisions(routes, access, corrections, shown)
    _add_retention(routes, access, corrections)
    return routes


class _Shown:
    """Revisions as the API shows them, with the metrics that read each measure."""

    def __init__(self, corrections: CorrectionStore, figures: FigureReader) -> None:
        self._corrections, self._figures = corrections, figures

    def changed(self, tenant_id: int, entry: str | None) -> list[dict[str, Any]]:
        if entry is None:
            return []
        asked = RevisionsAsked(entry=entry, limit=_MOST_CHANGED)
        return self.revisions(tenant_id, self._corrections.revisions(tenant_id, asked))

    def revisions(self, tenant_id: int, found: Sequence[Revision]) -> list[dict[str, Any]]:
        metrics = self._metrics_of(tenant_id) if found else {}
        return [_revision(its, metrics.get(its.measure, [])) for its in found]

    def rows_of(self, tenant_id: int, metric: str) -> Sequence[str]:
        return by_newest(
            self._figures, tenant_id, lambda catalogue: rows_told(catalogue, metric_of(catalogue, metric))
        )

    def _metrics_of(self, tenant_id: int) -> Mapping[str, list[str]]:
        catalogue = self._figures.catalogue(tenant_id)
        readers: dict[str, list[str]] = {}
        for name, metric in sorted(catalogue.metrics.items()):
            for row in rows_told(catalogue, metric):
                readers.setdefault(row, []).append(name)
        return readers


def _add_corrections(
    routes: APIRouter,
    access: Access,
    corrections: CorrectionStore,
    figures: FigureReader,
    shown: _Shown,
    terms: Terms,
    clock: Clock,
) -> None:
    admin, reader = access.require("admin"), access.require("read")

    @routes.post("/v1/events/amendments", status_code=202, **reference.AMEND)
    async def amend(request: Request, caller: Annotated[Caller, Depends(admin)]) -> Any:
        most = terms.limits.event_bytes + MAX_BODY_BYTES
        body = await bounded_body(request, most)
        if body is None:
            return problem_response(413, "body-too-large", f"an amendment has at most {most} bytes")
        new = await run_in_threadpool(_amendment, body, caller, figures, terms, clock)
        found = await run_in_threadpool(corrections.append, caller.principal.tenant_id, new, clock.now())
        return _answer(_entry(found), 202)

    @routes.post("/v1/events/deletions", status_code=202, **reference.DELETE)
    def delete(body: Deletion, caller: Annotated[Caller, Depends(admin)]) -> Any:
        new = NewEntry(
            "deletion",
            storable(body.reason),
            caller.principal.key_id,
            account=storable(body.account or ""),
            source=storable(body.source),
            event_id=storable(body.id),
        )
        return _answer(_entry(corrections.append(caller.principal.tenant_id, new, clock.now())), 202)

    @routes.get("/v1/corrections", **reference.CORRECTIONS)
    def listing(
        request: Request,
        caller: Annotated[Caller, Depends(reader)],
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: str | None = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        question = cursors.fingerprint(tenant_id, "corrections")
        below = _number(cursors.decode(question, cursor, 1)[0]) if cursor else None
        rows = corrections.entries(tenant_id, _KINDS, below, limit + 1)
        following = cursors.encode(question, (str(rows[limit - 1].seq),)) if len(rows) > limit else None
        return json_answer(request, {"data": [_entry(row) for row in rows[:limit]], "next_cursor": following})

    @routes.get("/v1/corrections/{entry}", **reference.CORRECTION)
    def one(request: Request, entry: str, caller: Annotated[Caller, Depends(reader)]) -> Any:
        found = corrections.entry(caller.principal.tenant_id, entry, _KINDS)
        changed = shown.changed(caller.principal.tenant_id, found.id)
        return json_answer(request, {**_entry(found), "changed": changed})


def _amendment(body: bytes, caller: Caller, figures: FigureReader, terms: Terms, clock: Clock) -> NewEntry:
    """Raises Rejected, also where ingest would refuse the corrected event, with its code."""
    try:
        asked = msgspec.json.decode(body, type=_Amendment)
        event = bytes(asked.event)
        who = msgspec.json.decode(event, type=_Identity)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"send {{event, reason}}; the event is the corrected one, whole, with id, source, type and time: {error}"
        raise Rejected("amendment-invalid", message) from error
    types = rules_of(figures.catalogue(caller.principal.tenant_id).event_types.values())
    verdict = examine(event, terms.window(clock.now()), terms.limits, types)
    if isinstance(verdict, Refusal):
        raise Rejected(verdict.code, verdict.message)
    # One line of the chunk that will hold it.
    text = verdict.body.decode().replace("\r", " ").replace("\n", " ")
    return NewEntry(
        "amendment",
        storable(asked.reason),
        caller.principal.key_id,
        account=storable(who.subject or ""),
        source=storable(who.source),
        event_id=storable(who.id),
        body=text,
    )


def _add_erasures(routes: APIRouter, access: Access, corrections: CorrectionStore, clock: Clock) -> None:
    admin = access.require("admin")

    @routes.post("/v1/erasures", status_code=202, **reference.ERASE)
    def erase(body: Erasure, caller: Annotated[Caller, Depends(admin)]) -> Any:
        tenant_id = caller.principal.tenant_id
        person_hash, token = corrections.person(tenant_id, storable(body.person))
        new = NewEntry(
            "erasure",
            storable(body.reason),
            caller.principal.key_id,
            person_hash=person_hash,
            token=token,
        )
        return _answer(_entry(corrections.append(tenant_id, new, clock.now())), 202)

    @routes.get("/v1/erasures/{entry}", **reference.ERASURE)
    def one(request: Request, entry: str, caller: Annotated[Caller, Depends(admin)]) -> Any:
        found = corrections.entry(caller.principal.tenant_id, entry, ("erasure",))
        return json_answer(request, _entry(found))


def _add_backfills(
    routes: APIRouter, access: Access, corrections: CorrectionStore, shown: _Shown, clock: Clock
) -> None:
    admin, reader = access.require("admin"), access.require("read")

    def described(tenant_id: int, found: Backfill) -> dict[str, Any]:
        entries = {
            name: corrections.entry(tenant_id, entry, _KINDS) if entry else None
            for name, entry in (("close", found.close_entry), ("revert", found.revert_entry))
        }
        return _backfill(found, entries)

    @routes.post("/v1/backfills", status_code=201, **reference.OPEN)
    def start(caller: Annotated[Caller, Depends(admin)], body: OpenBackfill | None = None) -> Any:
        description = storable(body.description) if body else ""
        who = caller.principal
        found = corrections.open_backfill(who.tenant_id, description, who.key_id, clock.now())
        return _answer(described(who.tenant_id, found), 201)

    @routes.get("/v1/backfills", **reference.BACKFILLS)
    def listing(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Any:
        tenant_id = caller.principal.tenant_id
        found = corrections.backfills(tenant_id, _MOST_LISTED)
        return json_answer(request, {"data": [described(tenant_id, its) for its in found]})

    @routes.get("/v1/backfills/{backfill}", **reference.BACKFILL)
    def one(request: Request, backfill: str, caller: Annotated[Caller, Depends(reader)]) -> Any:
        tenant_id = caller.principal.tenant_id
        found = corrections.backfill(tenant_id, backfill)
        changed = [
            *shown.changed(tenant_id, found.revert_entry),
            *shown.changed(tenant_id, found.close_entry),
        ]
        return json_answer(request, {**described(tenant_id, found), "changed": changed})

    @routes.post("/v1/backfills/{backfill}/close", status_code=202, **reference.CLOSE)
    def close(backfill: str, caller: Annotated[Caller, Depends(admin)]) -> Any:
        who = caller.principal
        found = corrections.close(who.tenant_id, backfill, who.key_id, clock.now())
        return _answer(described(who.tenant_id, found), 202)

    @routes.post("/v1/backfills/{backfill}/revert", status_code=202, **reference.REVERT)
    def revert(backfill: str, caller: Annotated[Caller, Depends(admin)]) -> Any:
        who = caller.principal
        found = corrections.revert(who.tenant_id, backfill, who.key_id, clock.now())
        return _answer(described(who.tenant_id, found), 202)


def _add_revisions(routes: APIRouter, access: Access, corrections: CorrectionStore, shown: _Shown) -> None:
    reader = access.require("read")

    @routes.get("/v1/revisions", **reference.REVISIONS)
    def revisions(
        request: Request,
        caller: Annotated[Caller, Depends(reader)],
        metric: Annotated[str | None, Query(description="Only of measures that this metric reads")] = None,
        account: Annotated[
            str | None, Query(description="Only those that events of this account caused")
        ] = None,
        entry: Annotated[str | None, Query(description="Only by this entry of the control log")] = None,
        from_: Annotated[
            date | None, Query(alias="from", description="Only of this local day or later ones")
        ] = None,
        to: Annotated[date | None, Query(description="Only of days before this one")] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: str | None = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        question = cursors.fingerprint(tenant_id, "revisions", metric, account, entry, from_, to)
        asked = RevisionsAsked(
            None if metric is None else shown.rows_of(tenant_id, metric),
            None if account is None else storable(account),
            None if entry is None else corrections.entry(tenant_id, entry, _KINDS).id,
            from_,
            to,
            _position(cursors.decode(question, cursor, 4)) if cursor else None,
            limit + 1,
        )
        rows = corrections.revisions(tenant_id, asked)
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursors.encode(
                question, (str(last.number), last.measure, last.part, last.day.isoformat())
            )
        data = shown.revisions(tenant_id, rows[:limit])
        return json_answer(request, {"data": data, "next_cursor": following})


def _add_retention(routes: APIRouter, access: Access, corrections: CorrectionStore) -> None:
    @routes.get("/v1/retention", **reference.RETENTION)
    def show(request: Request, caller: Annotated[Caller, Depends(access.require("read"))]) -> Any:
        return json_answer(request, _retention(corrections.retention(caller.principal.tenant_id)))

    @routes.put("/v1/retention", **reference.KEEP)
    def keep(body: Retention, caller: Annotated[Caller, Depends(access.require("admin"))]) -> Any:
        asked = body.model_dump(include=body.model_fields_set)
        return _answer(_retention(corrections.keep(caller.principal.tenant_id, asked)))


def _retention(days: Mapping[str, int]) -> dict[str, int | None]:
    return {kind: days.get(kind) for kind in RETENTION_KINDS}


def _answer(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(dumps(content), status, _NO_STORE, "application/json")


def _entry(found: Entry) -> dict[str, Any]:
    return {
        "id": found.id,
        "kind": found.kind,
        "state": found.state,
        "account": found.account or None,
        "source": found.source,
        "event_id": found.event_id,
        "token": found.token,
        "backfill": found.backfill_id,
        "reason": found.reason,
        "created_by": found.created_by,
        "created_at": found.created_at,
        "applied_at": found.applied_at,
        "code": found.code,
        "message": found.message,
        "counts": found.counts,
    }


def _backfill(found: Backfill, entries: Mapping[str, Entry | None]) -> dict[str, Any]:
    return {
        "id": found.id,
        "description": found.description,
        "state": found.state,
        "opened_at": found.opened_at,
        "closed_at": found.closed_at,
        "reverted_at": found.reverted_at,
        "created_by": found.created_by,
        "staged_events": found.staged_events,
        **{name: None if entry is None else _entry(entry) for name, entry in entries.items()},
    }


def _revision(its: Revision, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "measure": its.measure,
        "part": its.part or None,
        "metrics": list(metrics),
        "day": its.day,
        "until": its.until,
        "before": f"{its.before:f}",
        "after": f"{its.after:f}",
        "why": its.why,
        "entry": its.entry,
        "complete": its.complete,
        "accounts": list(its.accounts),
        "at": its.at,
    }


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > _MAX_SEQ:
        raise does_not_continue()
    return int(text)


def _position(position: Sequence[str]) -> tuple[int, str, str, date]:
    try:
        return _number(position[0]), position[1], position[2], date.fromisoformat(position[3])
    except ValueError as error:
        raise does_not_continue() from error
