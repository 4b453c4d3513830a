"""Pages of the events behind a figure, newest first, at a bounded cost each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api_gateway.domain.records import StoredEvent
from api_gateway.ports.accounts import AccountReader
from common.figures.evidence import Counts, Evidence

Place = tuple[datetime, datetime, int]
"""Event time, arrival and tie of the last event that was looked at."""

# A page that finds little ends after this many events that were looked at; its cursor goes on from there.
MOST_LOOKED_AT = 5_000
_AT_ONCE = 500
_BEFORE_ALL = datetime(1, 1, 2, tzinfo=UTC), -(2**63)


@dataclass(frozen=True, slots=True)
class Counted:
    event: StoredEvent
    counts: Sequence[Counts]


@dataclass(frozen=True, slots=True)
class Page:
    """`onward`: where the next page goes on; None when there is nothing more."""

    events: Sequence[Counted]
    onward: Place | None


def page(
    accounts: AccountReader, tenant_id: int, account_id: int, found: Evidence, limit: int, after: Place | None
) -> Page:
    if found.newest is None:
        return Page((), None)
    place = after or (found.newest, *_BEFORE_ALL)
    events: list[Counted] = []
    looked_at = 0
    while looked_at < MOST_LOOKED_AT:
        rows = accounts.events(tenant_id, account_id, _AT_ONCE, place, found.types)
        for row in rows:
            if found.oldest is not None and row.at < found.oldest:
                return Page(events, None)
            counts = found.of(row.type, row.at, row.body.encode())
            place = row.at, row.ingested_at, row.tie
            if counts:
                events.append(Counted(row, counts))
                if len(events) == limit:
                    return Page(events, place)
        looked_at += len(rows)
        if len(rows) < _AT_ONCE:
            return Page(events, None)
    return Page(events, place)
