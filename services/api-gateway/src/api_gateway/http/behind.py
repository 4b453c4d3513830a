"""`/v1/metrics/{name}/events`: the events of an account that count for a figure."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from api_gateway.domain import cursors, shapes
from api_gateway.domain.encoding import instant_text
from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.accounts import find_account
from api_gateway.http.answers import json_answer
from api_gateway.http.event_pages import instants
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases import behind
from api_gateway.use_cases.newest import by_newest, metric_of
from api_gateway.use_cases.sessions import Caller
from common.figures.request import in_range, moment

_THE_TENANT = 0  # whose events have no account


def router(access: Access, accounts: AccountReader, figures: FigureReader) -> APIRouter:
    routes = APIRouter(tags=["Figures"])
    caller_of = access.require("read")

    @routes.get("/v1/metrics/{name}/events", **reference.BEHIND)
    def events(
        request: Request,
        name: str,
        caller: Annotated[Caller, Depends(caller_of)],
        from_: Annotated[
            str | None, Query(alias="from", description="A date or an instant with offset; needed")
        ] = None,
        to: Annotated[str | None, Query(description="Exclusive; needed")] = None,
        account: Annotated[
            str | None, Query(description="The account's id; without one the tenant's own events")
        ] = None,
        definitions: Annotated[int | None, Query(ge=1, lt=2**31, description="An earlier version")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        if definitions is None:
            by_newest(figures, tenant_id, lambda catalogue: metric_of(catalogue, name))
        account_id = _THE_TENANT if account is None else find_account(accounts, tenant_id, account).account_id
        span = moment(from_, "from"), moment(to, "to")
        for at, which in zip(span, ("from", "to"), strict=True):
            in_range(at, which)
        question = cursors.fingerprint(tenant_id, "behind", name, account, from_, to, definitions)
        after = instants(cursors.decode(question, cursor, 3)) if cursor else None
        found = figures.behind(tenant_id, name, account_id, span, definitions)
        page = behind.page(accounts, tenant_id, account_id, found, limit, after)
        following = None
        if page.onward is not None:
            at, ingested_at, tie = page.onward
            following = cursors.encode(question, (instant_text(at), instant_text(ingested_at), str(tie)))
        shown = [
            {**shapes.event(counted.event), "counts_as": [asdict(one) for one in counted.counts]}
            for counted in page.events
        ]
        return json_answer(request, {"data": shown, "next_cursor": following, "kept_from": found.kept_from})

    return routes
