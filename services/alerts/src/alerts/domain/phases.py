"""In one word how an alert, or a whole case, stands: what a person looks for first."""

from collections.abc import Iterable
from typing import Literal

Phase = Literal["pending", "firing", "flapping", "no-data", "recovering", "standing", "resolved", "withdrawn"]
# What a case is called after: the first of these that one of its alerts is in.
_GRAVEST_FIRST: tuple[Phase, ...] = ("firing", "flapping", "no-data", "recovering")


def phase_of(state: str, reason: str, *, is_recovering: bool, lacks_data: bool) -> Phase:
    """Of an alert, from its state as it is stored."""
    if state != "firing":
        return state  # type: ignore[return-value] # the other states are phases
    if reason == "flapping":
        return "flapping"
    if lacks_data:
        return "no-data"
    return "recovering" if is_recovering else "firing"


def phase_of_case(status: str, resolution: str | None, phases: Iterable[Phase]) -> Phase:
    if status == "resolved":
        return "withdrawn" if resolution == "withdrawn" else "resolved"
    found = set(phases)
    return next((phase for phase in _GRAVEST_FIRST if phase in found), "recovering")
