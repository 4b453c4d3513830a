"""`/v1/tree`, `/v1/segments`, `/v1/engagement-models` and `/v1/scorecard`: what stands above the metrics, as defined."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.answers import json_answer
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases.sessions import Caller
from common.catalogue.models import Catalogue
from common.catalogue.tree import Goal
from common.catalogue.tree_checks import STAGES

_OF_METRIC = {"name", "label", "unit", "direction", "category", "stage", "owner", "cadence"}


def router(access: Access, figures: FigureReader) -> APIRouter:
    routes = APIRouter(tags=["Figures"])
    caller_of = access.require("read")

    @routes.get("/v1/tree", **reference.TREE)
    def tree(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return json_answer(request, _tree(figures.catalogue(caller.principal.tenant_id)))

    @routes.get("/v1/segments", **reference.SEGMENTS)
    def segments(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        found = figures.catalogue(caller.principal.tenant_id).segments
        return json_answer(request, {"data": [made.model_dump(mode="json") for made in found.values()]})

    @routes.get("/v1/engagement-models", **reference.ENGAGEMENT_MODELS)
    def engagement_models(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        found = figures.catalogue(caller.principal.tenant_id).engagement_models
        return json_answer(request, {"data": [made.model_dump(mode="json") for made in found.values()]})

    @routes.get("/v1/scorecard", **reference.SCORECARD)
    def scorecard(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        return json_answer(request, _scorecard(figures.catalogue(caller.principal.tenant_id)))

    return routes


def _tree(catalogue: Catalogue) -> dict[str, Any]:
    goals = sorted(catalogue.goals.values(), key=lambda goal: (_stage(goal, catalogue), goal.name))
    return {
        "mission": catalogue.tree and catalogue.tree.mission,
        "goals": [_goal(goal, catalogue) for goal in goals],
        "drivers": [edge.model_dump(mode="json") for edge in catalogue.drivers.values()],
    }


def _stage(goal: Goal, catalogue: Catalogue) -> int:
    """Where its KPIs begin in the life of a customer; a goal without KPIs comes last."""
    return min((STAGES.index(catalogue.metrics[kpi.metric].stage) for kpi in goal.kpis), default=len(STAGES))


def _goal(goal: Goal, catalogue: Catalogue) -> dict[str, Any]:
    kpis = [{**_kpi(kpi.metric, catalogue), "beside": list(kpi.beside)} for kpi in goal.kpis]
    return {"name": goal.name, "label": goal.label, "serves": goal.serves, "kpis": kpis}


def _kpi(name: str, catalogue: Catalogue) -> dict[str, Any]:
    """What a reader of the tree wants at hand; the rest is under `/v1/metrics`."""
    return {
        **catalogue.metrics[name].model_dump(mode="json", include=_OF_METRIC),
        "benchmarks": [made.model_dump(mode="json") for made in catalogue.benchmarks_of(name)],
        "drivers": [edge.name for edge in catalogue.drivers.values() if edge.moves == name],
    }


def _scorecard(catalogue: Catalogue) -> dict[str, Any]:
    card = catalogue.scorecard
    if card is None:
        return {"north_star": None, "kpis": []}
    star = card.north_star
    return {
        "north_star": {role: _kpi(getattr(star, role), catalogue) for role in ("volume", "efficiency")},
        "kpis": [_kpi(name, catalogue) for name in card.kpis],
    }
