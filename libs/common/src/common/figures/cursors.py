"""Where a page ended: opaque, versioned, and good only for the question and tenant it came from."""

from __future__ import annotations

import base64
import hashlib
import json

from common.errors import Rejected
from common.figures.model import Query

_VERSION = 2


_MOST = 2**31
Place = tuple[int, int]
"""Which stretch of the question, and the position in it from which the page goes on."""


def encode(tenant_id: int, query: Query, place: Place) -> str:
    body = json.dumps([_VERSION, _question(tenant_id, query), *place])
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode(tenant_id: int, query: Query) -> Place:
    """Where the query's page begins; at the beginning without a cursor."""
    if query.cursor is None:
        return 0, 0
    refusal = Rejected(
        "cursor-invalid", "This cursor doesn't continue this question; ask again without cursor"
    )
    try:
        padded = query.cursor.encode("ascii") + b"=" * (-len(query.cursor) % 4)
        version, question, stretch, position = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, TypeError, RecursionError) as error:
        raise refusal from error
    if version != _VERSION or question != _question(tenant_id, query):
        raise refusal
    if not (_is_count(stretch) and _is_count(position)):
        raise refusal
    return stretch, position


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def _question(tenant_id: int, query: Query) -> str:
    """Everything that decides which rows there are, and in which order."""
    parts = [
        tenant_id, query.metrics, str(query.start), str(query.end), query.grain, query.group_by,
        {name: list(values) for name, values in query.filter.items()}, query.accounts, query.compare, query.definitions,
        query.contributing, query.slice_at,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
