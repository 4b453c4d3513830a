"""A simulated past of five years, as training reads it: accounts with yearly terms, and a hidden reason for what becomes of each term.

Nothing here knows a reason, a line or a feature of the product. All figures are assumptions, set before anything was trained.
"""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from common.contracts.instants import microseconds
from common.figures.mrr import Change
from common.figures.rates import Rates
from common.risk.past import Events, Facts, Past, Told

Floats = npt.NDArray[np.float64]

ZONE: Final = ZoneInfo("UTC")
FIRST: Final = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
DAYS: Final = 5 * 365
NOW: Final = FIRST + dt.timedelta(days=DAYS)
_YEAR: Final = 365
_NOTICE_DAYS: Final = 60
_SEGMENTS: Final = (("small", 0.6, 1.4), ("mid", 0.3, 0.8), ("large", 0.1, 0.4))
"""Name, share of accounts, and how often they leave against the average."""
_LEAVES: Final = 0.16  # of a term
_SHAKEN: Final = 0.10  # of terms that are renewed all the same
_FADES, _COMPLAINS = 0.45, 0.25  # of those that leave or are shaken; the rest shows nothing
_EPOCH_DAY: Final = (FIRST.date() - dt.date(1970, 1, 1)).days


@dataclass
class _Rows:
    """Events by column."""

    account: list[npt.NDArray[np.int64]] = field(default_factory=list)
    person: list[npt.NDArray[np.int64]] = field(default_factory=list)
    day: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def add(self, account: int, person: int, days: npt.NDArray[np.int64]) -> None:
        self.account.append(np.full(len(days), account))
        self.person.append(np.full(len(days), person))
        self.day.append(days)

    def events(self) -> Events:
        account, person, day = (
            np.concatenate([np.zeros(0, np.int64), *column])
            for column in (self.account, self.person, self.day)
        )
        at_us = microseconds(FIRST) + day * 86_400_000_000 + 36_000_000_000
        return Events(account, person, day + _EPOCH_DAY, at_us, at_us)


def past(seed: int, accounts: int, *, told_apart: bool = True) -> Past:
    """The same arguments give the same past. Unless `told_apart`, nothing that anybody does has to do with who leaves."""
    random = np.random.default_rng([seed, 7])
    use, complaints = _Rows(), _Rows()
    facts = {
        number: _account(number, random, use, complaints, told_apart) for number in range(1, accounts + 1)
    }
    return Past(ZONE, use.events(), complaints.events(), facts, Rates("EUR", {}, {}))


def _account(
    number: int, random: np.random.Generator, use: _Rows, complaints: _Rows, told_apart: bool
) -> Facts:
    segment, _, leaves = _SEGMENTS[int(random.choice(3, p=[share for _, share, _ in _SEGMENTS]))]
    joins = int(random.integers(0, 4 * _YEAR))
    level, loud = np.ones(DAYS), np.full(DAYS, 0.003)
    its = Facts()
    mrr = round(float(random.lognormal(6, 0.7)), 2)
    _tell(its, number, joins, "started", mrr, joins + _YEAR)
    end, gone = joins + _YEAR, DAYS
    while end < DAYS + _YEAR:
        lost = bool(random.random() < _LEAVES * leaves)
        if lost or random.random() < _SHAKEN:
            seen = end if told_apart else int(random.integers(joins + 1, max(joins + 2, DAYS)))
            _shake(random, seen - _NOTICE_DAYS, level, loud)
        if lost:
            told = end - _NOTICE_DAYS - int(random.integers(1, 21))
            if told < DAYS:
                _tell(its, number, told, "cancelled", None, end)
                gone = end
            break
        if end - 7 < DAYS:
            _tell(its, number, end - 7, "renewed", mrr, end + _YEAR, acts=end)
        end += _YEAR
    _people(number, random, joins, min(gone, DAYS), level, loud, use, complaints)
    _answers(its, random, joins, min(gone, DAYS), level, loud)
    seats = int(random.integers(3, 15))
    its.traits += [_told(joins, "segment", segment), _told(joins, "seats", seats)]
    return its


def _shake(random: np.random.Generator, deadline: int, level: Floats, loud: Floats) -> None:
    """What is seen of it before the last day for notice; the rest of the term is as bad."""
    kind, begins = random.random(), max(deadline - int(random.integers(30, 150)), 0)
    over = min(max(deadline + _NOTICE_DAYS, 0), DAYS)
    if kind < _FADES:
        length = max(deadline - begins, 1)
        days = np.arange(max(over - begins, 0))
        level[begins:over] *= np.maximum(1 - 0.85 * days / length, 0.1)
    elif kind < _FADES + _COMPLAINS:
        loud[begins:over] = 0.05
        level[begins:over] *= 0.85


def _people(
    number: int,
    random: np.random.Generator,
    first: int,
    last: int,
    level: Floats,
    loud: Floats,
    use: _Rows,
    complaints: _Rows,
) -> None:
    days = np.arange(first, last)
    noise = np.exp(0.25 * np.repeat(random.normal(size=len(days) // 7 + 1), 7)[: len(days)])
    workday = (days % 7) < 5
    for person in range(1, int(random.integers(2, 9))):
        chance = np.clip(random.beta(1.2, 2.4) * level[days] * noise, 0, 0.97) * workday
        use.add(number, number * 100 + person, days[random.random(len(days)) < chance])
    complaints.add(number, 0, days[random.random(len(days)) < loud[days]])


def _answers(
    its: Facts, random: np.random.Generator, first: int, last: int, level: Floats, loud: Floats
) -> None:
    for day in range(first + 90, last, 120):
        if random.random() < 0.35:
            mood = 8.5 - 4 * float(loud[day] > 0.01) - 1.5 * float(level[day] < 0.6)
            its.answers.append(_told(day, "nps", float(np.clip(round(random.normal(mood, 1.5)), 0, 10))))


def _told(day: int, name: str, value: Any) -> Told:
    return Told(_at(day), _at(day), name, value)


def _tell(
    its: Facts, number: int, day: int, kind: Any, mrr: float | None, until: int, acts: int | None = None
) -> None:
    """`until`: the term's end, of a cancellation when it acts."""
    ends = kind == "cancelled"
    effective = _at(until) if ends else _at(day if acts is None else acts)
    its.changes.append(
        (
            _at(day),
            Change(
                "s", effective, _at(day), "sim", f"{number}-{day}", kind, None if mrr is None else Decimal(str(mrr)),
                None if ends else _at(until), "EUR", None, None if ends else _at(until - _NOTICE_DAYS),
            ),
        )
    )  # fmt: skip


def _at(day: int) -> dt.datetime:
    return FIRST + dt.timedelta(days=day, hours=10)
