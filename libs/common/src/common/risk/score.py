"""The explainable score: where accounts of a segment begin, and what each reason adds or takes. Reasons add up to the whole exactly."""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from common.catalogue.cel import (
    Condition,
    Number,
    Root,
    compile_account,
    compile_number,
    reads_renewal,
    signals_read,
)
from common.catalogue.risk import RiskReason, RiskSettings
from common.evidence import in_words
from common.risk import base_rates as base_rate
from common.risk import points as arithmetic
from common.risk.base_rates import BaseRate, BaseRates

BASE = "base_rate"
State = Literal["known", "unknown", "held"]
Signals = Mapping[str, Mapping[str, Any]]
_FIGURE = re.compile(r"([ar])\.([a-z][a-z0-9_]*)")
_PATH = re.compile(r"\b[ar](?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_PLAIN = re.compile(rf"(?:{_PATH.pattern}|\btrue\b|\bfalse\b|[0-9.]+|[-+*/<>=!() ])+")
_WANTED = re.compile(r"(?:^|&& *)has\(a\.traits\.([A-Za-z_][A-Za-z0-9_]*)\)(?= *(?:$|&&))")
_WHY: Mapping[str | None, str] = MappingProxyType(
    {
        "never-seen": "{}: nothing of the kind was ever sent",
        "source-quiet": "{}: its events do not arrive properly now",
        "tracking-broken": "{}: its events do not arrive properly now",
    }
)
_NO_SIGNALS: Signals = MappingProxyType({})


class Reason(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`points`: what it adds to the log-odds of losing the renewal, 10 doubling them. Held: unknown now, and as last known `since`."""

    reason: str
    label: str
    state: State
    points: float
    text: str
    since: dt.date | None = None


class Risk(msgspec.Struct, frozen=True, gc=False):
    """`points` is the exact sum of those of the reasons, `probability` what they come to. `known` of `of` reasons could be judged.

    `version`: that of the definitions for the score, of the model for a model. `subscription` and `due_at` tell the renewal.
    `now_counts`: the share to which passing reasons count, as the decision is far away.
    """

    probability: float
    method: Literal["score", "model"]
    version: int
    points: float
    reasons: Sequence[Reason]
    known: int
    of: int
    base: BaseRate
    due_at: dt.datetime | None = None
    subscription: str = ""
    now_counts: float = 1.0


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`figure`: the one that the value is, and nothing else; then no program runs. `of_renewal`: it reads the renewal.

    `needs`: what must be known for `when` or `value` to be, as paths into the root; without one of them no program runs either.
    """

    said: RiskReason
    applies_to: Condition | None
    when: Condition | None
    value: Number | None
    figure: tuple[str, str] | None
    of_renewal: bool
    needs: tuple[tuple[str, ...], ...]
    signal: str
    """The one that it asks, or reads numbers of; "" where it reads figures alone."""
    wanted: tuple[str, ...]
    """Traits that `applies_to` wants to be there."""
    nothing: Reason
    """What it says when it is known and costs nothing."""

    def number(self, root: Root) -> float | None:
        if self.figure is not None:
            where, name = self.figure
            known = root[where].get(name)
            return known if isinstance(known, float) else None
        if not self.is_known(root):
            return None
        return self.value.of(root) if self.value else None

    def is_known(self, root: Root) -> bool:
        for path in self.needs:
            at: Any = root
            for name in path:
                at = at.get(name)
                if at is None:
                    return False
        return True


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an account, judged once for all its renewals."""

    root: Root
    figures: dict[str, Any]
    """What texts are filled with."""
    signals: Signals
    stale: Collection[str]
    lasting: Sequence[Reason]
    passing: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class Score:
    """A tenant's reasons, compiled."""

    settings: RiskSettings
    reasons: tuple[_Compiled, ...]
    definitions: int

    def evidence(self, root: Root, signals: Signals = _NO_SIGNALS, stale: Collection[str] = ()) -> Evidence:
        """Of an account as expressions see it. Raises nothing: what can't be worked out, or is `stale`, is unknown."""
        figures = {**root["a"], "s": signals}
        lasting: list[Reason] = []
        passing: list[Reason] = []
        for one in self.reasons:
            if not one.of_renewal and _applies(one, root):
                of_its_kind = lasting if one.said.lasting else passing
                of_its_kind.append(_judged(one, root, figures, signals, one.said.name in stale))
        return Evidence(root, figures, signals, stale, lasting, passing)

    def judge(
        self, evidence: Evidence, segment: str | None, rates: BaseRates, facing: Mapping[str, float]
    ) -> Risk:
        """Of one renewal of the account; `facing` is what is known of it."""
        base = rates.of(segment)
        root = {**evidence.root, "r": facing}
        figures = evidence.figures | {f"r.{name}": known for name, known in facing.items()}
        share = on_line(self.settings.fade, max(facing.get("days_to_decide", 0.0), 0.0))
        found = [
            *evidence.lasting,
            *(faded(one, share) for one in evidence.passing),
            *(
                _judged(one, root, figures, evidence.signals, one.said.name in evidence.stale)
                for one in self.reasons
                if one.of_renewal and _applies(one, root)
            ),
        ]
        start = _start(base, self.settings.past_days)
        risk = added_up("score", self.definitions, start, found, base)
        return risk if share == 1 else msgspec.structs.replace(risk, now_counts=round(share, 2))


@lru_cache(maxsize=1_024)
def _start(base: BaseRate, past_days: int) -> Reason:
    """The same for every account of a segment."""
    text = base_rate.in_words(base, past_days)
    return Reason(BASE, "Past renewals", "known", arithmetic.points_of(base.rate), text)


def faded(one: Reason, share: float) -> Reason:
    if share == 1 or not one.points:
        return one
    return msgspec.structs.replace(one, points=round(one.points * share, 1) + 0.0)


def _applies(one: _Compiled, root: Root) -> bool:
    if one.applies_to is None:
        return True
    # A trait that must be there, and is not, decides without a program.
    traits = root["a"].get("traits", {})
    return all(name in traits for name in one.wanted) and one.applies_to.of(root) is True


def added_up(
    method: Literal["score", "model"], version: int, start: Reason, found: Sequence[Reason], base: BaseRate
) -> Risk:
    """The start, then what adds most; what is known and moves nothing is no reason."""
    moving = [one for one in found if one.points or one.state == "unknown"]
    reasons = [start, *sorted(moving, key=lambda one: (-one.points, one.reason))]
    points = arithmetic.total(one.points for one in reasons)
    known = sum(one.state == "known" for one in found)
    probability = arithmetic.probability_of(points)
    return Risk(probability, method, version, points, reasons, known, len(found), base)


def held(now: Risk, before: Mapping[str, Reason], since: dt.date) -> Risk:
    """What is unknown now costs at least what it cost when it was last known: no data never lowers the risk.

    `before`: reasons of the same renewal and method, as told last, on the day `since`.
    """

    def of(one: Reason) -> Reason:
        was = before.get(one.reason)
        if one.state != "unknown" or was is None or was.state == "unknown" or was.points <= one.points:
            return one
        return Reason(one.reason, one.label, "held", was.points, was.text, was.since or since)

    reasons = [of(one) for one in now.reasons]
    if all(kept is one for kept, one in zip(reasons, now.reasons, strict=True)):
        return now
    points = arithmetic.total(one.points for one in reasons)
    ordered = [reasons[0], *sorted(reasons[1:], key=lambda one: (-one.points, one.reason))]
    probability = arithmetic.probability_of(points)
    return msgspec.structs.replace(now, points=points, probability=probability, reasons=ordered)


def compiled(reasons: Iterable[RiskReason], settings: RiskSettings, definitions: int) -> Score:
    """Raises CelInvalid for an expression that does not compile; a checked catalogue has none."""
    return Score(
        settings,
        tuple(
            _Compiled(
                one,
                compile_account(one.applies_to, renewal=True) if one.applies_to else None,
                compile_account(one.when, renewal=True) if one.when else None,
                compile_number(one.value, renewal=True) if one.value else None,
                (found[1], found[2]) if (found := _FIGURE.fullmatch(one.value or "")) else None,
                any(reads_renewal(source) for source in (one.applies_to, one.when, one.value)),
                _needs(one.when or one.value),
                one.signal or next(iter(signals_read(one.value or "")), ""),
                _wanted(one.applies_to or ""),
                Reason(one.name, one.label, "known", 0.0, ""),
            )
            for one in sorted(reasons, key=lambda one: one.name)
        ),
        definitions,
    )


def _needs(source: str | None) -> tuple[tuple[str, ...], ...]:
    """Of an expression in which everything must be known: one without words of its own and without choices."""
    if source is None or not _PLAIN.fullmatch(source):
        return ()
    return tuple(dict.fromkeys(tuple(path.split(".")) for path in _PATH.findall(source)))


def _judged(one: _Compiled, root: Root, figures: dict[str, Any], signals: Signals, stale: bool) -> Reason:
    """`figures` are lent: the value is put among them."""
    said = one.said
    value: float | None = None
    points: float | None = None
    if stale:
        return _unknown(said, "tracking-broken")
    if one.value is not None:
        value = one.number(root)
        points = None if value is None else on_line(said.line, value)
    else:
        holds = _holds(one, root) if one.when else _is_on(signals.get(one.signal, {}))
        points = None if holds is None else (said.points or 0.0) if holds else 0.0
    if points is None:
        return _unknown(said, signals.get(one.signal, {}).get("why"))
    if not points:
        return one.nothing
    figures["value"] = value
    text = in_words(said.text, figures, root["a"].get("traits"))
    return Reason(said.name, said.label, "known", round(points, 1) + 0.0, text)


def _wanted(source: str) -> tuple[str, ...]:
    """Of conditions that all must hold, the traits that are to be there; what stands in brackets is left to the program."""
    plain = re.split(r"!\(|(?<=[ &])\(", source)[0]
    return () if "||" in source or "?" in source else tuple(_WANTED.findall(plain))


def _holds(one: _Compiled, root: Root) -> bool | None:
    return one.when.of(root) if one.when is not None and one.is_known(root) else None


def _unknown(said: RiskReason, why: str | None) -> Reason:
    """`why` nothing can be said, as signals have it; None where the reason reads figures."""
    text = _WHY[why].format(said.label) if why in _WHY else said.unknown_text
    return Reason(said.name, said.label, "unknown", round(said.unknown_points, 1), text)


def on_line(line: Sequence[tuple[float, float]], value: float) -> float:
    """On the straight line between the two nearest points; outside all of them as at the end."""
    at = bisect_right(line, value, key=lambda point: point[0])
    if at in (0, len(line)):
        return line[min(at, len(line) - 1)][1]
    (low, here), (high, there) = line[at - 1], line[at]
    return here + (there - here) * (value - low) / (high - low)


def _is_on(signal: Mapping[str, Any]) -> bool | None:
    state = signal.get("state")
    return state == "on" if state in ("on", "off") else None
