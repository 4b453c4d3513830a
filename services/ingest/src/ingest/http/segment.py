"""Segment's HTTP Tracking API: answers exactly 200 where it takes a request, and errors that its SDKs understand."""

import base64
import binascii
from collections.abc import Sequence

import orjson
from fastapi import Response

from common.errors import BellwetherError, Rejected
from common.http.problems import problem_response
from ingest.domain.inflation import Bounds, EncodingUnknown, TooLarge, inflate
from ingest.domain.items import Shape, TooMany, cut, members_of
from ingest.domain.segment import object_of
from ingest.domain.validation import Item
from ingest.http.call import Call
from ingest.http.callers import Callers
from ingest.http.door import Reply, Route, refusal_of
from ingest.http.events import rejections_of
from ingest.use_cases.calls import CALL_BYTES, CallIntake, Request
from ingest.use_cases.publish import Publisher

# Segment's bounds of a request; SDKs cut their batches to fit them.
MAX_BODY_BYTES = 512 * 1024
MAX_CALLS = 2_500

PATHS: dict[str, str | None] = {
    "track": "track",
    "t": "track",
    "identify": "identify",
    "i": "identify",
    "group": "group",
    "g": "group",
    "page": "page",
    "p": "page",
    "screen": "screen",
    "s": "screen",
    "alias": "alias",
    "a": "alias",
    "batch": None,
    "b": None,
    "import": None,
}
_SUCCESS = b'{"success":true}'
_ALLOWED = (
    (b"access-control-allow-methods", b"POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization,content-type,content-encoding,x-retry-count"),
    (b"access-control-max-age", b"86400"),
)


class SegmentEndpoint:
    """Takes Segment's calls, one or a batch."""

    def __init__(
        self, callers: Callers, intake: CallIntake, publisher: Publisher, body_timeout_seconds: float
    ) -> None:
        self._callers, self._intake, self._publisher = callers, intake, publisher
        self._body_timeout_seconds = body_timeout_seconds

    def routes(self) -> dict[tuple[str, str], Route]:
        """All paths of the API, by method."""
        calls = Route("segment", self.handle, _refused, cors_of)
        preflight = Route("segment-preflight", _preflight, _refused, cors_of)
        paths = [f"/v1/{name}" for name in PATHS]
        return {("POST", path): calls for path in paths} | {("OPTIONS", path): preflight for path in paths}

    async def handle(self, call: Call) -> Reply:
        self._publisher.refuse_when_stalled()
        sent = await call.body(MAX_BODY_BYTES, self._body_timeout_seconds)
        body = inflate(sent, call.header(b"content-encoding"), Bounds(MAX_BODY_BYTES))
        call.share.take(len(body))
        members = members_of(body)
        key = key_of(call) or _string(members.get("writeKey"))
        caller = await self._callers.principal(key, "ingest")
        types = await self._callers.types(caller.tenant_id)
        kind = PATHS[call.path.removeprefix("/v1/")]
        items = [body] if kind is not None else _batch(members)
        if kind is not None and len(body) > CALL_BYTES:
            raise Rejected("event-too-large", f"one call has at most {CALL_BYTES} bytes")
        batch = kind is None
        request = Request(
            items,
            kind,
            members.get("sentAt"),
            object_of(members.get("context")) if batch else {},
            object_of(members.get("integrations")) if batch else {},
        )
        outcome = await self._intake.accept(caller, request, types)
        if not outcome.rejected:
            return Reply(_SUCCESS)
        answer = {"success": True, "accepted": outcome.accepted, "rejected": rejections_of(outcome.rejected)}
        return Reply(orjson.dumps(answer))


def key_of(call: Call) -> str:
    """Return the key in the Authorization header: the user name of Basic, with or without its colon, or a Bearer token."""
    scheme, _, text = call.header(b"authorization").partition(" ")
    if scheme.lower() == "bearer":
        return text.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(text.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def cors_of(call: Call) -> tuple[tuple[bytes, bytes], ...]:
    """Allow any page to read the answer: the key decides, not the origin."""
    origin = call.headers.get(b"origin")
    return ((b"access-control-allow-origin", origin), (b"vary", b"Origin")) if origin else ()


async def _preflight(_: Call) -> Reply:
    return Reply(b"{}", headers=((b"content-type", b"application/json"), *_ALLOWED))


def _batch(members: dict[str, bytes]) -> Sequence[Item]:
    raw = members.get("batch")
    if raw is None or raw[:1] != b"[":
        raise Rejected("batch-missing", "`batch` must be an array of calls")
    return cut(raw, Shape.ARRAY, MAX_CALLS).items


def _refused(error: BellwetherError) -> Response:
    """SDKs drop what is answered 400 and retry 408, so size and encoding are 400 here, as at Segment."""
    if isinstance(error, TooLarge | TooMany | EncodingUnknown):
        return problem_response(400, error.code, error.message)
    return refusal_of(error)


def _string(raw: bytes | None) -> str:
    try:
        found = orjson.loads(raw or b"null")
    except orjson.JSONDecodeError:
        return ""
    return found if isinstance(found, str) else ""
