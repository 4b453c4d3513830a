"""`/v1/accounts/{id}/traits`: every value that a trait has had."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from api_gateway.domain import accounts as rules
from api_gateway.domain import cursors
from api_gateway.domain.encoding import instant_text
from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.accounts import find_account
from api_gateway.http.answers import json_answer
from api_gateway.http.event_pages import does_not_continue
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.traits import Place, TraitReader
from api_gateway.use_cases.sessions import Caller


def router(access: Access, accounts: AccountReader, traits: TraitReader) -> APIRouter:
    routes = APIRouter(tags=["Accounts"])
    caller_of = access.require("read")

    @routes.get("/v1/accounts/{account}/traits", **reference.TRAITS)
    def history(
        request: Request,
        account: Annotated[str, Path(description="The account's external id, percent-encoded")],
        caller: Annotated[Caller, Depends(caller_of)],
        name: Annotated[str | None, Query(description="Only this trait")] = None,
        user: Annotated[str | None, Query(description="Of this person instead of the account")] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        for text in (name, user):
            rules.storable(text or "")
        row = find_account(accounts, tenant_id, account)
        question = cursors.fingerprint(tenant_id, "traits", row.id, name, user)
        after = _place(cursors.decode(question, cursor, 4)) if cursor else None
        found = traits.history(tenant_id, row.account_id, user, name, limit + 1, after)
        page, following = found[:limit], None
        if len(found) > limit:
            last = page[-1]
            following = cursors.encode(
                question, (last.name, instant_text(last.at), last.source, last.event_id)
            )
        return json_answer(request, {"data": [asdict(value) for value in page], "next_cursor": following})

    return routes


def _place(position: Sequence[str]) -> Place:
    name, at, source, event_id = (rules.storable(text) for text in position)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise does_not_continue() from error
    if moment.tzinfo is None:
        raise does_not_continue()
    return name, moment, source, event_id
