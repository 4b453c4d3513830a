"""The words of the API reference about corrections."""

from pydantic import BaseModel

from api_gateway.http import correction_schemas as shapes
from api_gateway.http.reference import BAD, GONE, route

TAG = {
    "name": "Corrections",
    "description": "Truth over time: events amended and deleted, people erased, backfills, and what figures were before.",
}
MODELS: tuple[type[BaseModel], ...] = (shapes.Amendment,)
_LATER = " It is applied within seconds, after everything that arrived before it; `state` says when."
_EVENT = " Where there is no such event by then, `state` is `refused` and `code` `event-unknown`."

AMEND = {
    **route(
        "Amend an event",
        "Put a corrected event in the place of one that is counted, under the same account, source and id. What arrived stays on record." + _LATER + _EVENT,
        shapes.Correction, BAD | {413: "The body is too large"}, 202,
    ),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Amendment"}}},
        }
    },
}  # fmt: skip
DELETE = route(
    "Delete an event",
    "Take an event out of all figures. It stays out when it is sent again; what arrived stays on record." + _LATER + _EVENT,
    shapes.Correction, BAD, 202,
)  # fmt: skip
CORRECTIONS = route("List corrections", "The control log, newest first.", shapes.CorrectionsPage, BAD)
CORRECTION = route(
    "Show a correction", "With the figures that it changed.", shapes.CorrectionWithFigures, GONE
)
ERASE = route(
    "Erase a person",
    "Put a random token in the place of a person, wherever the name stands; counts stay. Events of that name that arrive later get the "
    "token too. The name itself is not kept, only a keyed hash." + _LATER,
    shapes.Correction, BAD | {409: "The person is erased already"}, 202,
)  # fmt: skip
ERASURE = route("Show an erasure", "Whether it is done, and how much was rewritten.", shapes.Correction, GONE)
OPEN = route(
    "Open a backfill",
    "Events sent to ingest with `?backfill=ID` wait beside what is counted until it is closed.",
    shapes.Backfill, BAD, 201,
)  # fmt: skip
BACKFILLS = route("List backfills", "The last 100, newest first.", shapes.BackfillsPage, {})
BACKFILL = route("Show a backfill", "With the figures that it changed.", shapes.BackfillWithFigures, GONE)
CLOSE = route(
    "Close a backfill",
    "Count what arrived for it, duplicates removed; each partition's part becomes visible at once. Closing it again changes nothing." + _LATER,
    shapes.Backfill, GONE | {409: "It was reverted"}, 202,
)  # fmt: skip
REVERT = route(
    "Revert a backfill",
    "Take exactly what it brought out of all figures; the first live event that repeated one of its events counts instead." + _LATER,
    shapes.Backfill, GONE | {409: "It is not closed"}, 202,
)  # fmt: skip
REVISIONS = route(
    "List revisions",
    "Figures that changed after their local day was complete and told, or by a correction: before, after, why. The newest first.",
    shapes.RevisionsPage, BAD | GONE,
)  # fmt: skip
RETENTION = route(
    "Show retention", "For how many days things are kept; null: for ever.", shapes.RetentionAnswer, {}
)
KEEP = route(
    "Set retention",
    "Older rows are dropped in the background. Events of days without all raw events can't be amended or deleted any more.",
    shapes.RetentionAnswer, BAD,
)  # fmt: skip
