"""Overlays that are in order and yet say what hardly anybody means, in one way each; as in `broken`."""

from __future__ import annotations

from tests.unit.catalogue.broken import DIMENSIONS, MARK, MEASURE, TYPE, Broken, M, derived, metric

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
FILTERS = [
    Broken("a filter on what isn't declared", MEASURE, measure("agg: count", f"where: event.data.knd == 'review' {MARK}"), "own.where", "no field 'knd' is declared by activity.logged"),
    Broken("a filter on a value that isn't", MEASURE, measure("agg: count", f"where: event.data.kind == 'reviw' {MARK}"), "own.where", "data.kind of activity.logged is never 'reviw'"),
    Broken("a filter on one of several values", MEASURE, measure("agg: count", f"where: event.data.kind in ['call', 'visit'] {MARK}"), "own.where", "is never 'visit'"),
    Broken("a filter the other way round", MEASURE, measure("agg: count", f"where: event.data.owner.startsWith('a') && 'visit' != event.data.kind {MARK}"), "own.where", "is never 'visit'"),
    Broken("a step on what isn't declared", MEASURE, steps(more=f", where: has(event.data.them)}} # {MARK}").rstrip("} ") + "\n", "own.steps.0.where", "no field 'them' is declared by ticket.opened"),
]  # fmt: skip
METRICS = [
    Broken("owners by a trait that isn't", M, metric("ratio", f"{{type: coverage, measure: contacts, step: two_way, owner: ownr}} {MARK}", kind="ratio", rollup="ratio"), "own.formula.owner", "no account is known to have a trait 'ownr'"),
    Broken("a life by a trait that isn't", M, metric("money", f"{{type: lifetime, measure: mrr, by: sgment}} {MARK}", kind="derived", rollup="cohort_recompute"), "own.formula.by", "no account is known to have a trait 'sgment'"),
    Broken("only of a trait that isn't", M, metric(only=f"{{knd: [partner]}} {MARK}"), "own.only.knd", "no account is known to have a trait 'knd'"),
    Broken("complete before its slower side", M, derived("100 * complaints / paying_accounts", "per_100", settles_after=f"7 days {MARK}"), "own.settles_after", "7 days is shorter than paying_accounts takes (45 days)"),
    Broken("spend for a purpose that isn't", M, metric("money", f"{{type: recorded, measure: spend, step: aquisition, sum: amount}} {MARK}"), "own.formula.step", "'aquisition' is no step of measure 'spend'"),
]  # fmt: skip
SETTINGS = [
    Broken("a currency that isn't", "settings.yaml", f"currency: ZZZ {MARK}\n", "currency", "ZZZ is no currency of ISO 4217"),
    Broken("a dimension of two words", "settings.yaml", DIMENSIONS + f"  - company size {MARK}\n", "dimensions.6", "'company size' has a blank in it"),
]  # fmt: skip
SEGMENTS = [
    Broken("Norway", "segments/own.yaml", f"name: own\nlabel: Own\nfilter:\n  region: [SE, NO] {MARK}\n", "filter.region.1", "YAML reads NO as false"),
]  # fmt: skip
ALL = [*FIELDS, *FILTERS, *METRICS, *SETTINGS, *SEGMENTS]
