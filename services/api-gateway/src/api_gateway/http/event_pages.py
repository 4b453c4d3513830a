"""Pages of an account's events, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api_gateway.domain import cursors
from api_gateway.domain.encoding import instant_text
from api_gateway.domain.records import AccountRow, StoredEvent
from api_gateway.ports.accounts import AccountReader
from common.errors import Rejected


def does_not_continue() -> Rejected:
    return Rejected(
        "cursor-invalid", "this cursor does not continue this query; start again without `cursor`"
    )


@dataclass(frozen=True, slots=True)
class EventsPage:
    """A page of events and the stretch of time it stands for: `lower` <= at < `upper`, open where None."""

    events: Sequence[StoredEvent]
    following: str | None
    lower: datetime | None
    upper: datetime | None

    def covers(self, at: datetime) -> bool:
        return (self.upper is None or at < self.upper) and (self.lower is None or at >= self.lower)


def events_page(
    accounts: AccountReader,
    tenant_id: int,
    row: AccountRow,
    types: Sequence[str],
    limit: int,
    cursor: str | None,
) -> EventsPage:
    question = cursors.fingerprint(tenant_id, "events", row.id, *sorted(types))
    after = instants(cursors.decode(question, cursor, 3)) if cursor else None
    rows = accounts.events(tenant_id, row.account_id, limit + 1, after, types)
    page, upper = rows[:limit], after[0] if after else None
    if len(rows) <= limit:
        return EventsPage(page, None, None, upper)
    last = page[-1]
    following = cursors.encode(
        question, (instant_text(last.at), instant_text(last.ingested_at), str(last.tie))
    )
    return EventsPage(page, following, last.at, upper)


def instants(position: Sequence[str]) -> tuple[datetime, datetime, int]:
    """Return event time, arrival and tie of a cursor; raises Rejected."""
    try:
        at, ingested_at, tie = (
            datetime.fromisoformat(position[0]),
            datetime.fromisoformat(position[1]),
            int(position[2]),
        )
    except ValueError as error:
        raise does_not_continue() from error
    if at.tzinfo is None or ingested_at.tzinfo is None or not -(2**63) <= tie < 2**63:
        raise does_not_continue()
    return at, ingested_at, tie
