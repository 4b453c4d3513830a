"""Where a page ended, as an opaque text that only the same question of the same tenant takes back."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from common.errors import Rejected

MAX_CURSOR_CHARACTERS = 4_096
_FINGERPRINT_CHARACTERS = 16


def fingerprint(*question: object) -> str:
    """Return what a cursor is bound to: the tenant, the route and everything that orders or filters its rows."""
    text = json.dumps(question, default=str, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_FINGERPRINT_CHARACTERS]


def encode(question: str, position: Sequence[str]) -> str:
    """Return the cursor after the row at `position`; `question` is a fingerprint."""
    return base64.urlsafe_b64encode(json.dumps([question, *position]).encode()).decode().rstrip("=")


def decode(question: str, cursor: str, parts: int) -> tuple[str, ...]:
    """Return the position of a cursor. Rejected (`cursor-invalid`) when it is damaged or belongs to another question."""
    refusal = Rejected(
        "cursor-invalid", "this cursor does not continue this query; start again without `cursor`"
    )
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        raise refusal
    try:
        decoded = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise refusal from error
    if not isinstance(decoded, list) or len(decoded) != parts + 1 or decoded[0] != question:
        raise refusal
    if not all(isinstance(part, str) and "\0" not in part for part in decoded):
        raise refusal
    return tuple(decoded[1:])
