"""`/v1/metrics` and `/v1/query`: what is measured, and any figure of it."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api_gateway.domain import csv_rows
from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.answers import given, json_answer, made
from api_gateway.http.bodies import MAX_BODY_BYTES, bounded_body, json_body
from api_gateway.ports.figures import FigureReader
from api_gateway.use_cases.aims import Aims
from api_gateway.use_cases.kept_answers import KeptAnswers, Made
from api_gateway.use_cases.newest import by_newest, metric_of
from api_gateway.use_cases.sessions import Caller
from api_gateway.use_cases.steadying import Steadying
from common.errors import Rejected
from common.figures import parse
from common.figures.model import Answer, Leading, Query
from common.figures.named_segments import PREFIX
from common.http.problems import problem_response

_LISTS = ("metrics", "group_by", "segments")
_CSV_COLUMNS = (
    "bucket", "value", "numerator", "denominator", "low", "high", "n", "low_n", "censored", "compare_value",
    "unit", "currency", "as_of", "complete", "version", "proxy_of", "accounts", "behind", "reason",
)  # fmt: skip

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,15})?", re.ASCII)
_AMOUNTS = frozenset({"value", "numerator", "denominator", "compare_value"})


def router(
    access: Access, figures: FigureReader, kept: KeptAnswers, aims: Aims, steadying: Steadying
) -> APIRouter:
    routes = APIRouter(tags=["Figures"])
    caller_of = access.require("read")

    @routes.get("/v1/metrics", **reference.METRICS)
    def metrics(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        catalogue = figures.catalogue(caller.principal.tenant_id)
        shown = [metric.model_dump(mode="json") for metric in catalogue.metrics.values()]
        answer = {
            "data": shown,
            "settings": catalogue.settings.model_dump(mode="json"),
            "definitions": catalogue.version,
            "counting": figures.counting(caller.principal.tenant_id),
        }
        return json_answer(request, answer)

    @routes.get("/v1/metrics/{name}", **reference.METRIC)
    def metric(request: Request, name: str, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        tenant_id = caller.principal.tenant_id
        found = by_newest(figures, tenant_id, lambda catalogue: metric_of(catalogue, name))
        beside = aims.beside(tenant_id, found)
        beside = {**beside, "revised": steadying.of(tenant_id, found)}
        return json_answer(request, {**found.model_dump(mode="json"), **beside})

    def answered(request: Request, tenant_id: int, query: Query) -> Response:
        csv = _wants_csv(request)
        question = f"query {csv} {query!r}"
        return given(
            request,
            kept.of(tenant_id, question, lambda: _made(query, figures.query(tenant_id, query), csv=csv)),
        )

    @routes.post("/v1/query", **reference.QUERY_POST)
    async def query_post(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        body = await bounded_body(request, MAX_BODY_BYTES)
        if body is None:
            return problem_response(413, "body-too-large", f"a query has at most {MAX_BODY_BYTES} bytes")
        query = parse(json_body(body))
        return await run_in_threadpool(answered, request, caller.principal.tenant_id, query)

    @routes.get("/v1/query", **reference.QUERY_GET)
    def query_get(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        query = parse(from_parameters(request.query_params.multi_items()))
        return answered(request, caller.principal.tenant_id, query)

    return routes


def from_parameters(items: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the JSON form of a question that was asked in an address. `filter.plan=pro&filter.plan=free` or `filter={...}`."""
    body: dict[str, Any] = {}
    filters: dict[str, list[Any]] = {}
    for name, value in items:
        if name in _LISTS:
            body.setdefault(name, []).extend(part for part in value.split(",") if part)
        elif name == "accounts":
            body.setdefault(name, []).extend(_account_names(value))
        elif name.startswith("filter."):
            dimension = name.removeprefix("filter.")
            filters.setdefault(dimension, []).extend(_meant(dimension, value))
        elif name in body:
            raise Rejected("parameter-repeated", f"give {name[:40]!r} once")
        else:
            body[name] = _typed(name, value)
    if filters:
        given = body.get("filter", {})
        if not isinstance(given, Mapping):
            raise Rejected("filter-invalid", 'filter must be an object of lists, such as {"plan": ["pro"]}')
        body["filter"] = {**given, **filters}
    return body


def _meant(dimension: str, value: str) -> list[Any]:
    """A text; and what it is written like, for an address can't say whether a trait is the number 3 or the text "3"."""
    if value in ("true", "false"):
        truth = value == "true"
        return [truth] if dimension.startswith(PREFIX) else [value, truth]
    if not _NUMBER.fullmatch(value):
        return [value]
    return [value, float(value) if "." in value else int(value)]


def _account_names(value: str) -> list[Any]:
    """One id; or a JSON list of ids, as the addresses in `behind` have it."""
    if value.startswith('["') and value.endswith('"]'):
        names = json_body(value.encode("utf-8", "replace"))
        if isinstance(names, list):
            return names
    return [value]


def _typed(name: str, value: str) -> Any:
    if name in ("limit", "definitions") and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if name == "contributing" and value in ("true", "false"):
        return value == "true"
    if name == "filter":
        return json_body(value.encode("utf-8", "replace"))
    # `compare=` and `cursor=` left empty mean none.
    empty_is_none = ("compare", "cursor", "limit", "definitions", "slice_at")
    return None if name in empty_is_none and not value else value


def _made(query: Query, answer: Answer, *, csv: bool) -> Made:
    """The tag leaves `as_of` out, which moves while figures stand still."""
    rows = [figure.as_json() for figure in answer.figures]
    said = {
        "data": rows,
        "next_cursor": answer.next_cursor,
        "definitions": answer.definitions,
        **_leading(answer.leading),
    }
    as_json = made(said, {**said, "data": [{**row, "as_of": None} for row in rows]}, answer.frozen_at)
    if not csv:
        return as_json
    headers = {"Content-Disposition": 'attachment; filename="figures.csv"'}
    if answer.next_cursor:
        headers["Bellwether-Next-Cursor"] = answer.next_cursor
    tag = as_json.tag.replace('"', '"csv-', 1)
    return Made(_csv(query, rows), "text/csv; charset=utf-8", tag, headers, answer.frozen_at)


def _leading(leading: Leading | None) -> dict[str, Any]:
    """Return what says whether a comparison may lead; nothing where none was asked for."""
    if leading is None:
        return {}
    return {
        "compare_leads": leading.leads,
        "compare_reason": leading.reason,
        "paying_accounts": {"now": leading.paying, "compared": leading.paying_compared},
        "lead_with": leading.instead,
    }


def _wants_csv(request: Request) -> bool:
    accepted = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return "text/csv" in accepted and "application/json" not in accepted


def _csv(query: Query, rows: Sequence[Mapping[str, Any]]) -> bytes:
    header = ("metric", *query.group_by, *_CSV_COLUMNS)
    cells = (
        (
            row["metric"],
            *(row["group"].get(name) for name in query.group_by),
            *(_csv_cell(name, row[name]) for name in _CSV_COLUMNS),
        )
        for row in rows
    )
    return csv_rows.write(header, cells)


def _csv_cell(name: str, value: Any) -> Any:
    """Money, which is text in JSON, as the number it is: a loss that was escaped as text could not be summed."""
    return Decimal(value) if name in _AMOUNTS and isinstance(value, str) else value
