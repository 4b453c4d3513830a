"""Who is in a base: accounts with their contracts and the hidden cause of what becomes of each. Pure, of a seed alone.

Nothing here knows a rule, a signal or a threshold of the product. Where a figure has a source it is named beside it; all others are
assumptions, set once before any rule was replayed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from benchmarks.bases.calendar import COUNTRIES, COUNTRY_WEIGHTS, DAYS, FIRST_DAY, JUDGED_FROM

YEAR: Final = 365


class Cause(StrEnum):
    """Why an account does what it does. Nobody who warns is told."""

    STEADY = "steady"
    TWO_PEOPLE = "two people"
    GROWING = "growing"
    CLOSES = "closes for holidays"
    SCHOOL = "school year"
    RETAIL = "retail season"
    CHEAPER = "cuts the price"
    SAVED_QUIET = "saved, faded"
    SAVED_LOUD = "saved, complained"
    SILENT = "leaves silently"
    LOUD = "leaves loudly"
    SUDDEN = "leaves without warning"


# 15 % leave within the judged year, 8 % would have and are saved, 6 % stay for less money.
SHARES: Final = MappingProxyType(
    {
        Cause.STEADY: 0.38, Cause.TWO_PEOPLE: 0.08, Cause.GROWING: 0.08, Cause.CLOSES: 0.08, Cause.SCHOOL: 0.05,
        Cause.RETAIL: 0.04, Cause.CHEAPER: 0.06, Cause.SAVED_QUIET: 0.05, Cause.SAVED_LOUD: 0.03,
        Cause.SILENT: 0.07, Cause.LOUD: 0.05, Cause.SUDDEN: 0.03,
    }
)  # fmt: skip
LEAVERS: Final = frozenset({Cause.SILENT, Cause.LOUD, Cause.SUDDEN})
SAVED: Final = frozenset({Cause.SAVED_QUIET, Cause.SAVED_LOUD})
FADING: Final = frozenset({Cause.SILENT, Cause.SAVED_QUIET})
COMPLAINING: Final = frozenset({Cause.LOUD, Cause.SAVED_LOUD})
OWNERS: Final = tuple(f"owner-{n:02d}" for n in range(1, 9))
NOTICE_DAYS: Final = (30, 60, 90)
_PRICE_PER_SEAT: Final = MappingProxyType({"small": 29, "mid": 49, "enterprise": 79})
_TOUCH: Final = MappingProxyType({"small": "tech", "mid": "mid", "enterprise": "high"})
# An account that leaves has been sliding for so many days when it gives notice.
_SLIDING_DAYS: Final = MappingProxyType(
    {
        Cause.SILENT: (35, 120),
        Cause.LOUD: (30, 100),
        Cause.SAVED_QUIET: (60, 120),
        Cause.SAVED_LOUD: (50, 100),
    }
)
RECOVERING_DAYS: Final = 14  # from the day on which somebody stepped in until the worst is over
_BARGAINING_DAYS: Final = 75  # an account that wants to pay less speaks of it
SIGNED_BEFORE_DAYS: Final = 7  # a renewal is signed so long before the term ends
_UNSEEN_DAYS: Final = 60  # a decision without a sign is taken at most so long before it is told


@dataclass(frozen=True, slots=True)
class Danger:
    """The renewal is in danger on days [onset, over). `notice`: the day on which it is lost, of a saved account the last one on which it could be."""

    onset: int
    over: int
    notice: int
    outcome: Literal["left", "saved", "reduced"]


@dataclass(frozen=True, slots=True)
class Account:
    """Days count from FIRST_DAY; `joins` may be before 0. `term_end` is of the term that ends in the judged year."""

    number: int
    cause: Cause
    people: int
    segment: str
    country: str
    owner: str
    joins: int
    term_end: int
    notice_days: int
    danger: Danger | None
    source: str
    has_integration: bool

    @property
    def name(self) -> str:
        return f"account-{self.number:04d}"

    @property
    def touch(self) -> str:
        return _TOUCH[self.segment]

    @property
    def price(self) -> int:
        return _PRICE_PER_SEAT[self.segment]

    @property
    def stepped_in(self) -> int | None:
        """The day on which somebody of ours began to turn an account around."""
        return self.danger.over - RECOVERING_DAYS if self.danger and self.cause in SAVED else None

    @property
    def seats(self) -> int:
        return self.people + self.people // 4

    @property
    def notice_deadline(self) -> int:
        return self.term_end - self.notice_days

    @property
    def leaves(self) -> bool:
        return self.cause in LEAVERS

    @property
    def gone(self) -> int:
        """The first day on which nobody is there any more."""
        return min(self.term_end, DAYS) if self.leaves else DAYS

    @property
    def term_ends(self) -> list[int]:
        """Ends of its terms after it joined, up to a year after the last simulated day."""
        first = self.term_end - (self.term_end - max(self.joins, 0) - 1) // YEAR * YEAR
        last = self.term_end if self.leaves else DAYS + YEAR
        return list(range(first, last + 1, YEAR))

    @property
    def renewals(self) -> list[int]:
        """Days on which a renewal is signed, before each term's end but the last one of an account that leaves."""
        signed = [
            end - SIGNED_BEFORE_DAYS for end in self.term_ends if not (self.leaves and end == self.term_end)
        ]
        return [day for day in signed if max(self.joins, 0) < day < DAYS]


def at(day: int, hour: int = 12) -> datetime:
    """UTC."""
    return datetime.combine(FIRST_DAY + timedelta(days=day), time(hour), UTC)


def accounts(seed: int, count: int) -> list[Account]:
    rng = np.random.default_rng([seed, 0])
    causes = [cause for cause, share in SHARES.items() for _ in range(round(share * count))]
    causes = (causes + [Cause.STEADY] * count)[:count]
    return [
        _account(np.random.default_rng([seed, 1, n]), n, causes[i])
        for n, i in enumerate(rng.permutation(count))
    ]


def _account(rng: np.random.Generator, number: int, cause: Cause) -> Account:
    people = 2 if cause is Cause.TWO_PEOPLE else int(np.clip(rng.lognormal(np.log(6), 0.9), 2, 80))
    segment = "small" if people <= 5 else "mid" if people <= 20 else "enterprise"
    notice_days = int(rng.choice(NOTICE_DAYS, p=(0.4, 0.4, 0.2)))
    term_end, danger = _fate(rng, cause, notice_days)
    joins = term_end - YEAR * int(rng.integers(2, 5))
    # A newcomer's first term is the one that ends in the judged year or the year after.
    if cause in {Cause.STEADY, Cause.GROWING, Cause.TWO_PEOPLE} and rng.random() < 0.22:
        joins = term_end - YEAR
    return Account(
        number, cause, people, segment,
        country=str(rng.choice(COUNTRIES, p=COUNTRY_WEIGHTS)), owner=str(rng.choice(OWNERS)),
        joins=joins, term_end=term_end, notice_days=notice_days, danger=danger,
        source="/product/eu" if rng.random() < 0.6 else "/product/us",
        # What runs by itself goes on when people have left, which hides their silence.
        has_integration=bool(rng.random() < 0.08),
    )  # fmt: skip


def _fate(rng: np.random.Generator, cause: Cause, notice_days: int) -> tuple[int, Danger | None]:
    """The end of the term in question, and when the renewal is in danger."""
    if cause in LEAVERS:
        sliding = int(rng.integers(*_SLIDING_DAYS.get(cause, (_UNSEEN_DAYS, _UNSEEN_DAYS + 1))))
        # All of the slide lies in the judged days.
        notice = int(rng.integers(JUDGED_FROM + sliding, DAYS - 3))
        term_end = notice + int(rng.integers(1, 31)) + notice_days
        return term_end, Danger(notice - sliding, notice, notice, "left")
    if cause in SAVED:
        sliding = int(rng.integers(*_SLIDING_DAYS[cause]))
        deadline = int(rng.integers(JUDGED_FROM + sliding, DAYS - 3))
        onset = deadline - sliding
        stepped_in = onset + int(rng.integers(25, 46))
        return deadline + notice_days, Danger(onset, stepped_in + RECOVERING_DAYS, deadline, "saved")
    if cause is Cause.CHEAPER:
        signed = JUDGED_FROM + int(rng.integers(_BARGAINING_DAYS, YEAR))
        return signed + SIGNED_BEFORE_DAYS, Danger(signed - _BARGAINING_DAYS, signed, signed, "reduced")
    return JUDGED_FROM + int(rng.integers(30, YEAR)), None
