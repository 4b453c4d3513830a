"""A random walk over everything that may be told and decided of events, from outside, beside a plain model of what stands after it."""

import json
import random
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.acceptance.client import BATCH, Client
from tests.faults.sayings import PEOPLE, Sayings
from tests.reference.events import Json
from tests.reference.standing import Standing, identity_of, without

from common.testing import wait_until

DECIDED_SECONDS = 90
TOLD_AT_ONCE = 100
DECISIONS = 16


@dataclass
class Walk:
    """`asked`: decisions that no partition need have passed yet. An erased person lives on under a token that only the answer tells."""

    client: Client
    sayings: Sayings
    rng: random.Random
    plain: Standing = field(default_factory=Standing)
    told: list[Json] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    did: dict[str, int] = field(default_factory=dict)

    def stretch(self) -> None:
        """Events, live and for backfills, then decisions about them in one order. What a decision must not meet under way waits for `settle`."""
        if len(self.opened) < 2:
            self.opened.append(self._ask("/v1/backfills", {"description": "walk"})["id"])
        self._send(self._mixed())
        for backfill in self.opened:
            self._send(self._mixed(), backfill)
        for _ in range(DECISIONS):
            self.rng.choice(
                (self._amend, self._amend, self._delete, self._delete, self._close, self._revert, self._erase)
            )()

    def settle(self) -> None:
        """Until every decision is made in every partition."""
        for entry in self.asked:
            wait_until(partial(self._decided, entry), DECIDED_SECONDS, f"entry {entry} to be decided")
        self.asked.clear()

    def stands(self) -> list[Json]:
        return [without(event, self.tokens) for event in self.plain.events.values()]

    def _mixed(self) -> list[Json]:
        """New events, some twice, and of earlier ones some again and some with another body."""
        events = self.sayings.several(TOLD_AT_ONCE)
        repeated = self.rng.sample([*self.told, *events], TOLD_AT_ONCE // 3)
        again = [self.sayings.another_body(event) if self.rng.random() < 0.3 else event for event in repeated]
        self.told += events
        mixed = events + again
        self.rng.shuffle(mixed)
        return mixed

    def _send(self, events: list[Json], backfill: str | None = None) -> None:
        """In pieces, as senders do; of one account all goes one way, so the order in which its events arrive is this one."""
        for start in range(0, len(events), 20):
            piece = events[start : start + 20]
            answer = self.client.send(
                "ingest", "POST", "/v1/events", self.client.keys["ingest"], content=json.dumps(piece),
                headers={"content-type": BATCH}, params={"backfill": backfill} if backfill else {},
            )  # fmt: skip
            assert answer.json() == {"accepted": len(piece), "rejected": []}, answer.text[:500]
        for event in events:
            if backfill:
                self.plain.load(backfill, event)
            else:
                self.plain.send(event)

    def _amend(self) -> None:
        corrected = self.sayings.another_body(self.rng.choice(self.told))
        self._enter("/v1/events/amendments", {"event": corrected})
        self.plain.amend(corrected)

    def _delete(self) -> None:
        name = identity_of(self.rng.choice(self.told))
        account, source, event_id = name
        about = {"source": source, "id": event_id} | ({"account": account} if account else {})
        self._enter("/v1/events/deletions", about)
        self.plain.delete(name)

    def _close(self) -> None:
        if self.opened:
            backfill = self.opened.pop(0)
            self.asked.append(self._ask(f"/v1/backfills/{backfill}/close")["close"]["id"])
            self.plain.close(backfill)
            self.closed.append(backfill)

    def _revert(self) -> None:
        if self.closed:
            backfill = self.closed.pop(self.rng.randrange(len(self.closed)))
            self.asked.append(self._ask(f"/v1/backfills/{backfill}/revert")["revert"]["id"])
            self.plain.revert(backfill)

    def _erase(self) -> None:
        """One person more than half way; the others go on under their names."""
        person = self.rng.choice(PEOPLE[:2])
        if person not in self.tokens and len(self.told) > 400:
            entry = self._enter("/v1/erasures", {"person": person})
            self.tokens[person] = entry["token"]

    def _enter(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._ask(path, {**body, "reason": "walk"})
        self.asked.append(entry["id"])
        return entry

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        self.did[path.rsplit("/", 1)[1]] = self.did.get(path.rsplit("/", 1)[1], 0) + 1
        answer = self.client.send("gateway", "POST", path, self.client.keys["admin"], json=body)
        assert answer.status_code in (200, 201, 202), f"{path}: {answer.status_code} {answer.text[:500]}"
        return dict(answer.json())

    def _decided(self, entry: str) -> Any:
        found = self.client.get(f"/v1/corrections/{entry}")
        # Only of an event that does not stand there is nothing to decide.
        assert found["state"] != "refused" or found["code"] == "event-unknown", found
        return found["state"] != "pending"
