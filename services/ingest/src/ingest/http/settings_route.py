"""`GET /v1/projects/{writeKey}/settings`: what Segment's browser and mobile SDKs ask for before they send."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ingest.http.callers import Callers


def settings_router(callers: Callers) -> APIRouter:
    """Build the route; it answers holders of an ingest key only."""
    router = APIRouter(tags=["segment"])

    @router.get("/v1/projects/{write_key}/settings", summary="Settings for Segment's SDKs")
    async def project_settings(request: Request, write_key: str) -> Response:
        await callers.principal(write_key, "ingest")
        origin = request.headers.get("origin")
        headers = {"Cache-Control": "no-store", "Vary": "Origin"}
        if origin:
            headers["Access-Control-Allow-Origin"] = origin
        return JSONResponse(_settings(write_key, request.headers.get("host", "")), headers=headers)

    return router


def _settings(write_key: str, host: str) -> dict[str, Any]:
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": f"{host}/v1",
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
            }
        },
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
    }
