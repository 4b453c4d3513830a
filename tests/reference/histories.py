"""Seeded subscription histories that reach every edge of recurring revenue.

Each account lives through a few chapters: products side by side, plans swapped at one instant, several changes of one
instant, gaps and returns, notices that act later, corrections that act earlier, terms renewed in time, late or never.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.reference.events import Json

PLANS = ("starter", "team", "business", "seats", "storage", "support")
SOURCES = ("/billing", "/crm")


@dataclass
class Story:
    """Writes the events of one account; `at` only moves forward."""

    account: str
    rng: random.Random
    at: datetime
    end: datetime
    events: list[Json] = field(default_factory=list)

    def emit(self, kind: str, subscription: str, at: datetime | None = None, **data: str) -> None:
        number = len(self.events)
        self.events.append(
            {
                "specversion": "1.0",
                "id": f"{self.account}-{self.rng.randrange(10**6):06d}-{number}",
                "source": self.rng.choice(SOURCES),
                "type": f"subscription.{kind}",
                "subject": self.account,
                "time": (at or self.at).isoformat(),
                "data": {"subscription": subscription, "currency": "EUR", **data},
            }
        )

    def price(self) -> str:
        """Cents that don't add up to round sums; now and then nothing at all."""
        return "0.00" if self.rng.random() < 0.05 else f"{self.rng.randrange(100, 500_000) / 100:.2f}"

    def later(self, least_days: int, most_days: int) -> datetime:
        seconds = self.rng.randrange(least_days * 86_400, most_days * 86_400 + 1)
        return self.at + timedelta(seconds=seconds, microseconds=self.rng.randrange(1_000_000))

    def move(self, least_days: int, most_days: int) -> None:
        self.at = self.later(least_days, most_days)


def simple_life(story: Story, name: str) -> None:
    """Started, changed a few times, perhaps ended."""
    story.emit("started", name, mrr=story.price(), product=story.rng.choice(PLANS))
    for _ in range(story.rng.randrange(4)):
        story.move(5, 120)
        story.emit("changed", name, mrr=story.price())
    story.move(5, 200)
    if story.rng.random() < 0.6:
        story.emit("cancelled", name, reason="price")


def plan_swap(story: Story, name: str) -> None:
    """One product ends at the instant another starts: a net change, no churn."""
    story.emit("started", f"{name}-old", mrr=story.price(), product="team")
    story.move(20, 150)
    story.emit("cancelled", f"{name}-old")
    story.emit("started", f"{name}-new", mrr=story.price(), product="business")


def one_instant(story: Story, name: str) -> None:
    """Several changes at one instant: the last by source and id stands."""
    story.emit("started", name, mrr=story.price())
    story.move(3, 60)
    for _ in range(story.rng.randrange(2, 5)):
        story.emit("changed", name, mrr=story.price())


def gap_and_return(story: Story, name: str) -> None:
    """Gone for a while, then back under the same or another name."""
    story.emit("started", name, mrr=story.price())
    story.move(30, 200)
    story.emit("cancelled", name)
    story.move(1, 150)
    story.emit("started", story.rng.choice((name, f"{name}-again")), mrr=story.price())


def notice(story: Story, name: str) -> None:
    """Cancelled now, acting later; now and then later than anybody looks."""
    story.emit("started", name, mrr=story.price())
    story.move(10, 100)
    ends = story.end + timedelta(days=400) if story.rng.random() < 0.2 else story.later(10, 120)
    story.emit("cancelled", name, effective_at=ends.isoformat())


def notice_taken_back(story: Story, name: str) -> None:
    """Cancelled for later, then started or renewed before that; now and then cancelled again, or to go on after a gap."""
    term = {"term_end": story.later(200, 300).isoformat()} if story.rng.random() < 0.5 else {}
    story.emit("started", name, None, mrr=story.price(), **term)
    story.move(10, 60)
    ends = story.later(5, 90)
    story.emit("cancelled", name, effective_at=ends.isoformat(), reason="price")
    story.move(0, 70)
    off = story.rng.choice((None, -9, 0, 12, 30, 31))
    again = {} if off is None else {"effective_at": (ends + timedelta(days=off)).isoformat()}
    kind = story.rng.choice(("started", "renewed", "changed"))
    if story.rng.random() < 0.5:
        again["term_end"] = (ends + timedelta(days=200)).isoformat()
    story.emit(kind, name, None, mrr=story.price(), **again)
    if story.rng.random() < 0.2:
        story.emit("cancelled", name, effective_at=story.rng.choice((ends, story.later(5, 90))).isoformat())


def correction(story: Story, name: str) -> None:
    """A change learnt of late: it acts before the event that tells it, and before one that was told earlier."""
    story.emit("started", name, mrr=story.price())
    before = story.later(5, 20)
    story.move(30, 60)
    story.emit("changed", name, mrr=story.price())
    story.move(5, 30)
    story.emit("changed", name, mrr=story.price(), effective_at=before.isoformat())


def planned_change(story: Story, name: str) -> None:
    """A price agreed now that holds from a later day on."""
    story.emit("started", name, mrr=story.price())
    story.move(5, 50)
    story.emit("changed", name, mrr=story.price(), effective_at=story.later(10, 90).isoformat())


def terms(story: Story, name: str) -> None:
    """Terms renewed before their end, within the 30 days after it, after those, or never."""
    story.emit("started", name, mrr=story.price(), term_end=(term_end := story.later(60, 200)).isoformat())
    for _ in range(story.rng.randrange(3)):
        if story.rng.random() < 0.4:
            story.at += (term_end - story.at) / 3
            story.emit("changed", name, mrr=story.price())
        days_off = story.rng.choice((-12, -1, 2, 11, 27, 34, 90))
        if days_off > 10 and story.rng.random() < 0.5:
            story.at = max(story.at, term_end + timedelta(days=story.rng.randrange(1, days_off)))
            story.emit("changed", name, mrr=story.price())
        story.at = max(story.at, term_end + timedelta(days=days_off, minutes=story.rng.randrange(600)))
        term_end = story.later(90, 200)
        story.emit("renewed", name, mrr=story.price(), term_end=term_end.isoformat())
    story.at = max(story.at, term_end)
    if story.rng.random() < 0.3:
        story.emit("cancelled", name, effective_at=term_end.isoformat())
    elif story.rng.random() < 0.5:
        story.move(1, 60)
        price = story.price()
        if story.rng.random() < 0.3:
            story.emit("changed", name, mrr=price, term_end=story.later(90, 200).isoformat())
        else:
            story.emit("changed", name, mrr=price)


def new_number(story: Story, name: str) -> None:
    """Renewed under another number, early or late, of the same product or another; sometimes twice, sometimes itself too."""
    product = story.rng.choice(({}, {"product": "team"}))
    end = story.later(60, 150)
    story.emit("started", f"{name}-25", None, mrr=story.price(), term_end=end.isoformat(), **product)
    if story.rng.random() < 0.3:
        story.emit("cancelled", f"{name}-25", effective_at=end.isoformat())
    offs = sorted(
        story.rng.choice((-59, -46, -45, -20, 0, 0, 12, 29, 30)) for _ in range(story.rng.randrange(1, 3))
    )
    for number, off in enumerate(offs):
        story.at = max(story.at, end + timedelta(days=off))
        about = product if story.rng.random() < 0.8 else {"product": "business"}
        story.emit("started", f"{name}-26{number}", None, mrr=story.price(), **about)
    if story.rng.random() < 0.2:
        story.emit("renewed", f"{name}-25", mrr=story.price())


CHAPTERS = (
    simple_life, plan_swap, one_instant, gap_and_return, notice, notice_taken_back, correction, planned_change, terms, terms, new_number,
)  # fmt: skip


def history(account: str, rng: random.Random, start: datetime, end: datetime) -> Iterator[Json]:
    """One account's events, none of them told after `end`."""
    for product in range(rng.randrange(1, 4)):
        at = start + (end - start) * rng.random() * 0.6
        story = Story(account, rng, at, end)
        for chapter in range(rng.randrange(1, 4)):
            rng.choice(CHAPTERS)(story, f"{account}-{product}-{chapter}")
            story.move(0, 60)
        yield from (event for event in story.events if datetime.fromisoformat(event["time"]) < end)


def histories(seed: int, accounts: int, start: datetime, end: datetime) -> list[Json]:
    """The same for the same arguments; ids never repeat within an account and source."""
    rng = random.Random(seed)
    bodies = [body for n in range(accounts) for body in history(f"acct-{n:04d}", rng, start, end)]
    for n, body in enumerate(bodies):
        body["id"] = f"{body['id']}-{n}"
    return bodies
