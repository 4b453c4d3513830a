"""What signals read of an account beside counts, how far back it counts, and from when on it says something: the engine asks it of now,
a replay of every day of the past.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

TICKETS, INVOICES, SURVEYS, PLANS = "tickets", "invoices", "surveys", "success_plans"
# How far back steps are read, by measure; tickets for four times the 28 days that are compared with the rest.
STEPS_COUNT: Mapping[str, timedelta] = {
    TICKETS: timedelta(days=120),
    INVOICES: timedelta(days=90),
    SURVEYS: timedelta(days=800),
    PLANS: timedelta(days=1100),
}
ANSWERS_COUNT_DAYS = 365
RECENT = timedelta(days=28)
# Fewer tickets before the last 28 days have no usual time.
LEAST_TICKETS = 5
SEATS_CHANGED = timedelta(days=90)
_MOST = 1e15


@dataclass(frozen=True, slots=True)
class Step:
    """`entity`: the invoice, the goal, the ticket. Labels as text."""

    entity: str
    step: str
    at: datetime
    labels: Mapping[str, str]


def number_of(text: str | None) -> float | None:
    """None for what is no number, or none that anybody means."""
    try:
        number = None if text is None else float(text)
    except ValueError:
        return None
    return number if number is not None and abs(number) < _MOST else None
