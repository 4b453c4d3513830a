"""`/v1/alerts`: cases with their alerts, and what people do with them."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from alerts.domain.severity import Severity
from alerts.http import case_models, models
from alerts.http.case_views import detailed, seen, team_now
from alerts.http.doors import MAX_PAGE, Doors, actor_of, before_of, cursor_of, not_ours, storable
from alerts.ports.casebook import CaseFilter, Record
from alerts.use_cases.desk import StepChange
from common.auth.keys import Principal

# As `alerts.case.priority` is written.
_PRIORITY = re.compile(r"\d{1,18}(\.\d{1,6})?", re.ASCII)


def cases_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/alerts", tags=["cases"])

    @router.get("", response_model=case_models.CasePage)
    def list_cases(
        caller: Annotated[Principal, Depends(doors.read)],
        status: Annotated[list[models.Status] | None, Query()] = None,
        severity: Annotated[list[Severity] | None, Query()] = None,
        account: Annotated[str | None, Query(max_length=1_000)] = None,
        rule: Annotated[str | None, Query(max_length=100)] = None,
        origin: Literal["live", "load"] | None = None,
        queue: Literal["risk", "growth"] = "risk",
        assignee: Annotated[str | None, Query(max_length=200)] = None,
        family: Annotated[str | None, Query(max_length=1_000)] = None,
        sort: Literal["newest", "priority"] = "newest",
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Any:
        """Cases, newest first, each with its alerts as evidence; `sort=priority` is the work queue: what is open, most at stake first.

        `assignee` also finds unassigned cases of accounts that they own, and those of people they stand in for; `me` is the key's name.
        """
        now = doors.clock.now()
        statuses: list[str] | None = [str(one) for one in status] if status else None
        if sort == "priority" and statuses is None:
            statuses = ["open", "acknowledged"]
        before, priority = _place(cursor, sort)
        wanted = CaseFilter(
            status=statuses,
            severity=[str(one) for one in severity] if severity else None,
            account=storable(account),
            rule=storable(rule),
            origin=origin,
            queue=queue,
            responsible=_names(doors, caller, storable(assignee), now),
            family=storable(family),
            by_priority=sort == "priority",
            before=before,
            before_priority=priority,
            limit=limit,
        )
        found = doors.casebook.cases(caller.tenant_id, wanted)
        with doors.ledger() as ledger:
            shown = seen(ledger, caller.tenant_id, found, now)
        return {"data": shown, "next_cursor": cursor_of(_placed(found, sort), limit)}

    @router.get("/{case_id}", response_model=case_models.CaseDetail)
    def one_case(caller: Annotated[Principal, Depends(doors.read)], case_id: str) -> Any:
        """A case with its alerts, its playbook, its pages and everything that was done."""
        return _shown(doors, caller, case_id)

    _add_work(router, doors)
    _add_ends(router, doors)
    return router


def _shown(doors: Doors, caller: Principal, case_id: str) -> dict[str, Any]:
    case = doors.casebook.case(caller.tenant_id, storable(case_id) or "")
    with doors.ledger() as ledger:
        return detailed(ledger, caller.tenant_id, case, doors.clock.now())


def _names(doors: Doors, caller: Principal, assignee: str | None, now: datetime) -> list[str] | None:
    if assignee is None:
        return None
    name = caller.name if assignee == "me" else assignee
    with doors.ledger() as ledger:
        team = team_now(ledger, ledger.definitions(caller.tenant_id), now)
    return sorted(team.looked_after_by(name, now))


def _placed(cases: list[Record], sort: str) -> list[Record]:
    """The last one with where it stands in this order, for the cursor."""
    if sort != "priority":
        return cases
    return [{"id": f"{case['priority']}~{case['id']}"} for case in cases]


def _place(cursor: str | None, sort: str) -> tuple[str | None, Decimal | None]:
    """Raises Rejected for a cursor of another order."""
    before = before_of(cursor)
    priority, mark, case_id = (before or "").partition("~")
    if before is None or (sort != "priority" and not mark):
        return before, None
    if sort != "priority" or not _PRIORITY.fullmatch(priority):
        raise not_ours()
    return case_id, Decimal(priority)


def _add_work(router: APIRouter, doors: Doors) -> None:
    desk, clock = doors.desk, doors.clock

    @router.post("/{case_id}/acknowledge", response_model=case_models.CaseDetail)
    def acknowledge(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Acknowledge | None = None
    ) -> Any:
        """Someone has it: from here on the case waits for its outcome."""
        given = body or models.Acknowledge()
        actor = actor_of(caller, storable(given.by))
        with doors.ledger() as ledger:
            desk.acknowledge(ledger, actor, storable(case_id) or "", storable(given.comment), clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/assign", response_model=case_models.CaseDetail)
    def assign(caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Assign) -> Any:
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.assign(ledger, actor, storable(case_id) or "", storable(body.assignee), clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/snooze", response_model=case_models.CaseDetail)
    def snooze(caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Snooze) -> Any:
        """No notices until then; what was missed is told after."""
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.snooze(ledger, actor, storable(case_id) or "", body.until, clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/comment", response_model=case_models.CaseDetail)
    def comment(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.CommentOn
    ) -> Any:
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.comment(ledger, actor, storable(case_id) or "", storable(body.comment) or "", clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/steps/{step_id}", response_model=case_models.CaseDetail)
    def step(
        caller: Annotated[Principal, Depends(doors.act)],
        case_id: str,
        step_id: str,
        body: case_models.EndStep,
    ) -> Any:
        """A step of the playbook is done, or skipped, or is to do after all; `owner` and `due_on` change who does it and until when."""
        actor = actor_of(caller, storable(body.by))
        change = StepChange(body.status, storable(body.note), storable(body.owner), body.due_on)
        with doors.ledger() as ledger:
            desk.step(ledger, actor, storable(case_id) or "", storable(step_id) or "", change, clock.now())
        return _shown(doors, caller, case_id)


def _add_ends(router: APIRouter, doors: Doors) -> None:
    desk, clock = doors.desk, doors.clock

    @router.post("/{case_id}/outcome", response_model=case_models.CaseDetail)
    def outcome(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.CaseOutcome
    ) -> Any:
        """Closes the case: saved, lost, or not real. `real` says whether the risk was, whatever happened."""
        actor, said = actor_of(caller, storable(body.by)), storable(body.comment)
        with doors.ledger() as ledger:
            desk.outcome(ledger, actor, storable(case_id) or "", body.outcome, body.real, said, clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/verdict", response_model=case_models.CaseDetail)
    def verdict(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.CaseVerdict
    ) -> Any:
        """Was the risk real? Also of a closed case; what happened stays as it was said."""
        actor = actor_of(caller, storable(body.by))
        with doors.ledger() as ledger:
            desk.verdict(ledger, actor, storable(case_id) or "", body.real, clock.now())
        return _shown(doors, caller, case_id)

    @router.post("/{case_id}/expected", response_model=case_models.CaseDetail)
    def expected(
        caller: Annotated[Principal, Depends(doors.act)], case_id: str, body: models.Expected
    ) -> Any:
        """Quiet is expected until then. If it still holds afterwards, a new case opens."""
        actor, said = actor_of(caller, storable(body.by)), storable(body.comment)
        with doors.ledger() as ledger:
            desk.expected(ledger, actor, storable(case_id) or "", body.until, said, clock.now())
        return _shown(doors, caller, case_id)
