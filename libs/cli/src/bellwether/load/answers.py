"""What to do after ingest has answered. Pure: status, header and body in, a verdict out."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

# No server of ours asks for more; a wrong header must not stop a load for a day.
LONGEST_WAIT_SECONDS: Final = 300.0
_TOO_MUCH_FOR_ONE_REQUEST: Final = (400, 413, 422)
_TRANSIENT: Final = (408, 425, 429)


@dataclass(frozen=True)
class Refusal:
    """One event that was refused for good. `index` counts within the request from 0."""

    index: int
    code: str
    message: str


@dataclass(frozen=True)
class Delivered:
    """All that ingest took is durable; repeats count as accepted."""

    accepted: int
    refused: tuple[Refusal, ...]


@dataclass(frozen=True)
class Again:
    """Send the same bytes again. `after_seconds` is what the server asks for; None leaves it to the back-off."""

    after_seconds: float | None
    reason: str


@dataclass(frozen=True)
class Halve:
    """The request as a whole was refused, which says nothing about its single events."""


@dataclass(frozen=True)
class Stop:
    """No event of this file would fare better."""

    message: str


Verdict = Delivered | Again | Halve | Stop


def judge(
    status: int, retry_after: str | None, body: bytes, *, events: int, now: datetime, segment: bool = False
) -> Verdict:
    """`segment`: the answer is that of Segment's routes, which say `{"success": true}` alone where they took everything."""
    if status in _TRANSIENT or status >= 500:
        return Again(_wait_seconds(retry_after, now), f"ingest answered {status}{_reason(body)}")
    if status in (200, 400):
        delivered = _delivered(body)
        if delivered is not None:
            return delivered
    if segment and status == 200 and _took_all(body):
        return Delivered(events, ())
    if status in (401, 403):
        return Stop(
            f"Ingest refuses the key{_reason(body)}. Give one with scope ingest: --key or BELLWETHER_INGEST_KEY."
        )
    if status in _TOO_MUCH_FOR_ONE_REQUEST:
        return Halve() if events > 1 else Delivered(0, (_refusal_of_all(status, body),))
    return Stop(
        f"This is no ingest service: it answered {status}{_reason(body)}. Check --url or BELLWETHER_INGEST_URL."
    )


class _Answer(msgspec.Struct):
    accepted: int
    rejected: list[dict[str, object]]


def _delivered(body: bytes) -> Delivered | None:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        refused = tuple(
            Refusal(_index(item["index"]), str(item.get("code")), str(item.get("message")))
            for item in answer.rejected
        )
    except (msgspec.MsgspecError, KeyError, TypeError):
        return None
    return Delivered(answer.accepted, refused)


def _took_all(body: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(body) == {"success": True})
    except msgspec.MsgspecError:
        return False


def _index(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


def _problem(body: bytes) -> _Problem:
    try:
        return msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return _Problem()


def _reason(body: bytes) -> str:
    problem = _problem(body)
    return f": {problem.message} ({problem.code})" if problem.code else ""


def _refusal_of_all(status: int, body: bytes) -> Refusal:
    problem = _problem(body)
    return Refusal(0, problem.code or f"status-{status}", problem.message or f"ingest answered {status}")


def _wait_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds or an HTTP date, as RFC 9110 has it; anything else counts as not given."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    if seconds != seconds:  # noqa: PLR0124 - the only value unequal to itself is not a number
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
