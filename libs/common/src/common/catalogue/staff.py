"""Which steps don't count when one of our own people takes them: what a customer does, and what is done to one. What is our own doing counts whoever did it."""

from __future__ import annotations

from dataclasses import dataclass

from common.catalogue.models import Catalogue, Measure


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Steps called one of `names`; with `others` all but these."""

    names: tuple[str, ...] = ()
    others: bool = False

    def __contains__(self, step: str) -> bool:
        return (step in self.names) != self.others


def left_out(measure: Measure, catalogue: Catalogue) -> LeftOut:
    """Of a measure of steps: those that people marked internal don't take.

    A step is a customer's where a type of it is activity, or where it is done to them.
    """
    if not measure.exclude_internal:
        return LeftOut()
    customers: dict[str | None, bool] = {}
    for step in measure.steps:
        does = step.to_customer or any(catalogue.is_activity(kind) for kind in step.event_types)
        customers[step.name] = does or customers.get(step.name, False)
    others = customers.pop(None, False)  # steps that are named by a field may be called anything
    return LeftOut(tuple(name for name, does in customers.items() if name and does != others), others)
