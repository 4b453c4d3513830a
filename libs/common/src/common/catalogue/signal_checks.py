"""What must hold of signals: that they read what there is, can turn on, and say what they compare with."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from common.catalogue.cel import ACCOUNT_FIGURES
from common.catalogue.findings import Finding
from common.catalogue.models import Catalogue
from common.catalogue.places import Places, check_name
from common.catalogue.signals import Bound, Burst, Level, Moved, Signal
from common.catalogue.source import Entry, Path_
from common.catalogue.template_checks import check_template

_COMPARISONS = ("above", "at_least", "below", "at_most")
_OWN = ("value", "baseline", "unusual", "since")
_COUNTS = ("count", "distinct", "active_accounts")
# What health and risk are made of may be signals, so these can't be made of them.
_MADE_OF_SIGNALS = ("health", "health_band", "renewal_risk")


def check_signals(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    for name, signal in catalogue.signals.items():
        entry = places["signals"][name]
        yield from check_template(signal.evidence, "evidence", entry, own=_OWN)
        if isinstance(signal.test, Level):
            yield from _level(signal.test, entry)
        elif isinstance(signal.test, Moved | Burst):
            yield from _counted(signal, signal.test, catalogue, places, entry)


def _level(test: Level, entry: Entry) -> Iterator[Finding]:
    yield from _figure(test.value, ("test", "value"), entry, "number")
    if test.baseline is not None:
        yield from _figure(test.baseline, ("test", "baseline"), entry, "number")
    if test.since is not None:
        yield from _figure(test.since, ("test", "since"), entry, "text")
    for position, bound in enumerate(test.when):
        yield from _bound(bound, ("test", "when", position), entry)
    yield from _reachable(test, entry)


def _bound(bound: Bound, path: Path_, entry: Entry) -> Iterator[Finding]:
    yield from _figure(bound.figure, (*path, "figure"), entry, "number")
    if bound.times is not None:
        yield from _figure(bound.times, (*path, "times"), entry, "number")
    if len(_said(bound)) != 1:
        advice = f"Say one of {', '.join(_COMPARISONS)}; write two bounds for two"
        yield entry.finding(path, "compares with nothing, or twice", advice)


def _said(bound: Bound) -> list[str]:
    return [name for name in _COMPARISONS if getattr(bound, name) is not None]


def _figure(name: str, path: Path_, entry: Entry, kind: str) -> Iterator[Finding]:
    known = ACCOUNT_FIGURES.get(name)
    if known == kind and name not in _MADE_OF_SIGNALS:
        return
    if name in _MADE_OF_SIGNALS:
        yield entry.finding(path, f"{name!r} is itself made of signals", "Use the figures behind it")
        return
    if known is not None:
        yield entry.finding(path, f"figure {name!r} is a {known}, not a {kind}", f"Name a {kind}")
        return
    alike = [figure for figure, its in ACCOUNT_FIGURES.items() if its == kind]
    close = get_close_matches(name, alike, n=1)
    advice = f"Did you mean {close[0]!r}?" if close else "docs/reference/signals.md lists them"
    yield entry.finding(path, f"figure {name!r} is unknown", advice)


def _reachable(test: Level, entry: Entry) -> Iterator[Finding]:
    """Bounds by plain numbers that no value can meet together."""
    lows: dict[str, tuple[float, bool]] = {}
    highs: dict[str, tuple[float, bool]] = {}
    for position, bound in enumerate(test.when):
        if bound.times is not None or len(_said(bound)) != 1:
            continue
        comparison = _said(bound)[0]
        limit = getattr(bound, comparison) + bound.plus
        closed = comparison in ("at_least", "at_most")
        if comparison in ("above", "at_least"):
            lows[bound.figure] = max(lows.get(bound.figure, (limit, closed)), (limit, closed))
        else:
            highs[bound.figure] = min(highs.get(bound.figure, (limit, closed)), (limit, closed))
        if _empty(lows.get(bound.figure), highs.get(bound.figure)):
            message = f"no {bound.figure} meets this and the bounds before"
            yield entry.finding(("test", "when", position), message, "Correct one of the bounds")
            return


def _empty(low: tuple[float, bool] | None, high: tuple[float, bool] | None) -> bool:
    if low is None or high is None:
        return False
    return low[0] > high[0] or (low[0] == high[0] and not (low[1] and high[1]))


def _counted(
    signal: Signal, test: Moved | Burst, catalogue: Catalogue, places: Places, entry: Entry
) -> Iterator[Finding]:
    unknown = list(check_name(places, "measures", test.measure, entry, ("test", "measure")))
    yield from unknown
    measure = catalogue.measures.get(test.measure)
    if unknown or measure is None:
        return
    if measure.agg not in _COUNTS:
        message = f"measure {test.measure!r} is of kind {measure.agg}, which counts nothing a day"
        yield entry.finding(("test", "measure"), message, f"Use a measure of kind {', '.join(_COUNTS)}")
    if isinstance(test, Burst):
        return
    if test.window_days > test.base_days / 2:
        message = f"{test.window_days} days are more than half of the {test.base_days} they are compared with"
        yield entry.finding(("test", "base_days"), message, "Take a longer base, or a shorter window")
    if test.direction == "fell" and test.change > 1:
        message = "a count can't fall by more than all of it"
        yield entry.finding(("test", "change"), message, "Write a share from 0 to 1, such as 0.3")
    if "{baseline" not in signal.evidence:
        message = "says how many there were, and not how many were to be expected"
        yield entry.finding(("evidence",), message, "State {baseline} beside {value}")
