"""The application: all routes of the service."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute

from alerts.http.cases import cases_router
from alerts.http.doors import Doors
from alerts.http.loss_reviews import loss_reviews_router
from alerts.http.notifications import notifications_router
from alerts.http.on_call import mute_times_router, on_call_router, people_router
from alerts.http.receivers import receivers_router
from alerts.http.silences import silences_router
from common.http.spelling import well_spelt
from common.http.validation import install_handlers


def build_api(doors: Doors, ops: Sequence[BaseRoute], *more: APIRouter) -> FastAPI:
    """Documentation pages are served by the gateway; here is only `/openapi.json`."""
    app = FastAPI(
        title="Bellwether alerts",
        version="1",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(well_spelt)],
    )
    install_handlers(app)
    app.router.routes.extend(ops)
    for build in (
        cases_router,
        on_call_router,
        people_router,
        mute_times_router,
        loss_reviews_router,
        receivers_router,
        silences_router,
        notifications_router,
    ):
        app.include_router(build(doors))
    for router in more:
        app.include_router(router)
    return app
