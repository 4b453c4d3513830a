"""Deals from raw events: what they are worth at an instant, and how they ended; one deal at a time.

A deal is worth the amount last told strictly before an instant, or up to and including the event that won it. It is
closed by the first of won and lost, whoever of us told it. Labels are those last told.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction

from tests.reference.events import Event, accepted

DAY = timedelta(days=1)
ZERO = Decimal(0)


@dataclass
class Deal:
    account: str
    events: list[Event] = field(default_factory=list)

    def first(self, *kinds: str) -> datetime | None:
        return min((e.at for e in self.events if e.type.removeprefix("deal.") in kinds), default=None)

    @property
    def closed_at(self) -> datetime | None:
        return self.first("won", "lost")

    def is_open(self, at: datetime, *since: str) -> bool:
        start, end = self.first(*since), self.closed_at
        return start is not None and start < at and (end is None or end >= at)

    def worth(self, at: datetime) -> Decimal:
        told = [e.data["amount"] for e in self.events if e.data.get("amount") is not None and e.at < at]
        return Decimal(told[-1]) if told else ZERO

    def label(self, name: str, at: datetime, *, itself: bool = True, or_first: bool = False) -> str | None:
        """As last told up to an instant; with `or_first`, what was told first where nothing had been by then."""
        told = [(e.at, e.data[name]) for e in self.events if e.data.get(name) is not None]
        past = [value for when, value in told if when < at or (itself and when == at)]
        return past[-1] if past else told[0][1] if told and or_first else None

    def label_when(self, kind: str, name: str) -> str | None:
        """As told by the first event of a kind, in the order of events."""
        found: str | None = None
        for event in self.events:
            found = event.data.get(name) or found
            if event.type == f"deal.{kind}":
                return found
        return None

    def won(self) -> tuple[datetime, Decimal | None, str | None] | None:
        """(when first, the amount and the partner told by then)"""
        amount: Decimal | None = None
        partner: str | None = None
        for event in self.events:
            if event.data.get("amount") is not None:
                amount = Decimal(event.data["amount"])
            partner = event.data.get("partner") or partner
            if event.type == "deal.won":
                return event.at, amount, partner
        return None


def deals_of(arrived: Iterable[Event], now: datetime) -> list[Deal]:
    found: dict[tuple[str, str], Deal] = defaultdict(lambda: Deal(""))
    for event in sorted(accepted(arrived), key=lambda e: e.order):
        if event.type.startswith("deal.") and event.at < now:
            deal = found[event.account, event.data["deal"]]
            deal.account = event.account
            deal.events.append(event)
    return list(found.values())


@dataclass(frozen=True)
class Velocity:
    """Mean won size and median won cycle in days of 90 days, and the share won of what was created in the 90 days before those."""

    open: int
    size: Fraction | None
    rate: Fraction | None
    cycle: Fraction | None

    @property
    def value(self) -> Fraction | None:
        """Money a day."""
        if self.size is None or self.rate is None or not self.cycle:
            return None
        return self.open * self.size * self.rate / self.cycle


def velocity(deals: list[Deal], at: datetime, zone: tzinfo = UTC) -> Velocity:
    """The days before are those of the zone's clocks."""
    back_90, back_180 = ((at.astimezone(zone) - days * DAY).astimezone(UTC) for days in (90, 180))
    recent = [(deal, won) for deal in deals if (won := deal.won()) and back_90 <= won[0] < at]
    sizes = [amount for _, (_, amount, _) in recent if amount is not None]
    cohort = [
        (start, deal.first("won"))
        for deal in deals
        if (start := deal.first("created")) and back_180 <= start < back_90
    ]
    wins = sum(won is not None and won < start + 90 * DAY for start, won in cohort)
    cycles = sorted(
        max(Fraction(0), Fraction((won[0] - start) // timedelta(microseconds=1)))
        for deal, won in recent
        if (start := deal.first("created"))
    )
    half = len(cycles) // 2
    median = None
    if cycles:
        median = cycles[half] if len(cycles) % 2 else (cycles[half - 1] + cycles[half]) / 2
    return Velocity(
        sum(deal.is_open(at, "qualified") for deal in deals),
        Fraction(sum(sizes)) / len(sizes) if sizes else None,
        Fraction(wins, len(cohort)) if cohort else None,
        None if median is None else median / 86_400_000_000,
    )
