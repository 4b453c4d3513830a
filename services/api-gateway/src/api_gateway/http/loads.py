"""`/v1/loads`: say that history is being loaded, so that nobody is warned because of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from api_gateway.domain.accounts import storable
from api_gateway.domain.encoding import dumps
from api_gateway.domain.records import Load
from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.ports.loads import LoadStore
from api_gateway.use_cases.sessions import Caller
from common.clock import Clock

_NO_STORE = {"Cache-Control": "no-store"}
_MOST_LISTED = 100


class StartLoad(BaseModel):
    """What is being loaded, for people to read."""

    description: str = Field("", max_length=500, examples=["activity of 2024 from the warehouse"])


def router(access: Access, loads: LoadStore, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/v1/loads", tags=["Loading history"])
    loader = access.require("admin", "ingest")

    @routes.post("", status_code=201, **reference.LOAD_START)
    def start(caller: Annotated[Caller, Depends(loader)], body: StartLoad | None = None) -> Any:
        description = storable(body.description) if body else ""
        return _answer(loads.start(caller.principal.tenant_id, description, clock.now()), 201)

    @routes.get("", **reference.LOAD_LIST)
    def listing(caller: Annotated[Caller, Depends(access.require("read", "ingest"))]) -> Any:
        found = [_shown(load) for load in loads.list(caller.principal.tenant_id, _MOST_LISTED)]
        return Response(dumps({"data": found}), 200, _NO_STORE, "application/json")

    @routes.post("/{load_id}/heartbeat", **reference.LOAD_HEARTBEAT)
    def heartbeat(load_id: str, caller: Annotated[Caller, Depends(loader)]) -> Any:
        return _answer(loads.heartbeat(caller.principal.tenant_id, load_id, clock.now()))

    @routes.post("/{load_id}/end", **reference.LOAD_END)
    def end(load_id: str, caller: Annotated[Caller, Depends(loader)]) -> Any:
        return _answer(loads.end(caller.principal.tenant_id, load_id, clock.now()))

    return routes


def _answer(load: Load, status: int = 200) -> Response:
    return Response(dumps(_shown(load)), status, _NO_STORE, "application/json")


def _shown(load: Load) -> dict[str, Any]:
    return {
        "id": load.id,
        "description": load.description,
        "started_at": load.started_at,
        "heartbeat_at": load.heartbeat_at,
        "ended_at": load.ended_at,
    }
