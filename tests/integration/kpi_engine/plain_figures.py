"""What the tables must hold, from plain dicts and sets over all events at once. Shares no code with the engine."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.integration.kpi_engine.figures_stage import Ev, partition_of

PASSIVE = {"account.updated", "user.updated", "survey.sent", "subscription.started", "subscription.cancelled"}
DAY = timedelta(days=1)
Cells = dict[tuple[Any, ...], Any]


class PlainFigures:
    """For the catalogue of the order-free test: its measures are spelt out here a second time."""

    def __init__(self, events: Iterable[Ev], zone: ZoneInfo) -> None:
        self.events = list(events)
        self.zone = zone
        self.internal = self._internal()
        self.hours: Counter[tuple[Any, ...]] = Counter()
        self.days: Counter[tuple[Any, ...]] = Counter()
        for event in self.events:
            self._count(event)
        self._distinct("active_users", (7, 28), lambda e: e.user)
        self._distinct(
            "features", (7,), lambda e: e.data.get("feature") if e.type == "feature.used" else None
        )
        self._distinct("active_accounts", (7, 28), lambda e: "itself")
        self._nps()

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _internal(self) -> set[tuple[str, str]]:
        marks: dict[tuple[str, str], bool] = {}
        for event in sorted(self.events, key=lambda e: e.order):
            traits = event.data.get("traits", {})
            if event.type == "user.updated" and event.user and "is_internal" in traits:
                marks[event.account, event.user] = traits["is_internal"] is True
        return {person for person, mark in marks.items() if mark}

    def counts(self, event: Ev) -> bool:
        return (event.account, event.user) not in self.internal

    def _count(self, event: Ev) -> None:
        local = event.at.astimezone(self.zone)
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        hour = (event.at - into).astimezone(UTC)
        self.hours["events", event.account, hour] += 1
        self.days["events", event.account, local.date()] += 1
        if not self.counts(event):
            return
        if event.type == "user.logged_in":
            self.hours["portal_logins", event.account, hour] += 1
            self.days["portal_logins", event.account, local.date()] += 1
        if event.type == "feature.used":
            if "value" in event.data:
                scaled = Decimal(str(event.data["value"])) * 100
                self.days["minutes", event.account, local.date()] += int(scaled)
                self.days["spent", event.account, local.date()] += int(scaled)
                self.hours["spent", event.account, hour] += int(scaled)
            if event.data.get("feature") == "export":
                self.days["exports", event.account, local.date()] += 1

    def _distinct(self, name: str, windows: tuple[int, ...], entity_of: Any) -> None:
        seen: dict[date, set[tuple[str, Any]]] = defaultdict(set)
        for event in self.events:
            entity = entity_of(event)
            if event.account and event.type not in PASSIVE and entity and self.counts(event):
                seen[self.day(event.at)].add((event.account, entity))
        for day, entities in seen.items():
            self.days.update(Counter((name, account, day) for account, _ in entities))
        for window in windows:
            self._as_deltas(f"{name}_{window}d", seen, window)

    def _as_deltas(self, name: str, seen: dict[date, set[tuple[str, Any]]], window: int) -> None:
        if not seen:
            return
        before: Counter[str] = Counter()
        day = min(seen)
        while day <= max(seen) + DAY * (window + 1):
            covered = set().union(*(seen.get(day - DAY * back, set()) for back in range(window)))
            now = Counter(account for account, _ in covered)
            for account in before.keys() | now.keys():
                self.days[name, account, day] += now[account] - before[account]
            before, day = now, day + DAY

    def _nps(self) -> None:
        answers: dict[tuple[str, str], dict[date, Ev]] = defaultdict(dict)
        for event in sorted(self.events, key=lambda e: e.order):
            relationship = event.data.get("kind") == "nps" and not event.data.get("transactional")
            if event.type == "survey.responded" and relationship and self.counts(event):
                assert event.user
                answers[event.account, event.user][self.day(event.at)] = event
        for (account, _), by_day in answers.items():
            before: set[str] = set()
            day = min(by_day)
            while day <= max(by_day) + DAY * 181:
                valid = [d for d in by_day if day - DAY * 180 < d <= day]
                now = parts_of(by_day[max(valid)].data["score"]) if valid else set()
                for part in before ^ now:
                    self.days[f"nps_{part}", account, day] += 1 if part in now else -1
                before, day = now, day + DAY

    @property
    def measure_hour(self) -> Cells:
        return {key: value for key, value in self.hours.items() if value}

    @property
    def measure_day(self) -> Cells:
        return {key: value for key, value in self.days.items() if value}

    def totals(self, of: Cells) -> Cells:
        sums: Counter[tuple[Any, ...]] = Counter()
        for (name, account, bucket), value in of.items():
            sums[name, partition_of(account), bucket] += value
        return {key: value for key, value in sums.items() if value}

    @property
    def last_seats(self) -> Cells:
        last: dict[tuple[str, date], Any] = {}
        for event in sorted(self.events, key=lambda e: e.order):
            if event.type == "seats.counted" and "seats" in event.data and self.counts(event):
                last[event.account, self.day(event.at)] = Decimal(str(event.data["seats"]))
        return dict(last)

    @property
    def traits(self) -> set[tuple[str, str, str, datetime, str]]:
        """(account, person or nothing, name, instant, value as JSON)."""
        rows = set()
        for event in self.events:
            for name, value in event.data.get("traits", {}).items():
                person = event.user or "" if event.type == "user.updated" else ""
                rows.add((event.account, person, name, event.at, json.dumps(value)))
        return rows

    def last_activity(self) -> dict[str, datetime | None]:
        last: dict[str, datetime | None] = {}
        for event in sorted(self.events, key=lambda e: e.order):
            if event.account:
                last.setdefault(event.account, None)
                if event.type not in PASSIVE and self.counts(event):
                    last[event.account] = event.at
        return last

    def heard_of(self) -> dict[str, tuple[datetime, datetime]]:
        accounts = {event.account for event in self.events if event.account}
        times = {account: [e.at for e in self.events if e.account == account] for account in accounts}
        return {account: (min(its), max(its)) for account, its in times.items()}


def parts_of(score: int) -> set[str]:
    if score >= 9:
        return {"answers", "promoters"}
    return {"answers", "detractors"} if score <= 6 else {"answers"}
