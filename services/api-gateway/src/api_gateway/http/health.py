"""`/v1/accounts/{id}/health`: how healthy an account is, why, how it came to be, and what people think; and who was right so far."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api_gateway.domain import health as rules
from api_gateway.domain.accounts import storable
from api_gateway.domain.encoding import dumps
from api_gateway.domain.rating_record import record
from api_gateway.http import health_reference as reference
from api_gateway.http import rating_reference
from api_gateway.http.access import Access
from api_gateway.http.accounts import find_account
from api_gateway.http.answers import CACHE_CONTROL, json_answer
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.figures import FigureReader
from api_gateway.ports.health import HealthStore
from api_gateway.use_cases.sessions import Caller
from common.errors import NotFound, Rejected

_RATINGS = 20
_CHILDREN = 1_000
_ALL_RATINGS = 10_000

AccountId = Annotated[str, Path(description="The account's external id, percent-encoded", examples=["acme"])]


def router(access: Access, accounts: AccountReader, health: HealthStore, figures: FigureReader) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["Accounts"])

    @routes.get("/health/disagreements", **rating_reference.DISAGREEMENTS)
    def disagreements(request: Request, caller: Annotated[Caller, Depends(access.require("read"))]) -> Any:
        tenant_id = caller.principal.tenant_id
        ratings = health.rated(tenant_id, _ALL_RATINGS)
        return json_answer(request, record(ratings, figures.catalogue(tenant_id).health))

    @routes.get("/accounts/{account}/health", **reference.HEALTH)
    def one(
        request: Request,
        account: AccountId,
        caller: Annotated[Caller, Depends(access.require("read"))],
        days: Annotated[int, Query(ge=0, le=1_000, description="Days of history at most")] = 180,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = find_account(accounts, tenant_id, account)
        found = health.of(tenant_id, row.account_id)
        if found is None:
            raise NotFound(
                "health-unknown",
                "no health is computed for this account: its first events may still wait, or the catalogue has no health profile",
            )
        profile = figures.catalogue(tenant_id).health.get(found["profile"])
        answer = rules.shown(found, profile, row.case)
        ratings = health.ratings(tenant_id, row.account_id, _RATINGS)
        return json_answer(
            request,
            {
                "account": row.id,
                **answer,
                "bands": [band.model_dump(by_alias=True) for band in profile.bands] if profile else [],
                "case": None if row.case is None else row.case.id,
                "ratings": [asdict(rating) for rating in ratings],
                "disagrees": rules.disagreement(
                    answer["healthy"] if answer["band"] else None, ratings[0] if ratings else None, profile
                ),
                "children": rules.rolled_up(
                    health.children(tenant_id, row.id, _CHILDREN), figures.catalogue(tenant_id).health
                ),
                "history": [asdict(day) for day in health.history(tenant_id, row.account_id, days)],
                "computed_at": row.computed_at,
                "as_of": row.as_of,
            },
        )

    @routes.post("/accounts/{account}/health/rating", status_code=201, **reference.RATE)
    def rate(
        account: AccountId,
        body: reference.RatingBody,
        caller: Annotated[Caller, Depends(access.require("act"))],
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = find_account(accounts, tenant_id, account)
        found = health.of(tenant_id, row.account_id)
        profile = figures.catalogue(tenant_id).health.get(found["profile"]) if found else None
        if profile is None:
            raise NotFound(
                "health-unknown", "this account has no health yet to which a rating could be compared"
            )
        bands = [band.name for band in profile.bands]
        if body.band not in bands:
            raise Rejected("band-unknown", f"band must be one of {', '.join(bands)}")
        by = body.by or caller.principal.key_id
        rating = health.rate(tenant_id, row.account_id, body.band, storable(body.comment), storable(by))
        return Response(dumps(asdict(rating)), 201, {"Cache-Control": CACHE_CONTROL}, "application/json")

    return routes
