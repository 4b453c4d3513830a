"""The dashboard: pages that a browser fills from the API, and the API reference. Nothing is loaded from anywhere else."""

import importlib.metadata
from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from api_gateway.http.access import COOKIE
from api_gateway.http.middleware import REFERENCE_POLICY
from api_gateway.use_cases.sessions import Caller, Sessions
from common.errors import BellwetherError, Unauthorized

_HERE = Path(__file__).parent
_NO_STORE = {"Cache-Control": "no-store"}
# Address, template, title in the browser's tab.
_PAGES = (
    ("/", "overview", "Overview"),
    ("/accounts", "accounts", "Accounts"),
    ("/account", "account", "Account"),
    ("/cases", "cases", "Cases"),
    ("/case", "case", "Case"),
    ("/rules", "rules", "Rules"),
    ("/rule", "rule", "Rule"),
    ("/events", "events", "Live events"),
)


class _CheckedFiles(StaticFiles):
    """Static files that a browser may keep but asks about, so that an upgrade is seen at once."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def mount_static(app: FastAPI) -> None:
    """Serve scripts, styles and vendored libraries."""
    app.mount("/static", _CheckedFiles(directory=_HERE / "static"), name="static")


def router(sessions: Sessions) -> APIRouter:
    """Build the pages. Without a valid sign-in each leads to the sign-in page."""
    routes = APIRouter(include_in_schema=False)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    version = importlib.metadata.version("api-gateway")

    def rendered(template: str, headers: dict[str, str] = _NO_STORE, **values: Any) -> Response:
        return HTMLResponse(
            environment.get_template(f"{template}.html").render(version=version, **values), headers=headers
        )

    def page(template: str, title: str) -> Any:
        def show(request: Request) -> Response:
            try:
                caller = _caller(sessions, request)
            except Unauthorized:
                return RedirectResponse("/sign-in", 303, _NO_STORE)
            return rendered(template, page=template, title=title, principal=caller.principal)

        return show

    for path, template, title in _PAGES:
        routes.add_api_route(path, page(template, title), methods=["GET"])

    @routes.get("/sign-in")
    def sign_in(request: Request) -> Response:
        try:
            _caller(sessions, request)
        except BellwetherError:
            return rendered("sign_in", page="sign_in", title="Sign in", principal=None)
        return RedirectResponse("/", 303, _NO_STORE)

    @routes.get("/docs")
    def docs() -> Response:
        headers = {"Content-Security-Policy": REFERENCE_POLICY, "Cache-Control": "no-cache"}
        return rendered("docs", headers, title="API reference")

    @routes.get("/favicon.ico")
    def favicon() -> Response:
        return RedirectResponse("/static/favicon.svg", 301)

    return routes


def _caller(sessions: Sessions, request: Request) -> Caller:
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthorized("key-missing", "sign in with a key")
    return sessions.caller(cookie)
