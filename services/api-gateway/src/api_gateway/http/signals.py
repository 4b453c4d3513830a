"""`/v1/accounts/{id}/signals`: what is tested about an account, and what came of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from api_gateway.domain.signals import shown
from api_gateway.http import signal_reference as reference
from api_gateway.http.access import Access
from api_gateway.http.accounts import find_account
from api_gateway.http.answers import json_answer
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases.sessions import Caller

AccountId = Annotated[str, Path(description="The account's external id, percent-encoded", examples=["acme"])]


def router(access: Access, accounts: AccountReader, figures: FigureReader) -> APIRouter:
    routes = APIRouter(prefix="/v1/accounts", tags=["Accounts"])

    @routes.get("/{account}/signals", **reference.SIGNALS)
    def of_account(
        request: Request,
        account: AccountId,
        caller: Annotated[Caller, Depends(access.require("read"))],
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = find_account(accounts, tenant_id, account)
        signals = figures.catalogue(tenant_id).signals
        return json_answer(
            request,
            {
                "account": row.id,
                "signals": shown(signals, row.signals, row.figures, row.traits),
                "computed_at": row.computed_at,
                "as_of": row.as_of,
            },
        )

    return routes
