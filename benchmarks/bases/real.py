"""What the rules of silence would have said of five years of real activity: how often, how long, and whether it held.

Nobody knows why these accounts went silent, or whether, so nothing is said of being right.
"""

import gzip
from collections.abc import Iterable, Sequence
from datetime import date
from statistics import quantiles
from typing import Any

import msgspec
import numpy as np
from benchmarks.bases.databases import databases
from benchmarks.bases.loading import counted, load
from benchmarks.bases.replaying import kept, over
from benchmarks.options import Options
from benchmarks.results import Result
from tests.acceptance.stack import ROOT

from alerts.adapters.definitions import compile_rule
from alerts.use_cases.backtest import Warned
from common.catalogue import loading

FILE = ROOT.parent / "shared" / "data" / "activity.ndjson.gz"
OVERLAY = ROOT / "benchmarks" / "catalogues" / "activity"
# An account that did nothing for longer is nobody's customer any more.
ALIVE_DAYS = 180
REOPENS_DAYS = 30
# The last five years, after half a year by which a usual gap is known.
KNOWN_FROM, FIRST, LAST = date(2021, 4, 1), date(2021, 10, 1), date(2026, 9, 30)


class _Said(msgspec.Struct):
    subject: str
    time: str

    @property
    def day(self) -> date:
        return date.fromisoformat(self.time[:10])


def run(_: Options) -> Result:
    bodies = gzip.decompress(FILE.read_bytes()).splitlines()
    said = msgspec.json.Decoder(_Said)
    events = [(one, body) for body in bodies if (one := said.decode(body)).day >= KNOWN_FROM]
    catalogue = loading.load(loading.base_pack(), [OVERLAY])
    rules = [rule for rule in catalogue.rules.values() if compile_rule(rule, catalogue.signals).reads_silence]
    with databases() as fresh:
        url = fresh("activity")
        load(url, catalogue, ((one.subject, body) for one, body in events))
        found = counted(url)
        replays = over(kept(url, catalogue), catalogue)
    warned = {rule.name: replays.between(rule, FIRST, LAST).warned for rule in rules}
    weeks = _account_weeks((one.subject, one.day) for one, _ in events)
    result = Result(
        "silence of real activity", f"{len(events):,} events of {len(found):,} accounts, {FIRST} to {LAST}"
    )
    if sum(found.values()) != len(events):
        result.wrong.append(f"{sum(found.values())} events counted of {len(events)}")
    for name, its in warned.items():
        result.figures[name] = described(its, weeks)
    return result


def _account_weeks(seen: Iterable[tuple[str, date]]) -> float:
    """Weeks of accounts that had been there within the last half year."""
    days = (LAST - FIRST).days + 1
    by_account: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
    for account, day in seen:
        alive = by_account.setdefault(account, np.zeros(days, np.int64))
        start = (day - FIRST).days
        alive[max(start, 0) : max(start + ALIVE_DAYS, 0)] = 1
    return float(sum(int(alive.sum()) for alive in by_account.values())) / 7


def described(warned: Sequence[Warned], account_weeks: float) -> dict[str, Any]:
    """An episode reopens when the account's next one begins soon after its end."""
    by_account: dict[str, list[Warned]] = {}
    for one in sorted(warned, key=lambda one: (one.account, one.from_day)):
        by_account.setdefault(one.account, []).append(one)
    lengths, reopened, ended = [], 0, 0
    for its in by_account.values():
        for n, one in enumerate(its):
            if one.to_day is None:
                continue
            ended += 1
            lengths.append((one.to_day - one.from_day).days)
            reopened += n + 1 < len(its) and (its[n + 1].from_day - one.to_day).days <= REOPENS_DAYS
    low, middle, high = quantiles(lengths, n=4) if len(lengths) > 1 else (None, None, None)
    return {
        "episodes": len(warned), "of accounts": len(by_account), "still open": len(warned) - ended,
        "warnings per 100 accounts and week": round(100 * len(warned) / account_weeks, 2),
        "days it lasts (quartiles)": [low, middle, high], "share that reopens within 30 days": round(reopened / ended, 3) if ended else None,
    }  # fmt: skip
