"""What must hold of the reasons of renewal risk: something to judge by, lines that run one way, words that can be filled in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from common.catalogue.cel import RENEWAL_FIGURES, CelInvalid, compile_account, compile_number
from common.catalogue.findings import Finding
from common.catalogue.models import Catalogue
from common.catalogue.places import Places, check_name, defined
from common.catalogue.risk import RiskReason
from common.catalogue.source import Entry
from common.catalogue.template_checks import check_template

_ITSELF = re.compile(r"\ba\.renewal_risk\b")


def check_risk(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    signals = defined(places, "signals")
    for name, reason in catalogue.risk.items():
        entry = places["risk"][name]
        yield from _judged_by(reason, entry)
        yield from _line(reason, entry)
        yield from _conditions(reason, entry, signals)
        if reason.signal is not None:
            yield from check_name(places, "signals", reason.signal, entry, ("signal",))
        own = (*(["value"] if reason.value else []), *(f"r.{figure}" for figure in RENEWAL_FIGURES))
        for field in ("text", "unknown_text"):
            yield from check_template(getattr(reason, field), field, entry, own=own, signals=signals)


def _judged_by(reason: RiskReason, entry: Entry) -> Iterator[Finding]:
    ways = [
        reason.signal is not None and reason.points is not None,
        reason.when is not None and reason.points is not None,
        reason.value is not None and bool(reason.line),
    ]
    said = (reason.signal, reason.when, reason.points, reason.value, reason.line or None)
    if sum(ways) != 1 or sum(one is not None for one in said) != 2:
        advice = "Write one of: signal and points, when and points, value and line"
        yield entry.finding((), "is judged by nothing, or in two ways at once", advice)


def _line(reason: RiskReason, entry: Entry) -> Iterator[Finding]:
    if not reason.line:
        return
    values = [value for value, _ in reason.line]
    points = [worth for _, worth in reason.line]
    if len(values) < 2:
        yield entry.finding(("line",), "a line needs two points", "Write at least two")
    if any(after <= before for before, after in pairwise(values)):
        yield entry.finding(("line",), "values do not ascend", "Write each value once, the least first")
    steps = [after - before for before, after in pairwise(points)]
    if any(step > 0 for step in steps) and any(step < 0 for step in steps):
        message = "points go up and down again, which nobody can explain"
        yield entry.finding(("line",), message, "Let them only rise or only fall, or make two reasons of it")


def _conditions(reason: RiskReason, entry: Entry, signals: Collection[str]) -> Iterator[Finding]:
    for field in ("applies_to", "when", "value"):
        source = getattr(reason, field)
        if source is None:
            continue
        if _ITSELF.search(source):
            advice = "Use the figures that risk is made of"
            yield entry.finding((field,), "reads the risk that it makes", advice)
            continue
        try:
            if field == "value":
                compile_number(source, signals, renewal=True)
            else:
                compile_account(source, signals, renewal=True)
        except CelInvalid as error:
            wanted = "a number" if field == "value" else "true or false"
            message = f"line {error.line}, column {error.column}: {error}"
            yield entry.finding(
                (field,), message, f"Make {wanted} of a.FIGURE, a.traits.NAME, s.SIGNAL.value and r.FIGURE"
            )
