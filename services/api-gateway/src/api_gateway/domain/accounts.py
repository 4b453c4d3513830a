"""How a list of accounts may be asked for: sort orders, filters, pages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from common.errors import Rejected

# Sort orders with the direction they have unless asked otherwise. Accounts without a value come last either way.
SORTS: Mapping[str, str] = MappingProxyType(
    {
        "risk": "desc",
        "health": "asc",
        "renewal_risk": "desc",
        "mrr": "desc",
        "renewal_at": "asc",
        "notice_deadline": "asc",
        "last_activity_at": "desc",
        "name": "asc",
    }
)
CASE_FILTERS = ("open", "none")
DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000
MAX_FILTERS, MAX_FILTER_VALUES, MAX_TEXT_CHARACTERS = 10, 100, 512


@dataclass(frozen=True, slots=True)
class AccountsQuery:
    """One page of a tenant's accounts. `traits`: every name must have one of its values; `after`: key and name of the last row seen."""

    sort: str = "risk"
    order: str | None = None
    traits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    search: str = ""
    case: str | None = None
    limit: int = DEFAULT_LIMIT
    after: tuple[str, str] | None = None

    @property
    def descending(self) -> bool:
        return (self.order or SORTS[self.sort]) == "desc"

    @property
    def question(self) -> tuple[object, ...]:
        """Everything that orders or filters the rows: what a cursor is bound to."""
        return (self.sort, self.descending, dict(self.traits), self.search, self.case)


def check(query: AccountsQuery) -> AccountsQuery:
    """Return the query when it can be answered; raises Rejected with what is wrong."""
    _one_of("sort", query.sort, tuple(SORTS))
    _one_of("order", query.order or "asc", ("asc", "desc"))
    _one_of("case", query.case or "open", CASE_FILTERS)
    if not 1 <= query.limit <= MAX_LIMIT:
        raise Rejected("limit-invalid", f"limit must be between 1 and {MAX_LIMIT}, not {query.limit}")
    if len(query.traits) > MAX_FILTERS or any(len(v) > MAX_FILTER_VALUES for v in query.traits.values()):
        raise Rejected("filter-too-large", f"at most {MAX_FILTERS} filters of {MAX_FILTER_VALUES} values")
    for text in (query.search, *query.traits, *(v for values in query.traits.values() for v in values)):
        storable(text)
    return query


def is_sort_key(text: str) -> bool:
    """Tell whether text is a number such as an order compares."""
    return len(text) <= 100 and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?|Infinity", text) is not None


def storable(text: str) -> str:
    """Return text that PostgreSQL can hold and that has a sane length; raises Rejected."""
    if len(text) > MAX_TEXT_CHARACTERS or "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise Rejected(
            "text-invalid",
            f"text has at most {MAX_TEXT_CHARACTERS} characters, no NUL and no lone surrogates",
        )
    return text


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        shown = value[:40].encode("ascii", "backslashreplace").decode()
        raise Rejected(f"{name}-unknown", f"{name} must be one of {', '.join(allowed)}, not '{shown}'")
