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

Why = Literal["never-seen", "source-quiet", "tracking-broken", "too-little", "unknown", "closed", "last-year"]
"""Why a signal is neither on nor plainly off: the company never sent such data; what it sends has stopped; is known to be broken; the
account has too little to compare with; the figure is unknown; the account is closed; it moved alike in the same weeks of last year."""
Signals = dict[str, dict[str, Any]]
"""By name: `state`, and where known `value`, `baseline`, `unusual`, `last_year`, `since`, `why`."""
_DECIMALS = 6
_CLOSED = {"state": "off", "why": "closed"}


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
        if any(self._is_old(kind, signal, today) for kind in kinds):
            return "stale", "source-quiet"
        return None

    def _is_old(self, kind: str, signal: Signal, today: date) -> bool:
        limit = signal.stale_after_days
        return limit is not None and may_stop(kind) and (today - self.newest[kind]).days > limit

    def wanting(self, signals: Sequence[Signal], today: date) -> frozenset[str]:
        """The kinds of data that keep a signal from speaking: they never came, or are too old for it."""
        return frozenset(
            kind
            for one in signals
            for kind in sources_of(one)
            if kind not in self.newest or self._is_old(kind, one, today)
        )


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


def may_stop(kind: str) -> bool:
    """Events go on; what is told of an account or a person holds until it is told anew."""
    return not kind.startswith(("trait.", "person."))


def tell(
    signals: Sequence[Signal], rows: Rows, accounts: Accounts, sources: Sources, now: datetime, today: date
) -> list[Signals]:
    """The signals of every account. `today` is the local day of `now`. An account that stays on keeps since when it is."""
    told: list[Signals] = [{} for _ in range(rows.size)]
    for signal in signals:
        fault = sources.fault(signal, today)
        said = None if fault is not None and fault[1] == "never-seen" else ask(signal, rows)
        for row, its in enumerate(_states(said, fault, accounts.closed)):
            state = its["state"]
            may_have_begun = state == "on" or (state != "off" and accounts.before[row])
            since = _since(signal, state, accounts, row, now, today) if may_have_begun else None
            told[row][signal.name] = {**its, "since": since} if since else its
    return told


def _states(said: Said | None, fault: tuple[str, Why] | None, closed: Sequence[bool]) -> list[dict[str, Any]]:
    """Row by row, without since when; what is the same of many rows may be one object."""
    told: list[dict[str, Any]]
    if fault is not None and said is None:
        # Most companies lack most kinds of data.
        same = {"state": fault[0], "why": fault[1]}
        told = [same for _ in closed]
    elif fault is not None:
        told = [{"state": fault[0], "why": fault[1]} for _ in closed]
    else:
        assert said is not None
        few = [True] * len(closed) if said.too_little is None else said.too_little.tolist()
        told = [
            {"state": "on" if on else "off"}
            if known
            else {"state": "no-data", "why": "too-little" if little else "unknown"}
            for on, known, little in zip(said.on.tolist(), said.known.tolist(), few, strict=True)
        ]
    if said is not None:
        _add_numbers(told, said)
    if said is not None and said.last_year is not None:
        for row in np.flatnonzero(~said.on & ~np.isnan(said.last_year)).tolist():
            told[row].setdefault("why", "last-year")
    return [_CLOSED if shut else its for its, shut in zip(told, closed, strict=True)] if any(closed) else told


def _add_numbers(told: Sequence[dict[str, Any]], said: Said) -> None:
    """Those that are known: NaN is no number that equals itself, and asking each is cheaper than asking arrays of few."""
    for name in ("value", "baseline", "unusual", "last_year"):
        column = getattr(said, name)
        for its, value in zip(told, column.tolist(), strict=True) if column is not None else ():
            if value == value:  # noqa: PLR0124
                its[name] = _number(value)


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
