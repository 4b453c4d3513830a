"""From figures of accounts to tables of accounts and periods, and from tested edges to words. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Literal
from zlib import crc32

import numpy as np

from common.analysis import edges
from common.analysis.edges import Matrix, Periods, Strength, Tested
from common.catalogue.models import Metric
from common.catalogue.tree import Driver
from common.figures.model import Figure

Grain = Literal["week", "month"]
PERIODS: Mapping[Grain, int] = {"week": 52, "month": 24}
_DAYS: Mapping[Grain, int] = {"week": 7, "month": 30}
# An effect that takes longer is looked for by month: by week it would need more lags than a year has room for.
_LONGEST_BY_WEEK_DAYS = 60
# What these say of a period is about that period alone; of all others the change since the last known value counts.
_OF_THE_PERIOD = frozenset({"movement", "churn", "renewal", "share", "conversion", "moved_on"})
_DECIMALS = 4
_NAMED = 3  # types of event in a sentence


@dataclass(frozen=True, slots=True)
class Panel:
    """The same accounts and periods for every metric."""

    accounts: Sequence[str]
    tables: Mapping[str, Matrix]
    began: Periods
    """The period in which each account was first heard of, counted from the first one; below 0 before it."""

    def of(self, accounts: Sequence[str]) -> Panel:
        """Of some of the accounts."""
        rows = [number for number, account in enumerate(self.accounts) if account in set(accounts)]
        return Panel(
            [self.accounts[row] for row in rows],
            {name: table[rows] for name, table in self.tables.items()},
            self.began[rows],
        )


def grain_of(edge: Driver) -> Grain:
    return "week" if edge.lag_days <= _LONGEST_BY_WEEK_DAYS else "month"


def lags_of(edge: Driver, grain: Grain) -> int:
    """How many periods are searched: half as long again as the effect is believed to take, at most a third of all periods."""
    believed = ceil(1.5 * edge.lag_days / _DAYS[grain])
    return max(2, min(believed, PERIODS[grain] // 3))


def table(rows: Iterable[Figure], accounts: Sequence[str], buckets: Sequence[str]) -> Matrix:
    """Values by account and bucket; unknown is nan."""
    row_of = {account: number for number, account in enumerate(accounts)}
    column_of = {bucket: number for number, bucket in enumerate(buckets)}
    found = np.full((len(accounts), len(buckets)), np.nan)
    for figure in rows:
        row, column = row_of.get(str(figure.group["account"])), column_of.get(figure.bucket)
        if row is not None and column is not None and figure.value is not None:
            found[row, column] = float(figure.value)
    return found


def began(
    accounts: Sequence[str], first_seen: Mapping[str, datetime], starts: Sequence[datetime], grain: Grain
) -> Periods:
    """The period of each account's first event; of who was never heard of one long before. `starts`: of the periods."""

    def period(at: datetime | None) -> int:
        if at is None:
            return -len(starts)
        before = (starts[0] - at).days // _DAYS[grain] + 1
        return bisect_right(starts, at) - 1 if at >= starts[0] else -before

    return np.array([period(first_seen.get(account)) for account in accounts], np.int64)


def examined(edge: Driver, moved: Metric, panel: Panel, grain: Grain) -> Tested:
    return edges.tested(
        panel.tables[edge.driver],
        panel.tables[edge.moves],
        raises=edge.effect == "raises",
        flow=moved.formula.type in _OF_THE_PERIOD,
        lags=lags_of(edge, grain),
        seed=crc32(edge.name.encode()),
        began=panel.began,
    )


def shown(found: Tested, edge: Driver, grain: Grain, shares: Sequence[str] = ()) -> dict[str, Any]:
    """As JSON. `warning` is there when an edge that held holds no more; `shares`: the types of event that count on both sides."""
    lead = None
    if found.lead is not None:
        lead = {"value": found.lead, "low": found.lead_low, "high": found.lead_high, "unit": f"{grain}s"}
    return {
        "state": found.state,
        "accounts": found.accounts,
        "periods": found.periods,
        "moved": found.moved,
        "correlation": _strength(found.strength),
        "p": None if found.p is None else round(found.p, _DECIMALS),
        "lead": lead,
        "latest": _strength(found.latest),
        "says": _words(found, edge, grain, shares),
        "warning": _warning(found, edge, grain) if found.state == "stopped" else None,
    }


def _strength(found: Strength | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {
        "value": round(found.value, _DECIMALS),
        "low": round(found.low, _DECIMALS),
        "high": round(found.high, _DECIMALS),
    }


def _words(found: Tested, edge: Driver, grain: Grain, shares: Sequence[str]) -> str:
    pair = f"{edge.driver} and {edge.moves}"
    if found.state == "shared_events":
        more = ", ..." if len(shares) > _NAMED else ""
        return (
            f"{edge.driver} shares its events with {edge.moves} ({', '.join(shares[:_NAMED])}{more}): one event moves both, "
            "so that one moves after the other says nothing about an effect. Choose a driver that is made of other events."
        )
    if found.state == "too_little_data":
        return (
            f"Too little data about {pair}: {found.accounts} accounts, {found.periods} {grain}s, {found.moved} accounts that moved; "
            f"at least {edges.LEAST_ACCOUNTS}, {edges.LEAST_PERIODS} and {edges.LEAST_MOVED} are needed."
        )
    if found.state == "not_seen":
        return f"Changes of {edge.driver} are not seen to be followed by changes of {edge.moves}."
    way = "higher" if (edge.effect == "raises") == (found.state != "opposite") else "lower"
    when = f"{found.lead} {grain}{'s' if found.lead != 1 else ''}"
    seen = f"Where {edge.driver} rises, {edge.moves} is {way} {when} later"
    if found.state == "stopped":
        now = "it is the other way round" if _turned(found) else "it isn't"
        return f"{seen}: so it was, and in the latest {grain}s {now}."
    return f"{seen}, {'as believed' if found.state == 'holds' else 'against what is believed'}."


def _warning(found: Tested, edge: Driver, grain: Grain) -> str:
    latest = PERIODS[grain] // edges.LATEST_SHARE
    now = "moves it the other way" if _turned(found) else "shows no such effect"
    return f"{edge.driver} moved {edge.moves} before, and {now} in the latest {latest} {grain}s: look at it anew."


def _turned(found: Tested) -> bool:
    """In the latest periods the interval holds neither 0 nor what was before."""
    before, latest = found.strength, found.latest
    if before is None or latest is None:
        return False
    return latest.high < 0 < before.value or before.value < 0 < latest.low
