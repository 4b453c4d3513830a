"""Warnings held against what is hidden: which dangers were foretold, which warnings were of nothing.

Terms: a *warning* is an episode of a rule on an account; days count from FIRST_DAY. It is *right* when it begins within a danger of its
account: from the day on which the slide began, until notice was given or the account was turned around. The first right one catches the
danger, further ones are repeats and count nowhere. One that begins after notice counts nowhere either. Everything else is *false*, whatever
the renewal's outcome. Unlike the product's own record, which can know outcomes only, an account that was warned of and saved is a danger
caught. A danger of *reduced* money is caught like the others but not counted as missed: a rule of leaving owes it nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from benchmarks.bases.base import Base, circumstance
from benchmarks.bases.calendar import DAYS, JUDGED_FROM
from benchmarks.bases.plan import Account

_Z = 1.959964
EARLY_DAYS = 30
# With fewer verdicts a precision says nothing that another could be matched to.
LEAST_VERDICTS = 20
# A case takes up what comes within so many days of its last condition's end (five working days).
CASE_STAYS_OPEN_DAYS = 7


@dataclass(frozen=True, slots=True, order=True)
class Warned:
    """On days [start, end); `end` is DAYS while it lasts."""

    account: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Share:
    """With its 95 % interval by Wilson's score."""

    right: int
    of: int

    @property
    def value(self) -> float | None:
        return self.right / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        p, z2 = self.right / self.of, _Z * _Z
        middle = (p + z2 / (2 * self.of)) / (1 + z2 / self.of)
        reach = _Z * sqrt(p * (1 - p) / self.of + z2 / (4 * self.of**2)) / (1 + z2 / self.of)
        return max(middle - reach, 0.0), min(middle + reach, 1.0)


@dataclass
class Tally:
    """Over any number of bases. `days` are from the warning to notice, of a saved account to its deadline."""

    caught: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    days: list[int] = field(default_factory=list)
    account_weeks: float = 0.0
    warnings: int = 0

    def add(self, other: "Tally") -> None:
        self.caught += other.caught
        self.missed += other.missed
        self.false += other.false
        self.days += other.days
        self.account_weeks += other.account_weeks
        self.warnings += other.warnings

    def without(self, circumstances: Collection[str]) -> "Tally":
        """False warnings in these circumstances left out."""
        kept = Counter({name: count for name, count in self.false.items() if name not in circumstances})
        return replace(self, false=kept)

    @property
    def precision(self) -> Share:
        return Share(self.caught.total(), self.caught.total() + self.false.total())

    @property
    def recall(self) -> Share:
        caught = sum(count for cause, count in self.caught.items() if cause in self._owed)
        return Share(caught, sum(self.missed[c] + self.caught[c] for c in self._owed))

    @property
    def early(self) -> Share:
        """The share of dangers caught with a month or more to notice."""
        return Share(sum(day >= EARLY_DAYS for day in self.days), self.recall.of)

    @property
    def median_days(self) -> float | None:
        found = sorted(self.days)
        return (found[(len(found) - 1) // 2] + found[len(found) // 2]) / 2 if found else None

    @property
    def load(self) -> float:
        """Warnings per 100 accounts and week."""
        return 100 * self.warnings / self.account_weeks if self.account_weeks else 0.0

    @property
    def _owed(self) -> set[str]:
        return {cause for cause in self.missed | self.caught if cause != "cuts the price"}


def judged(base: Base, warned: Iterable[Warned]) -> Tally:
    """Of the judged days alone; a warning that began before them stands for nothing."""
    by_account: dict[str, list[Warned]] = defaultdict(list)
    for one in sorted(warned):
        if one.start >= JUDGED_FROM:
            by_account[one.account].append(one)
    found = Tally()
    for name, account in base.accounts.items():
        _judge(base, account, by_account.get(name, []), found)
        lived = max(min(account.gone, DAYS) - max(account.joins, JUDGED_FROM), 0)
        found.account_weeks += lived / 7
    return found


def _judge(base: Base, account: Account, warned: Sequence[Warned], found: Tally) -> None:
    danger, caught = account.danger, False
    for one in warned:
        found.warnings += 1
        if danger and danger.outcome == "left" and one.start >= danger.notice:
            continue
        if danger and danger.onset <= one.start < danger.over:
            if not caught:
                caught = True
                found.caught[account.cause] += 1
                if danger.outcome != "reduced":
                    found.days.append(danger.notice - one.start)
            continue
        found.false[circumstance(base, account, one.start)] += 1
    if danger and not caught:
        found.missed[account.cause] += 1


def cases(rules: Iterable[Iterable[Warned]]) -> list[Warned]:
    """One case an account: from the first condition's start until all of them have been over for a while."""
    merged: list[Warned] = []
    for one in sorted(warned for rule in rules for warned in rule):
        last = merged[-1] if merged else None
        if last and last.account == one.account and one.start <= last.end + CASE_STAYS_OPEN_DAYS:
            merged[-1] = Warned(last.account, last.start, max(last.end, one.end))
        else:
            merged.append(one)
    return merged


def crossings(levels: Mapping[str, Sequence[float | None]], threshold: float) -> list[Warned]:
    """A score's warnings: stretches of days at or over a threshold."""
    found = []
    for account, by_day in levels.items():
        start: int | None = None
        for day, level in enumerate(by_day):
            above = level is not None and level >= threshold
            if above and start is None:
                start = day
            if not above and start is not None:
                found.append(Warned(account, start, day))
                start = None
        if start is not None:
            found.append(Warned(account, start, DAYS))
    return found
