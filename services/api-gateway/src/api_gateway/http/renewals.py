"""`/v1/renewals` and `/v1/accounts/{id}/risk`: what has to be renewed, how likely it is lost, and why."""

from dataclasses import asdict, replace
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request

from api_gateway.domain import accounts as account_rules
from api_gateway.domain import cursors
from api_gateway.domain import renewals as rules
from api_gateway.domain.renewals import Grouping, Position, RenewalsQuery
from api_gateway.http import renewals_reference as reference
from api_gateway.http.access import Access
from api_gateway.http.accounts import AccountId, Cursor, find_account, trait_filters
from api_gateway.http.answers import json_answer
from api_gateway.http.event_pages import does_not_continue
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.figures import FigureReader
from api_gateway.ports.renewals import RenewalReader
from api_gateway.use_cases.sessions import Caller
from common.errors import NotFound
from common.figures.model import money_text

_POSITION_PARTS = 4

Segments = Annotated[list[str], Query(description="Only these segments")]
Owners = Annotated[list[str], Query(description="Only accounts of these owners")]
First = Annotated[date | None, Query(alias="from", description="Deadlines from this local day on")]
Last = Annotated[date | None, Query(alias="to", description="Deadlines before this local day")]


def router(
    access: Access, accounts: AccountReader, renewals: RenewalReader, figures: FigureReader
) -> APIRouter:
    routes = APIRouter(tags=["Accounts"])
    _add_list(routes, access, renewals, figures)
    _add_groups(routes, access, renewals, figures)
    _add_model(routes, access, renewals, figures)
    _add_risk(routes, access, accounts, renewals)
    return routes


def _add_list(routes: APIRouter, access: Access, renewals: RenewalReader, figures: FigureReader) -> None:
    @routes.get("/v1/renewals", **reference.RENEWALS)
    def listing(
        request: Request,
        caller: Annotated[Caller, Depends(access.require("read"))],
        sort: Annotated[str, Query(description=reference.SORT)] = "at_risk",
        order: Annotated[Literal["asc", "desc"] | None, Query()] = None,
        segment: Segments = [],  # noqa: B006
        owner: Owners = [],  # noqa: B006
        first: First = None,
        last: Last = None,
        limit: Annotated[int, Query(ge=1, le=rules.MAX_LIMIT)] = rules.DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        asked = rules.check(
            RenewalsQuery(
                sort=sort,
                order=order,
                traits=trait_filters(request, segment, owner),
                first=first,
                last=last,
                zone=figures.catalogue(tenant_id).settings.timezone,
                limit=limit,
            )
        )
        question = cursors.fingerprint(tenant_id, "renewals", *asked.question)
        if cursor:
            asked = _continued(asked, cursors.decode(question, cursor, _POSITION_PARTS))
        rows = renewals.page(tenant_id, asked)
        page, more = rows[:limit], len(rows) > limit
        following = cursors.encode(question, tuple(asdict(page[-1].position).values())) if more else None
        answer = {
            "data": [rules.shown(row) for row in page],
            "settling": renewals.is_settling(tenant_id),
            "next_cursor": following,
        }
        return json_answer(request, answer)


def _add_groups(routes: APIRouter, access: Access, renewals: RenewalReader, figures: FigureReader) -> None:
    @routes.get("/v1/renewals/at-risk", **reference.AT_RISK)
    def at_risk(
        request: Request,
        caller: Annotated[Caller, Depends(access.require("read"))],
        group_by: Annotated[Literal["quarter", "owner", "segment"], Query()] = "quarter",
        segment: Segments = [],  # noqa: B006
        owner: Owners = [],  # noqa: B006
        first: First = None,
        last: Last = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        settings = figures.catalogue(tenant_id).settings
        traits = trait_filters(request, segment, owner)
        asked = rules.check(RenewalsQuery(traits=traits, first=first, last=last, zone=settings.timezone))
        by = Grouping(group_by, settings.timezone, settings.fiscal_start_month)
        groups = list(renewals.groups(tenant_id, asked, by))
        return json_answer(
            request,
            {
                "group_by": group_by,
                "currency": settings.currency,
                "data": [rules.group_shown(group) for group in groups],
                "whole": rules.whole(groups),
                "settling": renewals.is_settling(tenant_id),
            },
        )


def _add_model(routes: APIRouter, access: Access, renewals: RenewalReader, figures: FigureReader) -> None:
    @routes.get("/v1/renewals/model", **reference.MODEL)
    def model(request: Request, caller: Annotated[Caller, Depends(access.require("read"))]) -> Any:
        tenant_id = caller.principal.tenant_id
        settings = figures.catalogue(tenant_id).risk_settings
        found = renewals.model(tenant_id)
        judges = found is not None and found.accepted and settings.model == "when_better"
        answer = {
            "judges": "model" if judges else "score",
            "allowed": settings.model == "when_better",
            "latest_training": None if found is None else asdict(found),
        }
        return json_answer(request, answer)


def _add_risk(routes: APIRouter, access: Access, accounts: AccountReader, renewals: RenewalReader) -> None:
    @routes.get("/v1/accounts/{account}/risk", **reference.RISK)
    def one(
        request: Request,
        account: AccountId,
        caller: Annotated[Caller, Depends(access.require("read"))],
        days: Annotated[int, Query(ge=0, le=1_000, description="Days of history at most")] = 180,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = find_account(accounts, tenant_id, account)
        found = renewals.risk(tenant_id, row.account_id)
        if found is None:
            raise NotFound(
                "risk-unknown",
                "no renewal of this account is open: its subscriptions name no term, all are decided, or its events still wait",
            )
        return json_answer(
            request,
            {
                "account": row.id,
                "now_counts": 1.0,
                **found,
                "subscription": found.get("subscription") or None,
                "settling": renewals.is_settling(tenant_id),
                "renewals": [_told(one) for one in renewals.of(tenant_id, row.account_id)],
                "history": [asdict(day) for day in renewals.history(tenant_id, row.account_id, days)],
                "computed_at": row.computed_at,
                "as_of": row.as_of,
            },
        )


def _told(renewal: Any) -> dict[str, Any]:
    renewed = renewal["renewed"]
    outcome = "open" if renewed is None else "renewed" if renewed > 0 else "lost"
    if renewal["mrr"] is None:  # then what was kept is in another currency
        renewal = {**renewal, "renewed": None}
    money = {
        name: None if renewal[name] is None else money_text(renewal[name])
        for name in ("mrr", "renewed", "at_risk")
    }
    return {**renewal, **money, "subscription": renewal["subscription"] or None, "outcome": outcome}


def _continued(asked: RenewalsQuery, position: tuple[str, ...]) -> RenewalsQuery:
    key, account, subscription, due = position
    if not account_rules.is_sort_key(key) or not account_rules.is_sort_key(due):
        raise does_not_continue()
    after = Position(key, account_rules.storable(account), account_rules.storable(subscription), due)
    return replace(asked, after=after)
