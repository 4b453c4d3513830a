"""Which events stand after a history, in plain dicts: what arrived, and what people decided about it. Shares no code with the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
Identity = tuple[str, str, str]
USER_ACCOUNT = "user:"
KEPT = ("specversion", "id", "source", "type", "time")
OWN_WORDS = ("comment", "text")
SHARED_TRAITS = ("role", "persona")


def identity_of(event: Event) -> Identity:
    """The account (empty for the tenant's own events), the source and the id; its time says nothing."""
    return (event.get("subject") or "", event["source"], event["id"])


@dataclass
class Standing:
    """`events`: what counts, by identity. An identity is known from its first event on, whatever becomes of that.

    `amended`: of what backfills brought, what was amended since. What is deleted is no backfill's any more.
    """

    events: dict[Identity, Event] = field(default_factory=dict)
    known: set[Identity] = field(default_factory=set)
    brought: dict[Identity, str] = field(default_factory=dict)
    displaced: dict[Identity, Event] = field(default_factory=dict)
    amended: set[Identity] = field(default_factory=set)
    staged: dict[str, list[Event]] = field(default_factory=dict)

    def send(self, event: Event) -> None:
        name = identity_of(event)
        if name not in self.known:
            self._count(event)
        elif name in self.brought:
            self.displaced.setdefault(name, event)

    def amend(self, event: Event) -> None:
        name = identity_of(event)
        if name in self.events:
            self.events[name] = event
            self.amended.add(name)

    def delete(self, name: Identity) -> None:
        if self.events.pop(name, None) is not None:
            self.brought.pop(name, None)
            self.displaced.pop(name, None)

    def load(self, backfill: str, event: Event) -> None:
        self.staged.setdefault(backfill, []).append(event)

    def close(self, backfill: str) -> None:
        for event in self.staged.get(backfill, []):
            name = identity_of(event)
            if name not in self.known:
                self._count(event)
                self.brought[name] = backfill
                self.amended.discard(name)

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
        name = identity_of(event)
        self.known.add(name)
        self.events[name] = event


def without(event: Event, tokens: Mapping[str, str]) -> Event:
    """The event as it is kept once people (name -> token) were erased, whenever that was asked for."""
    said = {name: value if name in KEPT else _without(value, tokens) for name, value in event.items()}
    subject = event.get("subject") or ""
    if (person := subject.removeprefix(USER_ACCOUNT)) != subject and person in tokens:
        said["subject"] = USER_ACCOUNT + tokens[person]
    token = tokens.get(event["data"].get("user", ""))
    if token is not None:
        said["data"] |= {name: token for name in OWN_WORDS if name in event["data"]}
        if not event["type"].startswith("account.") and "traits" in event["data"]:
            said["data"]["traits"] = {
                name: token if isinstance(value, str) and name not in SHARED_TRAITS else value
                for name, value in event["data"]["traits"].items()
            }
    return said


def _without(value: Any, tokens: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, tokens) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, tokens) for inner in value]
    return tokens.get(value, value) if isinstance(value, str) else value
