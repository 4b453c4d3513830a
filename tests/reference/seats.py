"""Seats from raw events: what the trait says, else what running subscriptions were told to have.

Each subscription is replayed as if its seats were what it costs: it keeps those told last, starts, ends, lapses and takes notices back
as its fee does.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.reference.events import Event, accepted
from tests.reference.revenue import CHANGE_TYPES, Change, change_of, not_taken_back, steps_of


class Seats:
    """As known at `now`."""

    def __init__(self, arrived: Iterable[Event], now: datetime) -> None:
        told: dict[tuple[str, str], dict[Change, Any]] = defaultdict(dict)
        for event in accepted(arrived):
            if event.type in CHANGE_TYPES and event.at < now:
                told[event.account, event.data["subscription"]][change_of(event)] = event.data.get("seats")
        self.steps = [(account, steps_of(_seated(its), now)) for (account, _), its in told.items()]

    def sold(self, account: str, at: datetime) -> Fraction:
        """Of the subscriptions that run just before `at`."""
        past = [[step.mrr for step in steps if step.at < at] for who, steps in self.steps if who == account]
        return sum((Fraction(its[-1]) for its in past if its), Fraction(0))


def _seated(told: dict[Change, Any]) -> list[Change]:
    """Withdrawn notices are left out before what was told last is carried on."""
    seats, found = Decimal(0), []
    for change in not_taken_back(told):
        said = told[change]
        is_number = isinstance(said, int | float) and not isinstance(said, bool) and said >= 0
        if is_number and change.kind != "cancelled":
            seats = Decimal(str(said))
        found.append(replace(change, mrr=None if change.kind == "cancelled" else seats))
    return found
