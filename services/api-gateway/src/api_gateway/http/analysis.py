"""`/v1/explain-change` and `/v1/movers`: why a figure is another one than before, and who moved it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api_gateway.domain.annotations import MAX_LIMIT, AnnotationsQuery
from api_gateway.domain.encoding import dumps
from api_gateway.http import analysis_reference as reference
from api_gateway.http import annotations as annotated
from api_gateway.http.access import Access
from api_gateway.http.answers import CACHE_CONTROL
from api_gateway.http.bodies import MAX_BODY_BYTES, bounded_body, json_body
from api_gateway.ports.analysis import Analysis
from api_gateway.ports.annotations import AnnotationStore
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases.explaining import Explaining
from api_gateway.use_cases.newest import by_newest
from api_gateway.use_cases.sessions import Caller
from common.analysis.request import parse_change, parse_movers
from common.catalogue.models import Catalogue
from common.clock import Clock
from common.http.problems import problem_response

Json = dict[str, Any]
# A period has seldom more than a few; what is beyond is in the list.
_MOST_SHOWN = 50


def router(
    access: Access, analysis: Analysis, annotations: AnnotationStore, figures: FigureReader, clock: Clock
) -> APIRouter:
    routes = APIRouter(tags=["Explanations"])
    caller_of = access.require("read")

    def explained(tenant_id: int, body: object) -> Json:
        asked = parse_change(body)

        def explain(catalogue: Catalogue) -> tuple[Explaining, Json]:
            with analysis.look(tenant_id) as look:
                made = Explaining(look, catalogue, asked, clock.now())
                return made, made.change()

        made, told = by_newest(figures, tenant_id, explain)
        told["annotations"] = {
            name: beside(tenant_id, bucket.start, bucket.end, asked.later.accounts)
            for name, bucket in (("earlier", made.earlier), ("later", made.later))
        }
        return told

    def moved(tenant_id: int, body: object) -> Json:
        asked, by = parse_movers(body)

        def movers(catalogue: Catalogue) -> Json:
            with analysis.look(tenant_id) as look:
                return Explaining(look, catalogue, asked, clock.now()).movers(by)

        return by_newest(figures, tenant_id, movers)

    def beside(tenant_id: int, start: datetime, end: datetime, accounts: Sequence[str] | None) -> list[Json]:
        """Those that concern one of the accounts; of everybody those about anybody."""
        found = annotations.list(tenant_id, AnnotationsQuery(start, end, limit=MAX_LIMIT))
        concern = [one for one in found if accounts is None or one.may_concern(accounts)]
        return [annotated.shown(one) for one in concern[:_MOST_SHOWN]]

    @routes.post("/v1/explain-change", **reference.EXPLAIN)
    async def explain_change(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return await answered(request, caller, explained)

    @routes.post("/v1/movers", **reference.MOVERS)
    async def movers(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return await answered(request, caller, moved)

    return routes


async def answered(request: Request, caller: Caller, answer: Callable[[int, object], Json]) -> Response:
    """Read a question of JSON, and answer it beside the event loop."""
    body = await bounded_body(request, MAX_BODY_BYTES)
    if body is None:
        return problem_response(413, "body-too-large", f"a question has at most {MAX_BODY_BYTES} bytes")
    told = await run_in_threadpool(answer, caller.principal.tenant_id, json_body(body))
    return Response(dumps(told), 200, {"Cache-Control": CACHE_CONTROL}, "application/json")
