"""`/v1/accounts`: who the customers are, how they are, and what happened to them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from api_gateway.domain import accounts as rules
from api_gateway.domain import cursors, shapes
from api_gateway.domain.accounts import AccountsQuery
from api_gateway.domain.records import AccountRow
from api_gateway.http import reference
from api_gateway.http.access import Access
from api_gateway.http.answers import given, json_answer, made
from api_gateway.http.event_pages import does_not_continue, events_page
from api_gateway.http.middleware import segment_text
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.cases import CaseReader
from api_gateway.use_cases.kept_answers import KeptAnswers, Made
from api_gateway.use_cases.sessions import Caller
from common.errors import NotFound, Rejected

_LAST_EVENTS = 10
_CASE_MOMENTS = 200
_DEFAULT_EVENTS, _MAX_EVENTS = 50, 500

AccountId = Annotated[str, Path(description="The account's external id, percent-encoded", examples=["acme"])]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the page before; it belongs to this very question")
]
EventsLimit = Annotated[int, Query(ge=1, le=_MAX_EVENTS)]
CallerOf = Callable[..., Caller]


def router(access: Access, accounts: AccountReader, kept: KeptAnswers, cases: CaseReader) -> APIRouter:
    routes = APIRouter(prefix="/v1/accounts", tags=["Accounts"])
    caller_of = access.require("read")
    _add_list(routes, caller_of, accounts, kept)
    _add_account(routes, caller_of, accounts, kept)
    _add_events(routes, caller_of, accounts)
    _add_timeline(routes, caller_of, accounts, cases)
    return routes


def _add_list(routes: APIRouter, caller_of: CallerOf, accounts: AccountReader, kept: KeptAnswers) -> None:
    @routes.get("", **reference.ACCOUNTS)
    def listing(
        request: Request,
        caller: Annotated[Caller, Depends(caller_of)],
        sort: Annotated[str, Query(description=reference.SORT)] = "risk",
        order: Annotated[
            Literal["asc", "desc"] | None,
            Query(description="By default the direction that puts first what needs attention"),
        ] = None,
        q: Annotated[str, Query(description="Part of the id or name, in any case")] = "",
        case: Annotated[
            Literal["open", "none"] | None, Query(description="Only accounts with an open case, or without")
        ] = None,
        segment: Annotated[list[str], Query(description="Only these segments")] = [],  # noqa: B006
        owner: Annotated[list[str], Query(description="Only accounts of these owners")] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=rules.MAX_LIMIT)] = rules.DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Any:
        traits = trait_filters(request, segment, owner)
        asked = rules.check(AccountsQuery(sort, order, traits, q, case, limit))
        tenant_id = caller.principal.tenant_id

        def make() -> Made:
            rows, following = _page(accounts, tenant_id, asked, cursor)
            shown = [shapes.account(row) for row in rows]
            said = [{**one, "as_of": None} for one in shown]
            return made({"data": shown, "next_cursor": following}, [said, following])

        return given(request, kept.of(tenant_id, f"accounts {asked!r} {cursor}", make))


def _add_account(routes: APIRouter, caller_of: CallerOf, accounts: AccountReader, kept: KeptAnswers) -> None:
    @routes.get("/{account}", **reference.ACCOUNT)
    def one(request: Request, account: AccountId, caller: Annotated[Caller, Depends(caller_of)]) -> Any:
        tenant_id = caller.principal.tenant_id

        def make() -> Made:
            row = find_account(accounts, tenant_id, account)
            subscriptions = accounts.subscriptions(tenant_id, row.account_id)
            last = accounts.events(tenant_id, row.account_id, _LAST_EVENTS, None, ())
            shown = {
                **shapes.account(row),
                "subscriptions": [shapes.subscription(found) for found in subscriptions],
                "last_events": [shapes.event(found) for found in last],
            }
            return made(shown, {**shown, "as_of": None})

        return given(request, kept.of(tenant_id, f"account {account}", make))


def _add_events(routes: APIRouter, caller_of: CallerOf, accounts: AccountReader) -> None:
    @routes.get("/{account}/events", **reference.ACCOUNT_EVENTS)
    def events(
        request: Request,
        account: AccountId,
        caller: Annotated[Caller, Depends(caller_of)],
        type_: Annotated[list[str], Query(alias="type", description="Only these types")] = [],  # noqa: B006
        limit: EventsLimit = _DEFAULT_EVENTS,
        cursor: Cursor = None,
    ) -> Any:
        types = [rules.storable(name) for name in type_]
        row = find_account(accounts, caller.principal.tenant_id, account)
        page = events_page(accounts, caller.principal.tenant_id, row, types, limit, cursor)
        return json_answer(
            request, {"data": [shapes.event(found) for found in page.events], "next_cursor": page.following}
        )


def _add_timeline(routes: APIRouter, caller_of: CallerOf, accounts: AccountReader, cases: CaseReader) -> None:
    @routes.get("/{account}/timeline", **reference.TIMELINE)
    def timeline(
        request: Request,
        account: AccountId,
        caller: Annotated[Caller, Depends(caller_of)],
        limit: EventsLimit = _DEFAULT_EVENTS,
        cursor: Cursor = None,
    ) -> Any:
        tenant_id = caller.principal.tenant_id
        row = find_account(accounts, tenant_id, account)
        page = events_page(accounts, tenant_id, row, (), limit, cursor)
        moments = [m for m in cases.moments(tenant_id, row.account_id, _CASE_MOMENTS) if page.covers(m.at)]
        entries = [shapes.case_moment(m) for m in moments] + [
            shapes.event_moment(event) for event in page.events
        ]
        entries.sort(key=lambda entry: entry["at"], reverse=True)
        return json_answer(request, {"data": entries, "next_cursor": page.following})


def _page(
    accounts: AccountReader, tenant_id: int, asked: AccountsQuery, cursor: str | None
) -> tuple[Sequence[AccountRow], str | None]:
    """A page and the cursor of the next one."""
    question = cursors.fingerprint(tenant_id, "accounts", *asked.question)
    if cursor:
        asked = _continued(asked, cursors.decode(question, cursor, 2))
    rows = accounts.page(tenant_id, asked)
    page = rows[: asked.limit]
    if len(rows) <= asked.limit:
        return page, None
    return page, cursors.encode(question, (page[-1].sort_key, page[-1].id))


def find_account(accounts: AccountReader, tenant_id: int, account: str) -> AccountRow:
    """Return the account of a path segment; raises NotFound."""
    name = segment_text(account)
    try:
        return accounts.one(tenant_id, rules.storable(name))
    except Rejected as error:
        raise NotFound("account-unknown", "this tenant has no account of that id") from error


def trait_filters(request: Request, segment: list[str], owner: list[str]) -> dict[str, tuple[str, ...]]:
    traits: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith("filter."):
            traits.setdefault(name.removeprefix("filter."), []).append(value)
    for name, values in (("segment", segment), ("owner", owner)):
        if values:
            traits.setdefault(name, []).extend(values)
    return {name: tuple(values) for name, values in traits.items()}


def _continued(asked: AccountsQuery, position: Sequence[str]) -> AccountsQuery:
    key, name = position
    if not rules.is_sort_key(key):
        raise does_not_continue()
    return replace(asked, after=(key, rules.storable(name)))
