"""One trial: load events while something is killed, then compare everything with the reference read from the topic.

Invariants. I1: what was acknowledged is counted. I2: what is counted was sent. I3: every figure compared equals the reference.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from tests.acceptance.client import Client
from tests.acceptance.stack import Stack
from tests.reference.activity import Activity
from tests.reference.calendar import Calendar
from tests.reference.events import Json
from tests.reference.topic import Arrived, read_topic

from common.testing import wait_until

BATCH = 250
BATCHES = 40
SENDERS = 2
ACCEPT_SECONDS = 90  # for one batch, through everything that is killed meanwhile
APPLY_SECONDS = 120
DAYS = 20
START = datetime(2026, 3, 1, tzinfo=UTC)
TENANT = "default"

Identity = tuple[str, str, str]


@dataclass(frozen=True)
class Verdict:
    """`failures` is empty when every invariant held."""

    name: str
    seed: int
    killed: list[str]
    events: int
    sent_again: int
    seconds: float
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def batches_of(rng: random.Random, name: str) -> list[list[Json]]:
    """Batches with 1 % duplicates of earlier events among them; account names are this trial's own."""
    made: list[Json] = []
    batches: list[list[Json]] = []
    for number in range(BATCHES):
        batch = [_event(rng, name, number * BATCH + n) for n in range(BATCH)]
        made.extend(batch)
        batches.append(batch + rng.sample(made, BATCH // 100))
    return batches


def _event(rng: random.Random, name: str, number: int) -> Json:
    account = f"{name}-{int(rng.paretovariate(0.8)) % 60}"
    at = START + timedelta(seconds=rng.randrange(DAYS * 86_400))
    return {
        "specversion": "1.0", "id": f"{name}-{number}", "source": "/load", "type": rng.choice(("feature.used", "user.logged_in")),
        "subject": account, "time": at.isoformat(), "data": {"user": f"u{rng.randrange(30)}", "feature": "export"},
    }  # fmt: skip


class Load:
    """Senders that retry every batch until it is acknowledged."""

    def __init__(self, stack: Stack, batches: Sequence[list[Json]]) -> None:
        self.acknowledged: list[list[Json]] = []
        self.errors: list[BaseException] = []
        self._waiting = list(reversed(batches))
        self._stack = stack
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def reached(self, batches: int) -> bool:
        return len(self.acknowledged) >= batches or bool(self.errors)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(ACCEPT_SECONDS * 2)
        assert not any(thread.is_alive() for thread in self._threads), "the load did not end"
        if self.errors:
            raise self.errors[0]

    def _send(self) -> None:
        client = Client(self._stack.urls, self._stack.keys)
        try:
            while self._waiting and not self.errors:
                batch = self._waiting.pop()
                client.post_stubbornly(batch, ACCEPT_SECONDS)
                self.acknowledged.append(batch)
        except (AssertionError, IndexError) as error:
            self.errors.append(error)
        finally:
            client.close()


def run_trial(stack: Stack, name: str, roles: Sequence[str], seed: int) -> Verdict:
    """Kills each of `roles` once at a random moment of the load, all of them in the order given."""
    rng = random.Random(seed)
    began = time.monotonic()
    load = Load(stack, batches_of(rng, name))
    moments = sorted(rng.randrange(BATCHES // 10, BATCHES * 8 // 10) for _ in roles)
    load.start()
    for moment, role in zip(moments, roles, strict=True):
        wait_until(partial(load.reached, moment), ACCEPT_SECONDS, "the load to go on")
        stack.kill(role)
    load.join()
    stack.wait_applied(APPLY_SECONDS)
    stack.wait_ready(APPLY_SECONDS)
    sent = Counter(_identity(event) for batch in load.acknowledged for event in batch)
    arrived = [item for item in read_topic(stack.kafka, stack.topic) if item.tenant == TENANT]
    mine = [item for item in arrived if str(item.body["subject"]).startswith(f"{name}-")]
    return Verdict(
        name=name, seed=seed, killed=list(roles), events=len(sent), sent_again=len(mine) - sum(sent.values()),
        seconds=round(time.monotonic() - began, 1),
        failures=[*_compare_with_sent(mine, sent), *_compare_with_figures(stack, arrived, mine)],
    )  # fmt: skip


def _identity(event: Json) -> Identity:
    return (str(event["subject"]), str(event["source"]), str(event["id"]))


def _compare_with_sent(mine: Sequence[Arrived], sent: Counter[Identity]) -> list[str]:
    found = {_identity(item.body) for item in mine}
    lost, invented = sent.keys() - found, found - sent.keys()
    return [f"I1: {len(lost)} acknowledged events are not in the topic"] * bool(lost) + [
        f"I2: {len(invented)} events in the topic were never sent"
    ] * bool(invented)


def _compare_with_figures(stack: Stack, arrived: Sequence[Arrived], mine: Sequence[Arrived]) -> list[str]:
    """The whole tenant by day, and each account of the trial."""
    calendar = Calendar(ZoneInfo("UTC"))
    first = START.date()
    end = first + timedelta(days=DAYS + 1)
    expected = Activity([item.event for item in arrived], calendar)
    failures = []
    series: dict[str, Callable[[date], int]] = {
        "events": lambda day: expected.days[day],
        "active_users_1d": lambda day: expected.active_users(day, 1),
        "active_users_7d": lambda day: expected.active_users(day, 7),
        "active_accounts_28d": lambda day: expected.active_accounts(day, 28),
        "portal_logins": lambda day: expected.logins[day],
    }
    for metric, figure in series.items():
        wanted = {calendar.start_of(day): figure(day) for day in calendar.days(first, end)}
        found = stack.client.series(metric, first, end, "day")
        wrong = [f"{at.date()}: {found.get(at)} is not {n}" for at, n in wanted.items() if found.get(at) != n]
        failures += [f"I3: {metric} on {text}" for text in wrong[:3]]
    return failures + _compare_accounts(stack, mine, first, end)


def _compare_accounts(stack: Stack, mine: Sequence[Arrived], first: date, end: date) -> list[str]:
    counts = Counter(account for account, _, _ in {_identity(item.body) for item in mine})
    failures = []
    for account, wanted in sorted(counts.items()):
        found = stack.client.figure("events", first, end, accounts=[account]).value
        if found != wanted:
            failures.append(f"I3: {account} has {found} events and not {wanted}")
    return failures[:5]
