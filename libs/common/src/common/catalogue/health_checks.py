"""What must hold of health profiles: weights that add up, bands without gaps, conditions that can be judged, one for everybody."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from common.catalogue.cel import CelInvalid, compile_account, compile_number
from common.catalogue.findings import Finding
from common.catalogue.health import HealthProfile
from common.catalogue.models import Catalogue
from common.catalogue.places import Places, defined, latest
from common.catalogue.source import Entry, Path_

WHOLE = 100
_ITSELF = re.compile(r"\ba\.health(_band)?\b")


def check_health(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    signals = defined(places, "signals")
    for name, profile in catalogue.health.items():
        entry = places["health"][name]
        yield from _weights(profile, entry)
        yield from _points(profile, entry)
        yield from _bands(profile, entry)
        yield from _conditions(profile, entry, signals)
        yield from _names(profile, entry)
    yield from _for_everybody(catalogue, places)


def _weights(profile: HealthProfile, entry: Entry) -> Iterator[Finding]:
    total = sum(one.weight for one in profile.inputs)
    if total != WHOLE:
        yield entry.finding(
            ("inputs",),
            f"weights add up to {total}, not {WHOLE}",
            f"Change them by {WHOLE - total:+d} in all",
        )


def _points(profile: HealthProfile, entry: Entry) -> Iterator[Finding]:
    for position, one in enumerate(profile.inputs):
        values = [value for value, _ in one.points]
        if len(values) < 2:
            advice = "Write at least two, [[the worst value, 0], [the best one, 100]]"
            yield entry.finding(("inputs", position, "points"), "a line needs two points", advice)
        if any(not 0 <= worth <= WHOLE for _, worth in one.points):
            message = f"points lie outside 0 to {WHOLE}"
            yield entry.finding(("inputs", position, "points"), message, "Correct them")
        if any(after <= before for before, after in pairwise(values)):
            yield entry.finding(
                ("inputs", position, "points"),
                "values do not ascend",
                "Write each value once, the least first",
            )


def _bands(profile: HealthProfile, entry: Entry) -> Iterator[Finding]:
    starts = [band.from_ for band in profile.bands]
    if len(starts) < 2:
        advice = "Name at least a bad one and a healthy one"
        yield entry.finding(("bands",), "one band tells nothing apart", advice)
        return
    if starts[0] != 0 or any(after <= before for before, after in pairwise(starts)):
        advice = "Let the first band start from 0 and each later one from more than the one before"
        yield entry.finding(("bands",), "bands leave a gap or overlap", advice)
    healthy = [band.healthy for band in profile.bands]
    if not healthy[-1] or healthy != sorted(healthy):
        advice = "Say healthy: true of the highest band, and of lower ones only if all above them are"
        yield entry.finding(
            ("bands",), "the highest band is not healthy, or one below is while one above isn't", advice
        )


def _conditions(profile: HealthProfile, entry: Entry, signals: Collection[str]) -> Iterator[Finding]:
    asked: list[tuple[Path_, str | None]] = [(("applies_to",), profile.applies_to)]
    asked += [(("inputs", i, "stale_when"), one.stale_when) for i, one in enumerate(profile.inputs)]
    asked += [(("overrides", i, "when"), one.when) for i, one in enumerate(profile.overrides)]
    for path, source in asked:
        if source is not None:
            yield from _compiles(entry, path, source, signals, number=False)
    for position, one in enumerate(profile.inputs):
        yield from _compiles(entry, ("inputs", position, "value"), one.value, signals, number=True)


def _compiles(
    entry: Entry, path: Path_, source: str, signals: Collection[str], *, number: bool
) -> Iterator[Finding]:
    if _ITSELF.search(source):
        yield entry.finding(path, "reads the health that it makes", "Use the figures that health is made of")
        return
    try:
        (compile_number if number else compile_account)(source, signals)
    except CelInvalid as error:
        wanted = "a number" if number else "true or false"
        message = f"line {error.line}, column {error.column}: {error}"
        yield entry.finding(path, message, f"Make {wanted} of a.FIGURE, a.traits.NAME and s.SIGNAL.value")


def _names(profile: HealthProfile, entry: Entry) -> Iterator[Finding]:
    for field, named in (
        ("inputs", profile.inputs),
        ("bands", profile.bands),
        ("overrides", profile.overrides),
    ):
        names = [one.name for one in named]
        for position, name in enumerate(names):
            if name in names[:position]:
                yield entry.finding((field, position, "name"), f"{name!r} is there twice", "Name each once")


def _for_everybody(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    """Which profile judges an account must never be a matter of luck."""
    default = [name for name, profile in catalogue.health.items() if profile.applies_to is None]
    if catalogue.health and not default:
        last = places["health"][list(catalogue.health)[-1]]
        yield last.finding(
            (), "no profile is for the accounts that no other applies to", "Leave applies_to out of one"
        )
    if len(default) > 1:
        last_said = latest(places, "health", default)
        first = next(name for name in default if name != last_said)
        message = f"{first!r} is for all other accounts already"
        yield places["health"][last_said].finding((), message, "Say by applies_to which accounts it is for")
    orders: dict[int, str] = {}
    for name, profile in catalogue.health.items():
        if profile.applies_to is None:
            continue
        if profile.order in orders:
            message = f"has the same order as {orders[profile.order]!r}, so which comes first is open"
            yield places["health"][name].finding(
                ("order",), message, "Give each its own; the least comes first"
            )
        orders[profile.order] = name
