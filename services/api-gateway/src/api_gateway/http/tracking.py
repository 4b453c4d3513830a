"""`/v1/tracking`: what does not arrive as it usually does, so that its silence says nothing about customers."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from api_gateway.domain.accounts import storable
from api_gateway.http.access import Access
from api_gateway.http.answers import json_answer
from api_gateway.http.reference import BAD, GONE, route
from api_gateway.ports.tracking import TrackingReader
from api_gateway.use_cases.sessions import Caller

Kind = Literal["tenant", "source", "type"]


class TrackedView(BaseModel):
    kind: Kind = Field(description="`tenant`: all that is sent; its name is `*`")
    name: str = Field(examples=["feature.used"])
    state: Literal["broken", "ok"]
    since: datetime = Field(description="The first hour that is missing; when it came again, for `ok`")
    expected: float = Field(
        description="The lowest count of the same hours in the weeks before, moved as everything else moved"
    )
    seen: int
    types: list[str] = Field(description="Event types that are missing by it; what rests on them is held")
    share: float = Field(description="Of all that the tenant usually sends, 0 to 1")
    renamed_to: str | None = Field(description="A type that began at the same accounts when this one stopped")
    found_at: datetime


class TrackingView(BaseModel):
    judged_until: datetime | None = Field(
        description="The end of the last hour that was judged; null before the first"
    )
    data: list[TrackedView] = Field(description="What is missing, then what once was")


class RetireBody(BaseModel):
    model_config = {"extra": "forbid"}

    kind: Kind
    name: str = Field(min_length=1, max_length=512)


TRACKING = route(
    "Show what does not arrive",
    "Types of event, sources, and the tenant as a whole, of which far less comes than in the same hours of the weeks before, across accounts. "
    "While something is `broken`, rules and signals that rest on it are held. Hours are judged when they are over and applied; what never was "
    "broken is not listed.",
    TrackingView,
    {},
)
RETIRE = route(
    "Wait for it no more",
    "Says that something that is missing isn't sent any more, as after an event was renamed: what rests on it is asked again from the next "
    "judged hour on. Needs scope act.",
    TrackedView,
    BAD | GONE,
)
RETIRE["responses"] = {status: words for status, words in RETIRE["responses"].items() if status != 200} | {
    204: {"description": "Noted"}
}


def router(access: Access, tracking: TrackingReader) -> APIRouter:
    routes = APIRouter(prefix="/v1/tracking", tags=["Live"])

    @routes.get("", **TRACKING)
    def show(request: Request, caller: Annotated[Caller, Depends(access.require("read"))]) -> Any:
        tenant_id = caller.principal.tenant_id
        data = [asdict(one) for one in tracking.all_of(tenant_id)]
        return json_answer(request, {"judged_until": tracking.judged_until(tenant_id), "data": data})

    @routes.post("/retired", status_code=204, **RETIRE)
    def retire(caller: Annotated[Caller, Depends(access.require("act"))], body: RetireBody) -> Response:
        principal = caller.principal
        tracking.retire(principal.tenant_id, body.kind, storable(body.name), principal.name)
        return Response(status_code=204)

    return routes
