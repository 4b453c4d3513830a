"""`/v1/buttons/{token}`: the pages behind the buttons of notices. The link itself is the key: nobody signs in here.

Opening a link shows what it would do; only pressing the page's own button does it. A link that is not good gets one answer, whatever is wrong with it.
"""

import html
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from alerts.domain.buttons import LABELS
from alerts.use_cases.press import Buttons, Result, Seen
from common.clock import Clock

QUIET_DAYS = (7, 14, 30, 90)
_USUAL_DAYS = 14
_MAX_FORM_BYTES = 1_000
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em;color:#222}"
    "button{font:inherit;padding:.6em 1.4em;border:0;border-radius:6px;background:#1f5f8b;color:#fff}p.small{color:#666;font-size:.9rem}"
)
_ASKS = {
    "acknowledge": "Take this case? It then waits for what comes of it, and nobody else is asked.",
    "expected": "Is this expected? Nothing that time makes true opens for this account until then.",
    "not_real": "Was there no risk? The case is closed, and the rule is remembered to have been wrong.",
}
_DID = {
    "acknowledge": "It is yours now.",
    "expected": "It is noted as expected.",
    "not_real": "The case is closed: there was no risk.",
}
_Pages = dict[int | str, dict[str, Any]]
_NO_GOOD: _Pages = {404: {"description": "The link is not good, or no longer", "content": {"text/html": {}}}}
_CLOSED: _Pages = {409: {"description": "The case was closed meanwhile", "content": {"text/html": {}}}}
Token = Annotated[str, Path(max_length=400)]


def buttons_router(buttons: Buttons, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/buttons", tags=["buttons"])

    @router.head("/{token}", response_class=HTMLResponse, include_in_schema=False)
    @router.get("/{token}", response_class=HTMLResponse, responses=_NO_GOOD)
    def show(token: Token) -> Response:
        """What pressing would do. Changes nothing."""
        seen = buttons.look(token, clock.now())
        return _no_good() if seen is None else _page(200, seen.about.account, _question(seen))

    @router.post("/{token}", response_class=HTMLResponse, responses=_NO_GOOD | _CLOSED)
    async def press(token: Token, request: Request) -> Response:
        """Does it, as the receiver's person. Once: pressed again it changes nothing."""
        days = _days(await _form(request))
        done = await run_in_threadpool(buttons.press, token, timedelta(days=days), clock.now())
        if done is None:
            return _no_good()
        seen, result = done
        return _page(409 if result is Result.CLOSED else 200, seen.about.account, _answer(seen, result))

    return router


async def _form(request: Request) -> dict[str, list[str]]:
    """Nothing where it is no small form."""
    read = b""
    async for chunk in request.stream():
        read += chunk
        if len(read) > _MAX_FORM_BYTES:
            return {}
    return parse_qs(read.decode("ascii", "replace"), max_num_fields=10)


def _days(form: dict[str, list[str]]) -> int:
    text = form.get("days", [""])[0]
    return int(text) if text in {str(one) for one in QUIET_DAYS} else _USUAL_DAYS


def _question(seen: Seen) -> str:
    action, about = seen.link.action, seen.about
    if about.status == "resolved":
        return "<p>This case is closed already.</p>"
    if about.is_used:
        return f"<p>This was pressed before. {_DID[action]}</p>"
    days = "".join(
        f'<option value="{one}"{" selected" if one == _USUAL_DAYS else ""}>{one} days</option>'
        for one in QUIET_DAYS
    )
    choice = (
        f'<p><label>Quiet for <select name="days">{days}</select></label></p>' if action == "expected" else ""
    )
    return (
        f"<p>{_ASKS[action]}</p><form method=post>{choice}<button type=submit>{html.escape(LABELS[action])}</button></form>"
        f"<p class=small>You act as {html.escape(about.person)}.</p>"
    )


def _answer(seen: Seen, result: Result) -> str:
    if result is Result.CLOSED:
        return "<p>This case was closed meanwhile; nothing was changed.</p>"
    before = "This was pressed before. " if result is Result.ALREADY else ""
    return f"<p>{before}{_DID[seen.link.action]}</p>"


def _no_good() -> Response:
    return _page(
        404, "This link is not good", "<p>It may have expired. Open the case in Bellwether instead.</p>"
    )


def _page(status: int, title: str, body: str) -> Response:
    shown = html.escape(title)
    content = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{shown}</title><style>{_STYLE}</style></head><body><h1>{shown}</h1>{body}</body></html>"
    )
    return HTMLResponse(content, status, _HEADERS)
