"""From the JSON of a question to a Query. Everything that is wrong is Rejected with a code and what to do."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TypeGuard, cast

from common.contracts.instants import WithoutZoneError, instant_of
from common.errors import Rejected
from common.figures.model import (
    COMPARES,
    GRAINS,
    MAX_DIMENSIONS,
    MAX_METRICS,
    MAX_PAGE_ROWS,
    MAX_VALUES,
    PAGE_ROWS,
    SLICE_ATS,
    Compare,
    Grain,
    GroupValue,
    Moment,
    Query,
    SliceAt,
)
from common.figures.named_segments import PREFIX

FIELDS = (
    "metrics",
    "from",
    "to",
    "grain",
    "group_by",
    "filter",
    "segments",
    "accounts",
    "compare",
    "definitions",
    "contributing",
    "slice_at",
    "cursor",
    "limit",
)
MAX_TEXT_CHARACTERS = 512
_PLUS_READ_AS_SPACE = re.compile(r" [0-9]{2}:?[0-9]{2}$")
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200  # far beyond any event; keeps calendar arithmetic in range


def parse(body: object) -> Query:
    """A Query from `POST /v1/query`'s body."""
    if not isinstance(body, Mapping):
        raise Rejected("query-invalid", "The body must be a JSON object with metrics, from and to")
    unknown = [str(name)[:40] for name in body if name not in FIELDS]
    if unknown:
        raise Rejected("field-unknown", f"Unknown field {unknown[0]!r}; known are {', '.join(FIELDS)}")
    accounts = body.get("accounts")
    return checked(
        Query(
            metrics=_texts(body.get("metrics"), "metrics", MAX_METRICS),
            start=moment(body.get("from"), "from"),
            end=moment(body.get("to"), "to"),
            grain=cast("Grain", body.get("grain", "day")),
            group_by=_texts(body.get("group_by") or [], "group_by", MAX_DIMENSIONS),
            filter=_filter(body.get("filter") or {}) | _segments(body),
            accounts=None if accounts is None else _texts(accounts, "accounts", MAX_VALUES),
            compare=cast("Compare | None", body.get("compare")),
            definitions=body.get("definitions"),
            contributing=cast("bool", body.get("contributing", False)),
            slice_at=cast("SliceAt", body.get("slice_at") or "start"),
            cursor=_cursor(body.get("cursor")),
            limit=body.get("limit") if body.get("limit") is not None else PAGE_ROWS,  # type: ignore[arg-type]
        )
    )


def checked(query: Query) -> Query:
    """The query, when its own parts make sense; names are looked up later."""
    if not query.metrics:
        raise Rejected("metrics-missing", "Name at least one metric; GET /v1/metrics lists them")
    if len(set(query.metrics)) < len(query.metrics):
        raise Rejected("metrics-repeated", "Name each metric once")
    _one_of("grain", query.grain, GRAINS)
    if query.compare is not None:
        _one_of("compare", query.compare, COMPARES)
    _one_of("slice_at", query.slice_at, SLICE_ATS)
    if not isinstance(query.contributing, bool):
        raise Rejected("contributing-invalid", "contributing must be true or false")
    if (
        isinstance(query.limit, bool)
        or not isinstance(query.limit, int)
        or not 1 <= query.limit <= MAX_PAGE_ROWS
    ):
        raise Rejected("limit-invalid", f"limit must be a whole number from 1 to {MAX_PAGE_ROWS}")
    version = query.definitions
    if version is not None and not _is_version(version):
        raise Rejected("definitions-invalid", "definitions must be the number of a version, from 1 on")
    if len(set(query.group_by)) < len(query.group_by):
        raise Rejected("dimension-repeated", "Name each dimension of group_by once")
    for name, at in (("from", query.start), ("to", query.end)):
        in_range(at, name)
    return query


def moment(text: object, name: str) -> Moment:
    """`2026-03-01` is a date, anything longer an instant, which must say its offset."""
    if not isinstance(text, str):
        raise Rejected(
            f"{name}-missing",
            f"{name} must be a date such as 2026-03-01 or an instant such as 2026-03-01T09:00:00Z",
        )
    try:
        if len(text) == len("2026-03-01"):
            return dt.date.fromisoformat(text)
        return instant_of(text)
    except WithoutZoneError as error:
        message = f"{name} is {_shown(text)}, an instant without offset; add Z or +hh:mm, or send a date for the tenant's midnight"
        raise Rejected("instant-naive", message) from error
    except ValueError as error:
        message = f"{name} is {_shown(text)}, which is neither a date (2026-03-01) nor an instant (2026-03-01T09:00:00Z)"
        if _PLUS_READ_AS_SPACE.search(text):
            message += "; in an address the + of an offset is written %2B"
        raise Rejected(f"{name}-invalid", message) from error


def in_range(at: Moment, name: str) -> None:
    """Raises Rejected for an instant without offset or far from any event."""
    if isinstance(at, dt.datetime) and at.tzinfo is None:
        raise Rejected(
            "instant-naive",
            f"{name} has no offset; add Z or +hh:mm, or send a date for the tenant's midnight",
        )
    if not EARLIEST_YEAR < at.year < LATEST_YEAR:
        raise Rejected(
            f"{name}-invalid", f"{name} must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}"
        )


def _is_version(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise Rejected(f"{name}-unknown", f"{name} must be one of {', '.join(allowed)}, not {_shown(value)}")


def _texts(value: object, name: str, most: int) -> tuple[str, ...]:
    if (
        isinstance(value, str)
        or not isinstance(value, list | tuple)
        or not all(_storable(item) for item in value)
    ):
        raise Rejected(
            f"{name}-invalid",
            f"{name} must be a list of text of at most {MAX_TEXT_CHARACTERS} characters each",
        )
    if len(value) > most:
        raise Rejected(
            f"{name}-too-many", f"{name} has {len(value)} entries, at most {most} are answered; ask in parts"
        )
    return tuple(value)


def _filter(value: object) -> dict[str, tuple[GroupValue, ...]]:
    if not isinstance(value, Mapping) or not all(_storable(name) for name in value):
        raise Rejected("filter-invalid", 'filter must be an object of lists, such as {"plan": ["pro"]}')
    if len(value) > MAX_DIMENSIONS:
        raise Rejected(
            "filter-too-many", f"filter names {len(value)} traits, at most {MAX_DIMENSIONS} are answered"
        )
    return {name: _filter_values(name, values) for name, values in value.items()}


def _segments(body: Mapping[str, object]) -> dict[str, tuple[GroupValue, ...]]:
    """Only accounts in all of these segments."""
    names = _texts(body.get("segments") or [], "segments", MAX_DIMENSIONS)
    return {f"{PREFIX}{name}": (True,) for name in names}


def _filter_values(name: str, values: object) -> tuple[GroupValue, ...]:
    if (
        not isinstance(values, list | tuple)
        or not values
        or not all(_is_group_value(item) for item in values)
    ):
        raise Rejected(
            "filter-invalid", f"filter.{name} must be a list of at least one text, number, boolean or null"
        )
    if len(values) > MAX_VALUES:
        raise Rejected(
            "filter-too-many", f"filter.{name} has {len(values)} values, at most {MAX_VALUES} are answered"
        )
    return tuple(values)


def _is_group_value(value: object) -> bool:
    if isinstance(value, str):
        return _storable(value)
    return value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 1e300)


def _storable(value: object) -> TypeGuard[str]:
    """PostgreSQL keeps neither NUL nor lone surrogates."""
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _cursor(value: object) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= 4 * MAX_TEXT_CHARACTERS):
        return value
    raise Rejected("cursor-invalid", "cursor must be a next_cursor of an earlier answer, or null")


def _shown(value: object) -> str:
    return ascii(str(value)[:60])
