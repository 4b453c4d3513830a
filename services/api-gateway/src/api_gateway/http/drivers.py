"""`/v1/drivers`: which drivers are believed to move which figures, whether they do, and who leaves by decile of one."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from api_gateway.domain.accounts import storable
from api_gateway.http import analysis_reference as reference
from api_gateway.http.access import Access
from api_gateway.http.analysis import answered
from api_gateway.http.answers import json_answer
from api_gateway.ports.analysis import Analysis
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases.driving import USUAL_DIMENSION, Driving, EdgesAsked
from api_gateway.use_cases.newest import by_newest
from api_gateway.use_cases.sessions import Caller
from common.analysis.request import parse_deciles
from common.catalogue.models import Catalogue
from common.clock import Clock

Text = Annotated[str | None, Query(max_length=512)]


def router(access: Access, analysis: Analysis, figures: FigureReader, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/v1/drivers", tags=["Explanations"])
    caller_of = access.require("read")

    def deciles(tenant_id: int, body: object) -> dict[str, Any]:
        asked = parse_deciles(body)
        return with_driving(tenant_id, lambda driving: driving.deciles(asked))

    def with_driving(tenant_id: int, ask: Callable[[Driving], dict[str, Any]]) -> dict[str, Any]:
        def answer(catalogue: Catalogue) -> dict[str, Any]:
            with analysis.look(tenant_id) as look:
                return ask(Driving(look, catalogue, clock.now()))

        return by_newest(figures, tenant_id, answer)

    @routes.get("", **reference.DRIVERS)
    def drivers(
        request: Request,
        caller: Annotated[Caller, Depends(caller_of)],
        driver: Annotated[Text, Query(description="Only edges from this metric")] = None,
        moves: Annotated[Text, Query(description="Only edges to this metric")] = None,
        by: Annotated[
            Text,
            Query(
                description="The trait whose values are tested apart, or segment:NAME for who is in that segment and who isn't; "
                "empty: none"
            ),
        ] = USUAL_DIMENSION,
    ) -> Any:
        named = [storable(text) if text else None for text in (driver, moves, by)]
        asked = EdgesAsked(*named)
        found = with_driving(caller.principal.tenant_id, lambda driving: driving.edges(asked))
        return json_answer(request, found)

    @routes.post("/churn-by-decile", **reference.DECILES)
    async def churn_by_decile(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return await answered(request, caller, deciles)

    return routes
