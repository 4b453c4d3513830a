"""What changed, as messages of the stream. Each carries the position from which a client goes on after it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api_gateway.domain import server_sent, shapes
from api_gateway.domain.encoding import dumps
from api_gateway.domain.records import CaseChange
from api_gateway.use_cases.changed import Told
from api_gateway.use_cases.hub import Message

# A message stays under about 100 kB, so that a client that reads slowly still gets somewhere.
ACCOUNTS_PER_MESSAGE = 100
CASES_PER_MESSAGE = 50


@dataclass(frozen=True, slots=True)
class Step:
    """Encoded positions before and after a group of messages. Only the last of them carries `after`: a client that loses the others gets all again."""

    before: str
    after: str


def of_accounts(told: Told, as_of: datetime | None, step: Step) -> Iterator[Message]:
    """Name every changed account; many are spread over several messages."""
    changed = [
        *map(shapes.changed_account, told.rows),
        *({"id": name} for name in told.names),
        *({"id": name, "gone": True} for name in told.gone),
    ]
    for start in range(0, len(changed), ACCOUNTS_PER_MESSAGE):
        end = start + ACCOUNTS_PER_MESSAGE
        shown = changed[start:end]
        event_id = step.after if end >= len(changed) else step.before
        yield Message(
            "accounts", server_sent.frame("accounts", dumps({"accounts": shown, "as_of": as_of}), event_id)
        )


def of_cases(changes: Sequence[CaseChange], step: Step) -> Iterator[Message]:
    """Show every changed case as it is now."""
    for start in range(0, len(changes), CASES_PER_MESSAGE):
        end = start + CASES_PER_MESSAGE
        shown = [change.body for change in changes[start:end]]
        event_id = step.after if end >= len(changes) else step.before
        yield Message("alerts", server_sent.frame("alerts", dumps({"alerts": shown}), event_id))


def of_figures(figures: Sequence[Mapping[str, Any]], event_id: str) -> Message:
    """Show figures of the tenant."""
    return Message("metrics", server_sent.frame("metrics", dumps({"metrics": figures}), event_id))
