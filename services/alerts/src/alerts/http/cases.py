"""`/v1/alerts`: cases with their alerts, and what people do with them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from alerts.domain.severity import Severity
from alerts.http import models
from alerts.http.doors import MAX_PAGE, Doors, actor_of, before_of, cursor_of, storable
from alerts.ports.casebook import CaseFilter
from common.auth.keys import Principal


def cases_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/alerts", tags=["cases"])

    @router.get("", response_model=models.CasePage)
    def list_cases(
        caller: Annotated[Principal, Depends(doors.read)],
        status: Annotated[list[models.Status] | None, Query()] = None,
        severity: Annotated[list[Severity] | None, Query()] = None,
        account: Annotated[str | None, Query(max_length=1_000)] = None,
        rule: Annotated[str | None, Query(max_length=100)] = None,
        origin: Literal["live", "load"] | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Any:
        """Cases, newest first, each with its alerts as evidence."""
        wanted = CaseFilter(
            status=[str(one) for one in status] if status else None,
            severity=[str(one) for one in severity] if severity else None,
            account=storable(account),
            rule=storable(rule),
            origin=origin,
            before=before_of(cursor),
            limit=limit,
        )
        found = doors.casebook.cases(caller.tenant_id, wanted)
        return {"data": found, "next_cursor": cursor_of(found, limit)}

    @router.get("/{case_id}", response_model=models.CaseDetail)
    def one_case(caller: Annotated[Principal, Depends(doors.read)], case_id: str) -> Any:
        """A case with its alerts and everything that was done."""
        return _shown(doors, caller, case_id)

    _add_work(router, doors)
    _add_ends(router, doors)
    return router


def _shown(doors: Doors, caller: Principal, case_id: str) -> dict[str, Any]:
    return doors.casebook.case(caller.tenant_id, storable(case_id) or "")


def _add_work(router: APIRouter, doors: Doors) -> None:
    desk, clock = doors.desk, doors.clock

    @router.post("/{case_id}/acknowledge", response_model=models.CaseDetail)
    def acknowledge(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Acknowledge | None = None
    ) -> Any:
        """Someone has it: from here on the case waits for its outcome."""
        given = body or models.Acknowledge()
        actor = actor_of(caller, storable(given.by))
        with doors.ledger() as ledger:
            desk.acknowledge(ledger, actor, storable(case_id) or "", storable(given.comment), clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/assign", response_model=models.CaseDetail)
    def assign(caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Assign) -> Any:
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.assign(ledger, actor, storable(case_id) or "", storable(body.assignee), clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/snooze", response_model=models.CaseDetail)
    def snooze(caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Snooze) -> Any:
        """No notices until then; what was missed is told after."""
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.snooze(ledger, actor, storable(case_id) or "", body.until, clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/comment", response_model=models.CaseDetail)
    def comment(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.CommentOn
    ) -> Any:
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.comment(ledger, actor, storable(case_id) or "", storable(body.comment) or "", clock.now())
        return _shown(doors, caller, case_id)


def _add_ends(router: APIRouter, doors: Doors) -> None:
    desk, clock = doors.desk, doors.clock

    @router.post("/{case_id}/outcome", response_model=models.CaseDetail)
    def outcome(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.CaseOutcome
    ) -> Any:
        """Closes the case: saved, lost, or not real. `real` says whether the risk was, whatever happened."""
        actor, said = actor_of(caller, storable(body.by)), storable(body.comment)
        with doors.ledger() as ledger:
            desk.outcome(ledger, actor, storable(case_id) or "", body.outcome, body.real, said, clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/verdict", response_model=models.CaseDetail)
    def verdict(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.CaseVerdict
    ) -> Any:
        """Was the risk real? Also of a closed case; what happened stays as it was said."""
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.verdict(ledger, actor, storable(case_id) or "", body.real, clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/expected", response_model=models.CaseDetail)
    def expected(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Expected
    ) -> Any:
        """Quiet is expected until then. If it still holds afterwards, a new case opens."""
        actor, said = actor_of(caller, storable(body.by)), storable(body.comment)
        with doors.ledger() as ledger:
            desk.expected(ledger, actor, storable(case_id) or "", body.until, said, clock.now())
        return _shown(doors, caller, case_id)
