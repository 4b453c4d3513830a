"""What OpenAPI says about the hot routes, which FastAPI doesn't see."""

from typing import Any

from fastapi import FastAPI

from ingest.http.segment import PATHS

_PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_PROBLEMS = {
    "401": {"description": "No valid key.", **_PROBLEM},
    "403": {"description": "The key has another scope.", **_PROBLEM},
    "503": {
        "description": "Try again after `Retry-After` seconds; sending the same again is harmless.",
        **_PROBLEM,
    },
}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 256},
        "source": {"type": "string", "minLength": 1, "maxLength": 512},
        "type": {"type": "string", "minLength": 1, "maxLength": 128},
        "subject": {"type": "string", "minLength": 1, "maxLength": 256, "description": "The account."},
        "time": {
            "type": "string",
            "format": "date-time",
            "description": "When it happened; now where absent.",
        },
        "recordedtime": {"type": "string", "format": "date-time", "description": "When it became known."},
        "data": {
            "type": "object",
            "properties": {"user": {"type": "string", "minLength": 1, "maxLength": 256}},
        },
    },
}
_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "id", "code", "message"],
                "properties": {
                    "index": {"type": "integer"},
                    "id": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["status", "code", "message"],
    "properties": {"status": {"type": "integer"}, "code": {"type": "string"}, "message": {"type": "string"}},
}


def describe(app: FastAPI) -> None:
    """Add the hot routes to the document that FastAPI makes."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            document["paths"]["/v1/events"] = {"post": _events()}
            for name, call in PATHS.items():
                document["paths"][f"/v1/{name}"] = {"post": _segment(call)}
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= {"Event": _EVENT, "Answer": _ANSWER, "Problem": _PROBLEM_SCHEMA}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _events() -> dict[str, Any]:
    one = {"schema": {"$ref": "#/components/schemas/Event"}}
    many = {"schema": {"type": "array", "items": one["schema"]}}
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}
    return {
        "summary": "Send events",
        "parameters": [
            {
                "name": "backfill",
                "in": "query",
                "schema": {"type": "string", "format": "uuid"},
                "description": "An open backfill of the tenant (`POST /v1/backfills`): the events count when it is closed.",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": one,
                "application/cloudevents-batch+json": many,
                "application/json": {"schema": {"oneOf": [one["schema"], many["schema"]]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "200": {"description": "At least one event was accepted, or none was sent.", "content": answer},
            "400": {"description": "No event was accepted.", "content": {**answer, **_PROBLEM["content"]}},
            "404": {"description": "There is no such backfill.", **_PROBLEM},
            "408": {"description": "The body came too slowly.", **_PROBLEM},
            "409": {"description": "The backfill takes no more events.", **_PROBLEM},
            "413": {"description": "The body or the batch is too large.", **_PROBLEM},
            "415": {"description": "The content type or encoding is not read.", **_PROBLEM},
            **_PROBLEMS,
        },
    }


def _segment(call: str | None) -> dict[str, Any]:
    return {
        "summary": f"Segment: {call or 'a batch of calls'}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "200": {
                "description": "Taken; refused calls are kept and named.",
                "content": {"application/json": {}},
            },
            "400": {"description": "Too large, or not JSON.", **_PROBLEM},
            **_PROBLEMS,
        },
    }
