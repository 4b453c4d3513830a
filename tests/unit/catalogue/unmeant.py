"""Overlays that are in order and yet say what hardly anybody means, in one way each; as in `broken`."""

from __future__ import annotations

from tests.unit.catalogue.broken import MARK, MEASURE, TYPE, Broken

OWN_TYPE = (
    (
        TYPE,
        "name: own.done\nfields:\n  size: {type: number}\n  paid: {type: money}\n  seats: {type: integer}\n",
    ),
)


def measure(*lines: str, types: str = "activity.logged") -> str:
    return "\n".join(("name: own", f"event_types: [{types}]", *lines, ""))


def steps(*lines: str, types: str = "ticket.opened", more: str = "") -> str:
    return "\n".join(
        ("name: own", "agg: steps", *lines, "steps:", f"  - {{name: done, event_types: [{types}]{more}}} ")
    )


FIELDS = [
    Broken("a sum of what isn't declared", MEASURE, measure("agg: sum", f"field: data.minuts {MARK}"), "own.field", "no field 'minuts' is declared by activity.logged"),
    Broken("distinct values of what isn't declared", MEASURE, measure("agg: distinct", f"field: data.ownr {MARK}"), "own.field", "no field 'ownr' is declared by activity.logged"),
    Broken("a number without decimals", MEASURE, measure("agg: sum", f"field: data.size {MARK}", types="own.done"), "own.field", "declared as number; an event with more than 0 decimals", OWN_TYPE),
    Broken("money without cents", MEASURE, measure("agg: sum", "field: data.paid", f"scale: 1 {MARK}", types="own.done"), "own.scale", "declared as money; an event with more than 1 decimals", OWN_TYPE),
    Broken("an entity that isn't declared", MEASURE, steps(f"entity: [data.nope] {MARK}"), "own.entity.0", "no field 'nope' is declared by ticket.opened"),
    Broken("an amount that isn't declared", MEASURE, steps(f"amount: data.nope {MARK}"), "own.amount", "no field 'nope' is declared"),
    Broken("a label that isn't declared", MEASURE, steps(f"labels: [priority, them] {MARK}"), "own.labels.1", "no field 'them' is declared"),
]  # fmt: skip
ALL = [*FIELDS]
