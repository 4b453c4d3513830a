"""The words of the API reference about explanations, drivers and annotations."""

from typing import Any

from api_gateway.http import analysis_schemas as schemas
from api_gateway.http.reference import BAD, GONE, NO_CATALOGUE, route

TAG = {
    "name": "Explanations",
    "description": "Why a figure changed, what moves it, and what people say happened.",
}
_LARGE = {413: "The body is too large"}


def _question(described: dict[str, Any], model: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}
    return {**described, "openapi_extra": {"requestBody": {"required": True, "content": content}}}


EXPLAIN = _question(
    route(
        "Explain a change",
        "Splits the change of a figure between two periods into parts that add up to it exactly, in this order: another definition; data "
        "that arrived after the earlier period was complete; data that is missing because a source or type of event fell silent (an estimate); "
        "other shares of slices (mix); and inputs. Tells the accounts that moved it most, annotations of both periods, and one plain sentence. "
        "Amounts are exact decimals as text. Up to 10,000 accounts are told one by one.",
        schemas.Explanation,
        BAD | NO_CATALOGUE | _LARGE,
    ),
    "ChangeBody",
)
MOVERS = _question(
    route(
        "Rank the movers",
        "The accounts, or the values of a trait, that moved a figure most between two periods; their amounts add up to its change.",
        schemas.Movers,
        BAD | NO_CATALOGUE | _LARGE,
    ),
    "MoversBody",
)
ANNOTATIONS = route(
    "List annotations",
    "Those that overlap a stretch of time, the latest first.",
    schemas.AnnotationsPage,
    BAD | NO_CATALOGUE,
)
ANNOTATION_ADD = route(
    "Annotate",
    "Say what happened, when and to whom. Needs scope act.",
    schemas.Annotation,
    BAD | NO_CATALOGUE,
    201,
)
ANNOTATION_REMOVE: dict[str, Any] = {
    **route("Remove an annotation", "Needs scope act.", schemas.Annotation, GONE),
}
ANNOTATION_REMOVE["responses"] = {
    status: words for status, words in ANNOTATION_REMOVE["responses"].items() if status != 200
} | {204: {"description": "Removed"}}
DRIVERS = route(
    "Test the drivers",
    "Each edge of the catalogue's drivers, tested on the histories of the accounts: whether the driver's changes go before changes of what "
    "it moves, after how long, with 95 % intervals; over all accounts and per value of a trait. `holds`, `opposite`, `not_seen`, "
    "`stopped` (it held, and doesn't in the latest third: see `warning`), `too_little_data` or `shared_events` (the same events make both: "
    "not tested). One to two edges in a hundred are claimed by chance. "
    "`held_until` and `stopped_at` are of the looks that are taken once a week or month by night. "
    "Computed on request from up to 300,000 values: of up to 1,000 accounts, always the same ones; ask for one `driver` or `moves` to look at more.",
    schemas.Drivers,
    BAD | NO_CATALOGUE,
)
DECILES = _question(
    route(
        "Churn by decile of a driver",
        "Which share of accounts left in a period, by decile of what a driver was in the days before, with 95 % intervals; `verdict` says whether "
        "those with lower or higher values leave more, or that there is too little data. At most 10,000 accounts.",
        schemas.ByDecile,
        BAD | NO_CATALOGUE | _LARGE,
    ),
    "DecilesBody",
)
MODELS = (schemas.ChangeBody, schemas.MoversBody, schemas.DecilesBody)
