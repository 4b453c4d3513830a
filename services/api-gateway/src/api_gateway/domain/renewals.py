"""How open renewals may be asked for, and what is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from api_gateway.domain.accounts import MAX_FILTER_VALUES, MAX_FILTERS, storable
from common.errors import Rejected
from common.figures.model import money_text

# Sort orders with the direction they have unless asked otherwise. Renewals without a value come last either way.
SORTS: Mapping[str, str] = MappingProxyType(
    {"at_risk": "desc", "deadline": "asc", "probability": "desc", "mrr": "desc"}
)
DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the sort key and what tells renewals with the same one apart."""

    key: str
    account: str
    subscription: str
    due: str


@dataclass(frozen=True, slots=True)
class RenewalsQuery:
    """Open renewals whose notice deadline lies in the local days from `first` up to, but without, `last`."""

    sort: str = "at_risk"
    order: str | None = None
    traits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first: date | None = None
    last: date | None = None
    zone: str = "UTC"
    limit: int = DEFAULT_LIMIT
    after: Position | None = None

    @property
    def descending(self) -> bool:
        return (self.order or SORTS[self.sort]) == "desc"

    @property
    def question(self) -> tuple[object, ...]:
        """Everything that orders or filters the rows: what a cursor is bound to."""
        return (self.sort, self.descending, dict(self.traits), str(self.first), str(self.last), self.zone)


@dataclass(frozen=True, slots=True)
class Grouping:
    """By quarter of the fiscal year of the notice deadline, or by what a trait says."""

    by: Literal["quarter", "owner", "segment"]
    zone: str = "UTC"
    fiscal_start_month: int = 1


@dataclass(frozen=True, slots=True)
class RenewalRow:
    """`mrr`: None where it is due in a currency without any rate. `at_risk`: MRR x probability to the cent. `now_counts`: the share to which passing reasons count, None where all do. `key` and `due_key` are what a page is continued from."""

    id: str
    traits: Mapping[str, Any]
    subscription: str
    due_at: datetime
    notice_deadline: datetime | None
    decide_by: datetime
    source: str
    mrr: Decimal | None
    probability: float | None
    at_risk: Decimal | None
    now_counts: float | None
    method: str | None
    version: int | None
    reasons: list[Mapping[str, Any]]
    computed_at: datetime | None
    key: str
    due_key: str

    @property
    def position(self) -> Position:
        return Position(self.key, self.id, self.subscription, self.due_key)


@dataclass(frozen=True, slots=True)
class Group:
    """`unknown`: renewals without a probability or a known MRR, which `at_risk` leaves out."""

    group: str | None
    renewals: int
    accounts: int
    mrr: Decimal
    at_risk: Decimal
    unknown: int


@dataclass(frozen=True, slots=True)
class RiskDay:
    """The last risk of a local day on which it changed; it stood until the next such day. None: no renewal was open."""

    day: date
    probability: float | None
    method: str | None
    version: int | None


@dataclass(frozen=True, slots=True)
class Trained:
    """A training as it was kept: `training` has the model or the refusal, and the trial; `known` how it was told what was known when."""

    version: int
    made_at: datetime
    accepted: bool
    training: Mapping[str, Any]
    known: Mapping[str, Any]


def check(query: RenewalsQuery) -> RenewalsQuery:
    """Return the query when it can be answered; raises Rejected with what is wrong."""
    if query.sort not in SORTS:
        raise Rejected("sort-unknown", f"sort must be one of {', '.join(SORTS)}")
    if len(query.traits) > MAX_FILTERS or any(len(v) > MAX_FILTER_VALUES for v in query.traits.values()):
        raise Rejected("filter-too-large", f"at most {MAX_FILTERS} filters of {MAX_FILTER_VALUES} values")
    for text in (*query.traits, *(value for values in query.traits.values() for value in values)):
        storable(text)
    return query


def shown(row: RenewalRow) -> dict[str, Any]:
    return {
        "account": row.id,
        "name": row.traits.get("name") or row.id,
        "owner": row.traits.get("owner"),
        "segment": row.traits.get("segment"),
        "subscription": row.subscription or None,
        "source": row.source,
        "due_at": row.due_at,
        "notice_deadline": row.notice_deadline,
        "decide_by": row.decide_by,
        "mrr": None if row.mrr is None else money_text(row.mrr),
        "probability": row.probability,
        "at_risk": None if row.at_risk is None else money_text(row.at_risk),
        "now_counts": 1.0 if row.now_counts is None else row.now_counts,
        "method": row.method,
        "version": row.version,
        "reasons": row.reasons,
        "computed_at": row.computed_at,
    }


def group_shown(group: Group) -> dict[str, Any]:
    return {
        "group": group.group,
        "renewals": group.renewals,
        "accounts": group.accounts,
        "mrr": money_text(group.mrr),
        "at_risk": money_text(group.at_risk),
        "unknown": group.unknown,
    }


def whole(groups: list[Group]) -> dict[str, Any]:
    """The sum of the groups. An account may have renewals in several of them, so accounts don't add up."""
    return {
        "renewals": sum(one.renewals for one in groups),
        "mrr": money_text(sum((one.mrr for one in groups), Decimal(0))),
        "at_risk": money_text(sum((one.at_risk for one in groups), Decimal(0))),
        "unknown": sum(one.unknown for one in groups),
    }
