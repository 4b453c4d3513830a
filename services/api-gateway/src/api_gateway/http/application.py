"""All routes put together: the application that a server runs."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from api_gateway.http import (
    accounts,
    analysis,
    analysis_reference,
    annotations,
    behind,
    correction_reference,
    corrections,
    drivers,
    figures,
    forwarding,
    health,
    health_reference,
    imports,
    live_events,
    loads,
    pages,
    people,
    reference,
    renewals,
    schemas,
    sessions,
    signals,
    stream,
    tracking,
    traits,
    tree,
)
from api_gateway.http.access import Access
from api_gateway.http.connections import Abortable
from api_gateway.http.forwarding import Forwarding
from api_gateway.http.middleware import Measured, OpaqueSegments, SafeHeaders
from api_gateway.metrics import GatewayMetrics
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.analysis import Analysis
from api_gateway.ports.annotations import AnnotationStore
from api_gateway.ports.cases import CaseReader
from api_gateway.ports.corrections import CorrectionStore
from api_gateway.ports.figures import FigureReader
from api_gateway.ports.health import HealthStore
from api_gateway.ports.imports import ImportReader
from api_gateway.ports.loads import LoadStore
from api_gateway.ports.people import PeopleReader
from api_gateway.ports.renewals import RenewalReader
from api_gateway.ports.tracking import TrackingReader
from api_gateway.ports.traits import TraitReader
from api_gateway.use_cases.aims import Aims
from api_gateway.use_cases.kept_answers import KeptAnswers
from api_gateway.use_cases.sessions import Sessions
from api_gateway.use_cases.steadying import Steadying
from common.clock import Clock
from common.contracts.diagnosis import Terms
from common.http.ops import Check, Drain, ops_routes
from common.http.spelling import well_spelt
from common.http.validation import install_handlers

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What routes need, made by the wiring."""

    access: Access
    sessions: Sessions
    accounts: AccountReader
    cases: CaseReader
    figures: FigureReader
    analysis: Analysis
    annotations: AnnotationStore
    loads: LoadStore
    corrections: CorrectionStore
    terms: Terms
    imports: ImportReader
    traits: TraitReader
    tracking: TrackingReader
    health: HealthStore
    renewals: RenewalReader
    people: PeopleReader
    streams: stream.Streams
    alerts: Forwarding
    ingest: Forwarding
    live_events: live_events.LiveEvents
    clock: Clock
    metrics: GatewayMetrics
    registry: CollectorRegistry
    checks: Mapping[str, Check]
    drain: Drain
    secure_cookies: bool


def application(parts: Parts, lifespan: Lifespan) -> FastAPI:
    """Build the application."""
    app = FastAPI(
        title="Bellwether",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        dependencies=[Depends(well_spelt)],
    )
    install_handlers(app)
    app.router.routes.extend(ops_routes(parts.checks, parts.registry, parts.drain))
    for router in (
        figures.router(
            parts.access,
            parts.figures,
            KeptAnswers(parts.figures.standing, parts.clock),
            Aims(parts.imports, parts.figures, parts.clock),
            Steadying(parts.corrections, parts.figures, parts.clock),
        ),
        analysis.router(parts.access, parts.analysis, parts.annotations, parts.figures, parts.clock),
        tree.router(parts.access, parts.figures),
        drivers.router(parts.access, parts.analysis, parts.figures, parts.clock),
        annotations.router(parts.access, parts.annotations, parts.figures, parts.clock),
        behind.router(parts.access, parts.accounts, parts.figures),
        accounts.router(
            parts.access,
            parts.accounts,
            KeptAnswers(parts.accounts.standing, parts.clock),
            parts.cases,
        ),
        stream.router(parts.access, parts.streams),
        live_events.router(parts.access, parts.ingest, parts.live_events),
        forwarding.alerts_router(parts.access, parts.alerts),
        loads.router(parts.access, parts.loads, parts.clock),
        corrections.router(parts.access, parts.corrections, parts.figures, parts.terms, parts.clock),
        imports.router(parts.access, parts.imports),
        traits.router(parts.access, parts.accounts, parts.traits),
        tracking.router(parts.access, parts.tracking),
        health.router(parts.access, parts.accounts, parts.health, parts.figures),
        signals.router(parts.access, parts.accounts, parts.figures),
        renewals.router(parts.access, parts.accounts, parts.renewals, parts.figures),
        people.router(parts.access, parts.accounts, parts.people, parts.figures, parts.clock),
        sessions.router(parts.access, parts.sessions, secure=parts.secure_cookies),
        pages.router(parts.sessions),
    ):
        app.include_router(router)
    pages.mount_static(app)
    _serve_description(app)
    # The last one added is the outermost.
    app.add_middleware(OpaqueSegments)
    app.add_middleware(Measured, metrics=parts.metrics)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Abortable)
    return app


def _serve_description(app: FastAPI) -> None:
    description = get_openapi(
        title="Bellwether",
        version="1",
        summary="Figures about your customers, live",
        description=reference.DESCRIPTION,
        routes=app.routes,
        tags=[*reference.TAGS, analysis_reference.TAG, correction_reference.TAG],
    )
    components = description.setdefault("components", {}).setdefault("schemas", {})
    models: tuple[type[BaseModel], ...] = (
        schemas.Problem,
        schemas.QueryBody,
        health_reference.RatingBody,
        *analysis_reference.MODELS,
        *correction_reference.MODELS,
    )
    for model in models:
        shape: dict[str, Any] = model.model_json_schema(ref_template="#/components/schemas/{model}")
        components |= shape.pop("$defs", {})
        components[model.__name__] = shape
    _drop_validation_errors(description)

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return description


def _drop_validation_errors(description: dict[str, Any]) -> None:
    """FastAPI documents its own 422; ours is a problem with status 400."""
    for operations in description["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(name, None)
