"""`/v1/accounts/{id}/people` and `/plans`: who is there, and what the account wants to reach."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request

from api_gateway.domain import accounts as rules
from api_gateway.domain import cursors
from api_gateway.domain.plans import plans
from api_gateway.http import people_reference as reference
from api_gateway.http.access import Access
from api_gateway.http.accounts import AccountId, Cursor, find_account
from api_gateway.http.answers import json_answer
from api_gateway.http.event_pages import does_not_continue
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.figures import FigureReader
from api_gateway.ports.people import PeopleReader, Place
from api_gateway.use_cases.sessions import Caller
from common.clock import Clock


def router(
    access: Access, accounts: AccountReader, people: PeopleReader, figures: FigureReader, clock: Clock
) -> APIRouter:
    routes = APIRouter(prefix="/v1/accounts", tags=["Accounts"])
    caller_of = access.require("read")

    @routes.get("/{account}/people", **reference.PEOPLE)
    def listing(
        request: Request,
        account: AccountId,
        caller: Annotated[Caller, Depends(caller_of)],
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: Cursor = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = find_account(accounts, tenant_id, account)
        today = clock.now().astimezone(ZoneInfo(figures.catalogue(tenant_id).settings.timezone)).date()
        question = cursors.fingerprint(tenant_id, "people", row.id)
        after = _place(*cursors.decode(question, cursor, 2)) if cursor else None
        found = people.people(tenant_id, row.account_id, today, limit + 1, after)
        page, following = found[:limit], None
        if len(found) > limit:
            last, person = page[-1].place
            following = cursors.encode(question, ("" if last is None else last.isoformat(), person))
        return json_answer(request, {"data": [asdict(one) for one in page], "next_cursor": following})

    @routes.get("/{account}/plans", **reference.PLANS)
    def success_plans(
        request: Request, account: AccountId, caller: Annotated[Caller, Depends(caller_of)]
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = find_account(accounts, tenant_id, account)
        return json_answer(request, {"data": plans(people.plan_steps(tenant_id, row.account_id))})

    return routes


def _place(last: str, person: str) -> Place:
    try:
        return (date.fromisoformat(last) if last else None), rules.storable(person)
    except ValueError as error:
        raise does_not_continue() from error
