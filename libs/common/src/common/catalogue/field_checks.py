"""What measures read of events, held against the fields that the types of these events declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from common.catalogue.cel import CelInvalid
from common.catalogue.event_filters import Compared, check_filter, compared
from common.catalogue.findings import Finding, Severity
from common.catalogue.models import Catalogue, EventField, Measure
from common.catalogue.places import Places
from common.catalogue.source import Entry, Path_

# Every event may name its person, whatever its type declares.
_OF_ALL_TYPES = "user"
_NO_NUMBERS = ("string", "boolean", "instant", "period", "object")
_KINDS = {"string": str, "instant": str, "period": str, "number": float, "integer": float, "boolean": bool}
"""As what a filter sees a field; money is told as a text or as a number."""
_DECIMALS = {"number": 1, "money": 2}
"""The least that a field of a type is to be expected with."""


@dataclass(frozen=True, slots=True)
class Read:
    """A field of `data` that a measure reads at `path` of events of these types. `inner`: it reads within the field."""

    field: str
    types: tuple[str, ...]
    path: Path_
    inner: bool = False


def check_fields(made: Measure, catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    """Of a measure whose paths and types are in order; of what its types don't declare nothing can be said but that."""
    entry = places["measures"][made.name]
    for read in _reads(made):
        if is_undeclared(read, catalogue):
            yield _undeclared(read, catalogue, places, entry)
    numbers = [("field", made.field, made.event_types)] if made.agg in ("sum", "last") else []
    numbers += [("amount", made.amount, _all_types(made))]
    for where, path, types in numbers:
        number = path_read(path, types, (where,))
        if number is not None and not number.inner:
            yield from _number(made, number, catalogue, places, entry)
    for source, of, at in _filters(made):
        yield from _filter(source, of, at, catalogue, places, entry)


def path_read(path: str | None, types: tuple[str, ...], where: Path_) -> Read | None:
    """What a path such as `data.amount` reads; None for none."""
    first, *inner = (path or "").removeprefix("data.").split(".")
    return Read(first, types, where, bool(inner)) if first else None


def declared(read: Read, catalogue: Catalogue) -> Mapping[str, EventField]:
    """How each of the types that declare the field declares it."""
    known = {name: catalogue.event_types[name].fields for name in read.types if name in catalogue.event_types}
    return {name: fields[read.field] for name, fields in known.items() if read.field in fields}


def steps_named(made: Measure, catalogue: Catalogue) -> tuple[frozenset[str], bool] | None:
    """The steps that a measure's entities can take, and whether types declare some of them by an enum; None where any text may name one."""
    names, by_enum = {step.name for step in made.steps if step.name}, False
    for position, step in enumerate(made.steps):
        read = path_read(step.name_from, step.event_types, ("steps", position, "name_from"))
        if read is None:
            continue
        enums = [field.enum for field in declared(read, catalogue).values()]
        if read.inner or len(enums) < len(set(read.types)) or None in enums:
            return None
        names |= {str(value) for enum in enums for value in enum or ()}
        by_enum = True
    return frozenset(names), by_enum


def is_undeclared(read: Read, catalogue: Catalogue) -> bool:
    """Whether all of the types are known and say what their events have, and none of them says this."""
    known = [catalogue.event_types.get(name) for name in read.types]
    said = bool(known) and all(type_ is not None and type_.fields for type_ in known)
    return said and read.field != _OF_ALL_TYPES and not declared(read, catalogue)


def blamed(
    read: Read, type_: str, message: str, advice: str, places: Places, entry: Entry, severity: Severity
) -> Finding:
    """At the measure, or at the event type where a later overlay declares that otherwise than the measure reads it."""
    by = places["event-types"][type_]
    if by.document.layer <= entry.document.layer:
        return entry.finding(read.path, message, advice, severity)
    where = f"{entry.document.file}:{entry.document.line((*entry.path, *read.path))}"
    return by.finding(("fields", read.field), f"{where}: {message}", advice, severity)


def _all_types(made: Measure) -> tuple[str, ...]:
    """Of the measure itself, or of all its steps."""
    of_steps = (name for step in made.steps for name in step.event_types)
    return tuple(dict.fromkeys((*made.event_types, *of_steps)))


def _reads(made: Measure) -> Iterator[Read]:
    types = _all_types(made)
    paths: list[tuple[str | None, tuple[str, ...], Path_]] = [
        (made.field, types, ("field",)),
        (made.amount, types, ("amount",)),
    ]
    paths += [(path, types, ("entity", position)) for position, path in enumerate(made.entity)]
    paths += [(label, types, ("labels", position)) for position, label in enumerate(made.labels)]
    for position, step in enumerate(made.steps):
        paths += [
            (getattr(step, part), step.event_types, ("steps", position, part))
            for part in ("name_from", "instant")
        ]
    for path, of, where in paths:
        if (read := path_read(path, of, where)) is not None:
            yield read


def _filters(made: Measure) -> Iterator[tuple[str, tuple[str, ...], Path_]]:
    if made.where is not None:
        yield made.where, made.event_types, ("where",)
    for position, step in enumerate(made.steps):
        if step.where is not None:
            yield step.where, step.event_types, ("steps", position, "where")


def _filter(
    source: str, types: tuple[str, ...], path: Path_, catalogue: Catalogue, places: Places, entry: Entry
) -> Iterator[Finding]:
    try:
        check_filter(source)
    except CelInvalid:
        return
    unknown: set[str] = set()
    for one in compared(source):
        read = Read(one.field, types, path, one.inner)
        if is_undeclared(read, catalogue) and one.field not in unknown:
            unknown.add(one.field)
            yield _undeclared(read, catalogue, places, entry)
        elif types and not one.inner and set(types) <= declared(read, catalogue).keys():
            yield from _literals(one, read, catalogue, places, entry)


def _literals(
    one: Compared, read: Read, catalogue: Catalogue, places: Places, entry: Entry
) -> Iterator[Finding]:
    """Of a field that all of the types declare."""
    fields = declared(read, catalogue)
    type_, field = max(fields.items(), key=lambda item: places["event-types"][item[0]].document.layer)
    for literal in one.literals:
        if not any(_has_kind(literal, its) for its in fields.values()):
            message = (
                f"data.{read.field} of {type_} is declared as {field.type}, and {_shown(literal)} is none"
            )
            advice = "Compare it with what it is declared as, or correct its type in the event type"
            yield blamed(read, type_, message, advice, places, entry, "error")
            return
        if one.sign in ("==", "!=", "in") and not any(_may_be(literal, its) for its in fields.values()):
            known = [str(value) for value in field.enum or ()]
            close = get_close_matches(str(literal), known, n=1)
            advice = f"Did you mean {close[0]!r}?" if close else f"Use one of {', '.join(known)}"
            message = f"data.{read.field} of {type_} is never {_shown(literal)}"
            yield blamed(read, type_, message, advice, places, entry, "warning")


def _has_kind(literal: object, field: EventField) -> bool:
    wanted = _KINDS.get(field.type)
    return wanted is None or type(literal) is wanted


def _may_be(literal: object, field: EventField) -> bool:
    return field.enum is None or any(
        value == literal and isinstance(value, bool) == isinstance(literal, bool) for value in field.enum
    )


def _shown(literal: object) -> str:
    if isinstance(literal, bool):
        return str(literal).lower()
    return f"{literal:g}" if isinstance(literal, float) else repr(literal)


def _undeclared(read: Read, catalogue: Catalogue, places: Places, entry: Entry) -> Finding:
    named = sorted({field for name in read.types for field in catalogue.event_types[name].fields})
    close = get_close_matches(read.field, named, n=1)
    advice = f"Did you mean {close[0]!r}?" if close else "Correct its name, or declare it in the event type"
    shown = ", ".join(read.types[:3]) + (", ..." if len(read.types) > 3 else "")
    message = f"no field {read.field!r} is declared by {shown}"
    latest = max(read.types, key=lambda name: places["event-types"][name].document.layer)
    return blamed(read, latest, message, advice, places, entry, "warning")


def _number(
    made: Measure, read: Read, catalogue: Catalogue, places: Places, entry: Entry
) -> Iterator[Finding]:
    """Of a field that is added up, or converted as an amount."""
    for type_, field in declared(read, catalogue).items():
        what = f"data.{read.field} of {type_}"
        if field.type in _NO_NUMBERS:
            message = f"{what} is declared as {field.type}, and nothing of that can be added up"
            advice = "Name a field that is a number, or correct its type in the event type"
            yield blamed(read, type_, message, advice, places, entry, "error")
            return
        if (
            made.agg != "steps"
            and field.type == "money"
            and "currency" in catalogue.event_types[type_].fields
        ):
            message = (
                f"{what} is money with a currency beside it, and all currencies would be added up as one"
            )
            advice = (
                f"Use agg: steps with amount: data.{read.field}, and a metric that sums the amounts of a step, "
                "as the pack's deals and spend do: those are converted by dated rates"
            )
            yield blamed(read, type_, message, advice, places, entry, "error")
            return
        if made.agg == "sum":
            yield from _scale(what, field, made.scale, entry)


def _scale(what: str, field: EventField, scale: int, entry: Entry) -> Iterator[Finding]:
    where = ("scale" if "scale" in entry.value else "field",)
    advice = "Raise scale to the decimals that it may have, or declare the field as integer"
    lost = [value for value in field.enum or () if isinstance(value, float) and round(value, scale) != value]
    if lost:
        message = f"{what} may be {lost[0]}, which has more than {scale} decimals and would be refused"
        yield entry.finding(where, message, advice)
    elif field.enum is None and scale < _DECIMALS.get(field.type, 0):
        message = f"{what} is declared as {field.type}; an event with more than {scale} decimals is refused and counts nowhere"
        yield entry.warning(where, message, advice)
