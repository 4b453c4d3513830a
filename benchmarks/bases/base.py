"""A whole base: all accounts of a seed, their events in order, and what is hidden from those who warn."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from benchmarks.bases import calendar, plan
from benchmarks.bases.calendar import DAYS
from benchmarks.bases.events import Line, Told, told
from benchmarks.bases.outages import Outage, outages


@dataclass(frozen=True)
class Base:
    """`lines` are in the order of their instants."""

    seed: int
    outages: tuple[Outage, ...]
    told: tuple[Told, ...]

    @cached_property
    def lines(self) -> list[Line]:
        return sorted(line for one in self.told for line in one.lines)

    @cached_property
    def accounts(self) -> dict[str, plan.Account]:
        return {one.account.name: one.account for one in self.told}

    @cached_property
    def login_days(self) -> dict[str, npt.NDArray[np.int64]]:
        """Days on which a login was recorded under its name, by account."""
        return {one.account.name: one.login_days for one in self.told}


def build(seed: int, accounts: int) -> Base:
    """The same arguments give the same base, byte for byte."""
    return of(seed, plan.accounts(seed, accounts))


def of(seed: int, accounts: Iterable[plan.Account]) -> Base:
    """Of these accounts alone."""
    hit = outages(seed)
    return Base(seed, hit, tuple(told(account, seed, hit) for account in accounts))


def circumstance(base: Base, account: plan.Account, day: int) -> str:
    """What stood behind a warning on `day` that was not of a danger: the first that applies."""
    for outage in base.outages:
        if outage.first <= day < outage.end + 14 and outage.source in (None, account.source):
            return outage.name
    danger = account.danger
    if danger and danger.outcome == "saved" and danger.over <= day < danger.over + 60:
        return "just saved"
    if account.cause in {plan.Cause.SCHOOL, plan.Cause.RETAIL}:
        return account.cause.value
    lately = slice(max(day - 21, 0), min(day + 1, DAYS))
    closes = account.cause is plan.Cause.CLOSES and any(
        start <= day < end + 14
        for stretch in calendar.CLOSURES[account.country]
        for start, end in calendar.within(stretch)
    )
    if closes or calendar.away(account.country)[lately].sum() >= 3:
        return "holidays"
    return "new" if day - account.joins < 90 else "nothing"
