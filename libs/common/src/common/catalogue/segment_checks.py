"""What must hold of segments: they say something, of names that exist, and not by way of themselves."""

from __future__ import annotations

from collections.abc import Iterator

from common.catalogue.cel import CelInvalid, compile_traits, traits_read
from common.catalogue.findings import Finding
from common.catalogue.graphs import circles
from common.catalogue.models import Catalogue
from common.catalogue.places import Places, check_name, latest
from common.catalogue.segments import Segment
from common.catalogue.source import Entry, Path_

# Traits of `account.created` that the product knows and that no figure is sliced by.
_NO_DIMENSIONS = ("contract_start", "renewal_at", "notice_deadline", "auto_renew", "seats")
RESERVED_DIMENSIONS, OF_SEGMENTS = ("account", "top_parent"), "segment:"
"""What questions may be sliced by besides traits: the account, the top of its family, and any segment."""


def is_reserved(name: str) -> bool:
    """Whether a dimension is one of its own, which no trait and no label can be."""
    return name in RESERVED_DIMENSIONS or name.startswith(OF_SEGMENTS)


def check_segments(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    for name, segment in catalogue.segments.items():
        entry = places["segments"][name]
        yield from _says_something(segment, entry)
        yield from _parts(segment, places, entry)
        yield from _condition(segment, entry)
        yield from _traits(segment, catalogue, entry)
    parts = {name: segment.parts for name, segment in catalogue.segments.items()}
    for way in circles(parts, lambda name: parts.get(name, ())):
        message = f"goes round in a circle: {' -> '.join(way)}"
        yield places["segments"][latest(places, "segments", way)].finding(
            (), message, "Say one of them by traits"
        )


def _says_something(segment: Segment, entry: Entry) -> Iterator[Finding]:
    if not (segment.filter or segment.where or segment.parts):
        advice = "Add filter: {plan: [pro]}, where: traits.seats >= 50, or other segments"
        yield entry.finding((), "holds every account", advice)
    for trait, values in segment.filter.items():
        if not values:
            advice = "List at least one; null stands for accounts without the trait"
            yield entry.finding(("filter", trait), f"trait {trait!r} may have no value at all", advice)


def _parts(segment: Segment, places: Places, entry: Entry) -> Iterator[Finding]:
    for field in ("all_of", "any_of", "none_of"):
        for position, name in enumerate(getattr(segment, field)):
            yield from check_name(places, "segments", name, entry, (field, position))
    for position, name in enumerate(segment.none_of):
        if name in segment.all_of:
            message = f"wants accounts to be in {name!r} and not in it"
            yield entry.finding(("none_of", position), message, "Keep one of the two")


def _condition(segment: Segment, entry: Entry) -> Iterator[Finding]:
    if segment.where is None:
        return
    try:
        compile_traits(segment.where)
    except CelInvalid as error:
        message = f"line {error.line}, column {error.column}: {error}"
        yield entry.finding(("where",), message, "A condition may use traits.NAME; has(traits.NAME) asks")


def known_traits(catalogue: Catalogue) -> set[str]:
    return {*catalogue.settings.dimensions, *_NO_DIMENSIONS}


def _traits(segment: Segment, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    known = known_traits(catalogue)
    named: list[tuple[Path_, str]] = [(("filter", trait), trait) for trait in segment.filter]
    try:
        named += [(("where",), trait) for trait in sorted(traits_read(segment.where or ""))]
    except CelInvalid:
        return
    for path, trait in named:
        if trait not in known:
            advice = "Correct its name, or add it to dimensions in settings.yaml"
            yield entry.warning(path, f"no account is known to have a trait {trait!r}", advice)
