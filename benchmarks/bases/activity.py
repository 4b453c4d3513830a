"""What people of an account do, day by day: logins, uses of features, and who they are at all.

A person is there on a day with a chance of their own rate times the account's level. Rates are Beta(1.2, 2.4), a third of working days
in the mean, so that an account has some daily people and many rare ones. The level of an account is the product of its country's calendar,
a season where it has one, noise, and what its hidden cause does. Noise from week to week is 10 to 35 % (the real activity, where teams and
people of more than one user-day a week were looked at: 0 to 31 % beyond chance, with a correlation of one week with the next of 0.1)
with a correlation of 0.3, on a slow drift of 15 % a year.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from benchmarks.bases import calendar
from benchmarks.bases.calendar import DAYS, Floats
from benchmarks.bases.plan import COMPLAINING, FADING, YEAR, Account, Cause

Int64s = npt.NDArray[np.int64]

FEATURES: Final = (
    "dashboard",
    "exports",
    "approvals",
    "reports",
    "comments",
    "automations",
    "imports",
    "templates",
)
_WEEKLY_CORRELATION: Final = 0.3
_DRIFT_A_YEAR: Final = 0.15
_LEAVES_A_YEAR: Final = 0.15  # people change jobs
_COMPANION_SHARE: Final = 0.25  # of logins that are followed by a named feature
_SCHOOL_BREAKS: Final = (((6, 28), (8, 24)), ((12, 19), (1, 6)), ((4, 1), (4, 12)), ((10, 20), (10, 26)))
_RETAIL_PEAK: Final = (((10, 20), (12, 23)), 1.6)
_RETAIL_LOW: Final = (((1, 8), (2, 25)), 0.45)


@dataclass(frozen=True)
class People:
    """`there`: a row for each person, true on days on which they logged in. `left`: their first day no longer there, DAYS if never. Person 0 is the champion."""

    there: npt.NDArray[np.bool_]
    joined: Int64s
    left: Int64s
    features: npt.NDArray[np.int8]
    """What each used on a day beside logging in; -1 for nothing."""


def people(account: Account, rng: np.random.Generator) -> People:
    joined, left = _staff(account, rng)
    rates = rng.beta(1.2, 2.4, len(joined))
    # The champion is somebody who is seen.
    rates[0] = max(rates[0], 0.45)
    level = levels(account, rng)
    days = np.arange(DAYS)
    chance = np.clip(rates[:, None] * level[None, :], 0, 0.97)
    chance *= (days >= joined[:, None]) & (days < left[:, None])
    if account.cause in FADING:
        chance *= _fading(account, rng, len(joined))
    there = rng.random(chance.shape) < chance
    own = rng.integers(0, len(FEATURES), (len(joined), 3))
    used = np.take_along_axis(own, rng.integers(0, 3, chance.shape), axis=1)
    features = np.where(there & (rng.random(chance.shape) < _COMPANION_SHARE), used, -1)
    return People(there, joined, left, features.astype(np.int8))


def _staff(account: Account, rng: np.random.Generator) -> tuple[Int64s, Int64s]:
    """Whoever leaves is replaced after a month, half of the time at once."""
    start = account.joins
    count = account.people
    joined = start + rng.integers(0, 41, count)
    if account.cause is Cause.GROWING:
        more = count + int(rng.integers(0, count + 1))
        joined = np.concatenate([joined, rng.integers(max(start, 0), account.gone, more)])
    left = joined + np.maximum(rng.exponential(YEAR / _LEAVES_A_YEAR, len(joined)), 30).astype(np.int64)
    if account.cause is Cause.SILENT and account.danger and rng.random() < 0.4:
        left[0] = account.danger.onset
    if account.cause is Cause.SUDDEN or account.cause is Cause.TWO_PEOPLE:
        left[:] = DAYS
    replaced = left[left < account.gone] + rng.choice((0, 30), int((left < account.gone).sum()))
    if account.cause is Cause.SILENT and account.danger:
        replaced = replaced[replaced < account.danger.onset]
    joined = np.concatenate([joined, replaced])
    left = np.minimum(np.concatenate([left, np.full(len(replaced), DAYS)]), account.gone)
    return joined, np.maximum(left, joined)


def levels(account: Account, rng: np.random.Generator) -> Floats:
    """Of the account as a whole, without what fades."""
    level = calendar.working(account.country) * _noise(rng)
    start = max(account.joins, 0)
    level[:start] = 0
    if account.joins > 0:
        level[start : start + 30] *= np.linspace(0.3, 1, 30)[: DAYS - start]
    for (first, last), share in _seasons(account):
        for begin, end in calendar.within((first, last)):
            level[begin:end] *= share
    if account.cause in COMPLAINING and account.danger:
        level *= _annoyed(account)
    return level


def _seasons(account: Account) -> list[tuple[calendar.Days, float]]:
    if account.cause is Cause.SCHOOL:
        return [(stretch, 0.03) for stretch in _SCHOOL_BREAKS]
    if account.cause is Cause.RETAIL:
        return [_RETAIL_PEAK, _RETAIL_LOW]
    if account.cause is Cause.CLOSES:
        return [(stretch, 0.01) for stretch in calendar.CLOSURES[account.country]]
    return []


def _noise(rng: np.random.Generator) -> Floats:
    weeks = DAYS // 7 + 1
    sd = rng.uniform(0.1, 0.35)
    shocks = rng.normal(0, sd * np.sqrt(1 - _WEEKLY_CORRELATION**2), weeks)
    weekly = np.zeros(weeks)
    for n in range(1, weeks):
        weekly[n] = _WEEKLY_CORRELATION * weekly[n - 1] + shocks[n]
    drift = np.cumsum(rng.normal(0, _DRIFT_A_YEAR / np.sqrt(52), weeks))
    return np.repeat(np.exp(weekly + drift), 7)[:DAYS]


def _annoyed(account: Account) -> Floats:
    """People who complain go on working with it, somewhat less."""
    assert account.danger is not None
    days = np.arange(DAYS)
    sunk = np.clip((days - account.danger.onset) / 45, 0, 1)
    if account.stepped_in is not None:
        sunk *= 1 - np.clip((days - account.stepped_in) / 21, 0, 1)
    return 1 - 0.2 * sunk


def _fading(account: Account, rng: np.random.Generator, count: int) -> Floats:
    """Half of the accounts lose their people one after the other, in the other half everybody comes less and less; over 5 to 14 weeks."""
    assert account.danger is not None
    onset, floor = account.danger.onset, rng.uniform(0, 0.3)
    days, takes = np.arange(DAYS), int(rng.integers(35, 99))
    if rng.random() < 0.5:
        stops = onset + rng.integers(0, takes, count)
        stays = rng.random(count) < floor
        faded = ((days[None, :] >= stops[:, None]) & ~stays[:, None]).astype(np.float64)
    else:
        faded = np.tile(np.clip((days - onset) / takes, 0, 1) * (1 - floor), (count, 1))
    if account.stepped_in is not None:
        back = np.clip((days - account.stepped_in) / rng.integers(14, 29), 0, 1) * rng.uniform(0.9, 1.0)
        faded = faded * (1 - back[None, :])
    return 1 - faded
