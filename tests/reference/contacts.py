"""Contacts and journeys from raw events, one account at a time."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted
from tests.reference.lifecycles import Lifecycles

DAYS = {"high": 14, "mid": 30, "tech": 90}


def is_covered(
    arrived: Iterable[Event], calendar: Calendar, traits: Lifecycles, account: str, at: datetime
) -> bool | None:
    """A two-way contact in the local days of its model's interval before `at`; None for an account that is closed or has no owner."""
    if not traits.stands(account, at) or traits.trait(account, "owner", at) is None:
        return None
    days = DAYS.get(traits.trait(account, "engagement_model", at), 90)
    local = at.astimezone(calendar.zone)
    since = (local - timedelta(days=days)).astimezone(
        at.tzinfo
    )  # wall time: the same hour on another local day
    return any(
        e.account == account
        and e.type == "activity.logged"
        and e.data.get("two_way") is True
        and since <= e.at < at
        for e in accepted(arrived)
    )


def entries(arrived: Iterable[Event], now: datetime) -> list[tuple[str, datetime, datetime | None]]:
    """(account, when a step of a journey was entered first, when the step entered next was)"""
    found: list[tuple[str, datetime, datetime | None]] = []
    journeys: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in sorted(accepted(arrived), key=lambda e: e.order):
        if event.type == "journey.step_entered" and event.at < now:
            its = journeys[event.account, event.data["journey"]]
            if event.data["step"] not in [e.data["step"] for e in its]:
                its.append(event)
    for (account, _), its in journeys.items():
        for n, event in enumerate(its):
            found.append((account, event.at, its[n + 1].at if n + 1 < len(its) else None))
    return found
