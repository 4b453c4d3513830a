"""Which events stand after a history, in plain dicts: what arrived, and what people decided about it. Shares no code with the engine."""

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass
class Standing:
    """`events`: what counts, by id. An id is known from its first event on, whatever becomes of that.

    `amended`: of what backfills brought, what was amended since. What is deleted is no backfill's any more.
    """

    events: dict[str, Event] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    brought: dict[str, str] = field(default_factory=dict)
    displaced: dict[str, Event] = field(default_factory=dict)
    amended: set[str] = field(default_factory=set)
    staged: dict[str, list[Event]] = field(default_factory=dict)

    def send(self, event: Event) -> None:
        name = event["id"]
        if name not in self.known:
            self._count(event)
        elif name in self.brought:
            self.displaced.setdefault(name, event)

    def amend(self, event: Event) -> None:
        if event["id"] in self.events:
            self.events[event["id"]] = event
            self.amended.add(event["id"])

    def delete(self, name: str) -> None:
        if self.events.pop(name, None) is not None:
            self.brought.pop(name, None)
            self.displaced.pop(name, None)

    def load(self, backfill: str, event: Event) -> None:
        self.staged.setdefault(backfill, []).append(event)

    def close(self, backfill: str) -> None:
        for event in self.staged.get(backfill, []):
            if event["id"] not in self.known:
                self._count(event)
                self.brought[event["id"]] = backfill
                self.amended.discard(event["id"])

    def revert(self, backfill: str) -> None:
        for name in [name for name, by in self.brought.items() if by == backfill]:
            del self.brought[name]
            repeated = self.displaced.pop(name, None)
            if repeated is not None and name in self.amended:
                continue
            self.events.pop(name, None)
            self.known.discard(name)
            if repeated is not None:
                self._count(repeated)

    def _count(self, event: Event) -> None:
        self.known.add(event["id"])
        self.events[event["id"]] = event
