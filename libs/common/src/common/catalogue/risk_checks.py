"""What must hold of the reasons of renewal risk: something to judge by, lines that run one way, words that can be filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from common.catalogue.cel import ACCOUNT_FIGURES, CelInvalid, compile_account, compile_number
from common.catalogue.findings import Finding
from common.catalogue.models import Catalogue
from common.catalogue.places import Places
from common.catalogue.risk import RiskReason
from common.catalogue.source import Entry

_ITSELF = re.compile(r"\ba\.renewal_risk\b")
PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)(:%)?\}")


def check_risk(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    for name, reason in catalogue.risk.items():
        entry = places["risk"][name]
        yield from _judged_by(reason, entry)
        yield from _line(reason, entry)
        yield from _conditions(reason, entry)
        yield from _words(reason, entry)


def _judged_by(reason: RiskReason, entry: Entry) -> Iterator[Finding]:
    by_condition = reason.when is not None and reason.points is not None
    by_value = reason.value is not None and bool(reason.line)
    halves = (reason.when, reason.points, reason.value, reason.line or None)
    if by_condition == by_value or sum(half is not None for half in halves) != 2:
        message = "says neither or both of when with points, and value with line"
        yield entry.finding((), message, "Write when and points, or value and line")


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


def _conditions(reason: RiskReason, entry: Entry) -> Iterator[Finding]:
    for field in ("applies_to", "when", "value"):
        source = getattr(reason, field)
        if source is None:
            continue
        if _ITSELF.search(source):
            yield entry.finding(
                (field,), "reads the risk that it makes", "Use the figures that risk is made of"
            )
            continue
        try:
            (compile_number if field == "value" else compile_account)(source)
        except CelInvalid as error:
            wanted = "a number" if field == "value" else "true or false"
            message = f"line {error.line}, column {error.column}: {error}"
            yield entry.finding((field,), message, f"Make {wanted} of a.FIGURE and a.traits.NAME")


def _words(reason: RiskReason, entry: Entry) -> Iterator[Finding]:
    for field in ("text", "unknown_text"):
        text = getattr(reason, field)
        for name, _ in PLACEHOLDER.findall(text):
            if name not in ACCOUNT_FIGURES and (name != "value" or reason.value is None):
                advice = f"Use a figure of the account{', or {value}' if reason.value else ''}"
                yield entry.finding((field,), f"nothing is known as {name!r}", advice)
        if re.search(r"[{}]", PLACEHOLDER.sub("", text)):
            yield entry.finding((field,), "has a brace that fills in nothing", "Write {figure} or {figure:%}")
