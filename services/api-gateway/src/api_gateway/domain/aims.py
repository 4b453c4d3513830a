"""Targets beside what was reached in the past. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from common.figures.model import Number

Aim = tuple[Number | None, Number | None, Number | None]
"""Value, low, high; a value or a range that may be open at one end."""


def is_stretch(aim: Aim, direction: str, past: Sequence[Number | None]) -> bool | None:
    """Tell whether a target lies beyond every one of the past figures. None where nothing is known of the past.

    A range counts by the end that is reached first: its low end where more is better, its high end where less is.
    """
    value, low, high = aim
    ends = (value, low, high) if direction == "higher" else (value, high, low)
    wanted = next((exact(end) for end in ends if end is not None), None)
    known = [exact(figure) for figure in past if figure is not None]
    if wanted is None or not known:
        return None
    return wanted > max(known) if direction == "higher" else wanted < min(known)


def exact(number: Number) -> Decimal:
    """Of a float the decimal that it is written as."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
