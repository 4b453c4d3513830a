"""Segments of the catalogue as dimensions of a question: `segment:enterprise` is true while an account is in it. Pure.

An account is in a segment by the traits that count at the same time, so a slice by a segment moves with them, day by day.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.catalogue.cel import compile_traits, traits_read
from common.catalogue.segments import Segment
from common.figures.slices import Text, named_text, text_of

PREFIX = "segment:"
Texts = Mapping[str, Text]


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is in a segment, by the values of `traits` as JSON texts in that order."""

    traits: tuple[str, ...]
    _holds: Callable[[Texts], bool]

    def holds(self, values: Sequence[Text]) -> bool:
        return self._holds(dict(zip(self.traits, values, strict=True)))


def memberships(segments: Mapping[str, Segment], dimensions: Iterable[str]) -> dict[str, Membership]:
    """Of the dimensions that are segments of the catalogue."""
    named = {one: segments.get(one.removeprefix(PREFIX)) for one in dimensions if one.startswith(PREFIX)}
    return {
        dimension: Membership(tuple(sorted(_traits(segment, segments))), _test(segment, segments))
        for dimension, segment in named.items()
        if segment is not None
    }


def _traits(segment: Segment, segments: Mapping[str, Segment]) -> set[str]:
    own = {*segment.filter, *traits_read(segment.where or "")}
    return own.union(*(_traits(segments[part], segments) for part in segment.parts))


def _test(segment: Segment, segments: Mapping[str, Segment]) -> Callable[[Texts], bool]:
    wanted = {trait: frozenset(map(text_of, values)) for trait, values in segment.filter.items()}
    condition = compile_traits(segment.where) if segment.where else None
    every, some, none = (
        [_test(segments[part], segments) for part in parts]
        for parts in (segment.all_of, segment.any_of, segment.none_of)
    )

    def holds(texts: Texts) -> bool:
        return (
            all(named_text(texts[trait]) in values for trait, values in wanted.items())
            and (condition is None or condition.for_traits(_values(texts)) is True)
            and all(part(texts) for part in every)
            and (not some or any(part(texts) for part in some))
            and not any(part(texts) for part in none)
        )

    return holds


def _values(texts: Texts) -> dict[str, Any]:
    """What is set; a condition on a trait that isn't is unknown."""
    return {trait: json.loads(text) for trait, text in texts.items() if text is not None}
