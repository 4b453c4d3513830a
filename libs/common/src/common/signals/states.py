"""What is said of each account's signals: on, off, stale or without data, and since when.

Where the data behind a signal stopped, or never came, nothing is said of the account: neither that it is in danger nor that it is well.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import numpy as np

from common.catalogue.signal_figures import SOURCES
from common.catalogue.signals import Level, Moved, Signal, Silent
from common.signals.judging import Rows, Said, ask, figures_read

Why = Literal["never-seen", "source-quiet", "tracking-broken", "too-little", "unknown", "closed"]
"""Why a signal is neither on nor plainly off: the company never sent such data; what it sends has stopped; is known to be broken; the
account has too little to compare with; the figure is unknown; the account is closed."""
Signals = dict[str, dict[str, Any]]
"""By name: `state`, and where known `value`, `baseline`, `unusual`, `since`, `why`."""
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Sources:
    """When a company's data of each kind last happened, and which signals rest on something that is known not to arrive now."""

    newest: Mapping[str, date]
    broken: Collection[str] = ()

    def fault(self, signal: Signal, today: date) -> tuple[Literal["no-data", "stale"], Why] | None:
        """What keeps the signal from saying anything of any account."""
        kinds = sources_of(signal)
        if not all(kind in self.newest for kind in kinds):
            return "no-data", "never-seen"
        if signal.name in self.broken:
            return "stale", "tracking-broken"
        limit = signal.stale_after_days
        if limit is not None and any((today - self.newest[kind]).days > limit for kind in kinds):
            return "stale", "source-quiet"
        return None


@dataclass(frozen=True, slots=True)
class Accounts:
    """What is known of the accounts of `rows`, one each and in their order, beside numbers."""

    figures: Sequence[Mapping[str, Any]]
    closed: Sequence[bool]
    before: Sequence[Mapping[str, Mapping[str, Any]]]
    """Their signals as told last time."""


def sources_of(signal: Signal) -> tuple[str, ...]:
    """The kinds of data that it rests on."""
    if not isinstance(signal.test, Level | Silent):
        return (f"measure.{signal.test.measure}",)
    kinds = (kind for name in figures_read(signal) for kind in SOURCES.get(name, ()))
    return tuple(dict.fromkeys(kinds))


def tell(
    signals: Sequence[Signal], rows: Rows, accounts: Accounts, sources: Sources, now: datetime, today: date
) -> list[Signals]:
    """The signals of every account. `today` is the local day of `now`. An account that stays on keeps since when it is."""
    told: list[Signals] = [{} for _ in range(rows.size)]
    for signal in signals:
        fault = sources.fault(signal, today)
        said = None if fault is not None and fault[1] == "never-seen" else ask(signal, rows)
        for row, its in enumerate(told):
            its[signal.name] = _one(signal, said, row, fault, accounts, now, today)
    return told


def _one(
    signal: Signal,
    said: Said | None,
    row: int,
    fault: tuple[str, Why] | None,
    accounts: Accounts,
    now: datetime,
    today: date,
) -> dict[str, Any]:
    if accounts.closed[row]:
        return {"state": "off", "why": "closed"}
    told: dict[str, Any]
    if fault is not None:
        told = {"state": fault[0], "why": fault[1]}
    elif said is not None and said.known[row]:
        told = {"state": "on" if said.on[row] else "off"}
    else:
        told = {"state": "no-data", "why": "too-little" if isinstance(signal.test, Moved) else "unknown"}
    if said is not None:
        for name, column in (("value", said.value), ("baseline", said.baseline), ("unusual", said.unusual)):
            if not np.isnan(column[row]):
                told[name] = _number(float(column[row]))
    if told["state"] != "off" and (since := _since(signal, told["state"], accounts, row, now, today)):
        told["since"] = since
    return told


def _since(
    signal: Signal, state: str, accounts: Accounts, row: int, now: datetime, today: date
) -> str | None:
    """While it can't be told it keeps what it was: it may still be on when data comes again."""
    if state == "on" and isinstance(signal.test, Level) and signal.test.since is not None:
        known = accounts.figures[row].get(signal.test.since)
        if known is not None:
            return str(known)
    if state == "on" and isinstance(signal.test, Silent):
        last = accounts.figures[row].get("last_activity_at")
        if last is not None:
            return str(last)
    before = accounts.before[row].get(signal.name, {}).get("since")
    if before is not None or state != "on":
        return before
    return today.isoformat() if isinstance(signal.test, Moved) else _text(now)


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _number(value: float) -> float | int:
    """Whole numbers as such: they are read by people."""
    return int(value) if value.is_integer() else float(f"{value:.{_DECIMALS}g}")
