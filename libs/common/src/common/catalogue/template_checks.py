"""Texts with placeholders: that each names something there is, so that nobody ever reads "unknown" for a misspelt name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from string import Formatter

from common.catalogue.cel import ACCOUNT_FIGURES
from common.catalogue.findings import Finding
from common.catalogue.source import Entry

PLACEHOLDERS = frozenset({*ACCOUNT_FIGURES, "account", "owner"})
PARTS_OF_SIGNALS = ("value", "baseline", "unusual", "since", "state")
_TRAIT = re.compile(r"traits\.[A-Za-z_][A-Za-z0-9_]*")


def check_template(
    text: str, part: str, entry: Entry, *, signals: Collection[str] = (), own: Collection[str] = ()
) -> Iterator[Finding]:
    """`signals` may be named as `s.NAME.value`; `own` are further placeholders."""
    try:
        names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        yield entry.finding(
            (part,), f"isn't a template: {error}", "Write {{ and }} for braces that are meant as such"
        )
        return
    known = {*PLACEHOLDERS, *own, *(f"s.{name}.{piece}" for name in signals for piece in PARTS_OF_SIGNALS)}
    for name in names:
        if name not in known and not _TRAIT.fullmatch(name):
            close = get_close_matches(name, sorted(known), n=1)
            advice = f"Did you mean {{{close[0]}}}?" if close else _advice(bool(signals), own)
            yield entry.finding((part,), f"{{{name}}} is unknown", advice)


def _advice(with_signals: bool, own: Collection[str]) -> str:
    of_signals = ", s.<signal>.value" if with_signals else ""
    named = "".join(f"{name}, " for name in own)
    return f"Use {named}a figure such as days_silent{of_signals}, account, owner or traits.<name>"
