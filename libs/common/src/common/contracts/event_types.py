"""What the types of events demand of `data`, as data: a table per tenant from its catalogue, or the base pack's.

A rule has two faces that agree: `accepts` decides in one typed decode, `refusal` says what is wrong. Types without a rule are accepted.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from common.catalogue.models import EventField, EventType
from common.contracts.instants import refuse_calendar
from common.contracts.refusals import Code, Refusal
from common.periods import FORMS, period_named

# Amounts are exact decimals: more digits come from a division and not from a price list.
MONEY = re.compile(rb'(?:"-?\d{1,12}(?:\.\d{1,6})?"|-?\d{1,12}(?:\.\d{1,6})?)')
CURRENCY = re.compile(r"[A-Z]{3}")
MAX_NAME_CHARACTERS = 256
# Fields in which people write: any length that an event may have, and line breaks.
FREE_TEXT = frozenset({"comment", "text", "reason", "description"})

# What a score may be, by the kind of survey; a rule on two fields, which a catalogue can't say.
SCORES: Mapping[str, tuple[int, int]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
SCORED_TYPE = "survey.responded"

_KINDS: Mapping[str, Any] = {
    "string": str,
    "number": int | float,
    "integer": int,
    "boolean": bool,
    "money": msgspec.Raw,
    "instant": str,
    "period": str,
    "object": msgspec.Raw,
    "any": msgspec.Raw,
}
_WORDS: Mapping[str, str] = {
    "string": f"a string of 1 to {MAX_NAME_CHARACTERS} characters without control characters",
    "number": "a JSON number",
    "integer": "a whole JSON number",
    "boolean": "true or false",
    "instant": "an RFC 3339 instant with a zone, or a date",
    "period": f"a period: {FORMS}",
    "object": "a JSON object",
    "money": 'an exact decimal with at most 12 digits before the point and 6 after it, best as a string such as "99.50"',
}


class _Object(msgspec.Struct, gc=False):
    """Any JSON object."""


class Data(msgspec.Struct, gc=False):
    """What every event's `data` must keep to: a JSON object, and `user` a name where it is there."""

    user: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)] | None = None


class Face:
    """The quick look at `data`: `decode` raises unless every field has its type; what `names` gives must be printable too."""

    __slots__ = ("decode", "names")

    def __init__(self, data: type[Data], names: Sequence[str] = ()) -> None:
        self.decode: Callable[[msgspec.Raw], Data] = msgspec.json.Decoder(data).decode
        self.names: Callable[[Data], Any] | None = attrgetter(*names) if names else None

    def is_printable(self, data: Data) -> bool:
        """Tell whether the names in `data` are beyond doubt free of control characters."""
        if data.user is not None and not data.user.isprintable():
            return False
        if self.names is None:
            return True
        found = self.names(data)
        text = "".join(filter(None, found)) if type(found) is tuple else found
        return text is None or bool(text.isprintable())


# For types that nobody declared.
ANY_DATA = Face(Data)


@dataclass(frozen=True, slots=True)
class TypeRule:
    """What one type demands. `face` is the quick look that never accepts what `refusal` refuses; None where only `refusal` can tell."""

    name: str
    fields: Mapping[str, EventField]
    face: Face | None

    def refusal(self, data: bytes | None) -> Refusal | None:
        """Return what is wrong with `data` (a JSON object, or None where the event has none)."""
        found = msgspec.json.decode(data, type=dict[str, msgspec.Raw]) if data else {}
        for name, field in self.fields.items():
            raw = bytes(found.get(name, b"null"))
            if raw == b"null":
                if field.required:
                    return Refusal(Code.FIELD_MISSING, f"{self.name} needs `data.{name}`")
                continue
            wrong = _refuse_field(self.name, name, field, raw)
            if wrong is not None:
                return wrong
        return _refuse_score(found) if self.name == SCORED_TYPE else None


@dataclass(frozen=True, slots=True)
class TypeRules:
    """The declared types of one tenant: rules by name, their quick looks, and which types are about the tenant itself and so need no account."""

    rules: Mapping[str, TypeRule]
    faces: Mapping[str, Face | None]
    tenant_level: frozenset[str]


def rules_of(types: Iterable[EventType], tenant_level: Iterable[str] = ()) -> TypeRules:
    """Build the rules of declared types; `tenant_level` names more types that need no account."""
    declared = list(types)
    rules = {t.name: rule_of(t) for t in declared if t.fields}
    return TypeRules(
        rules,
        {name: rule.face for name, rule in rules.items()},
        frozenset(t.name for t in declared if t.tenant_level) | frozenset(tenant_level),
    )


def rule_of(event_type: EventType) -> TypeRule:
    """Build the rule of a type; one whose fields need more than a typed decode has no quick look."""
    fields = event_type.fields
    slow = event_type.name == SCORED_TYPE or any(
        f.type in ("money", "instant", "period") or name == "currency" or (f.min, f.max) != (None, None)
        for name, f in fields.items()
    )
    return TypeRule(event_type.name, fields, None if slow else _face_of(fields))


def _face_of(fields: Mapping[str, EventField]) -> Face:
    attributes = {name: "user" if name == "user" else f"f{number}" for number, name in enumerate(fields)}
    members: list[Any] = []
    for name, field in fields.items():
        kind = _quick(name, field)
        members.append((attributes[name], kind) if field.required else (attributes[name], kind | None, None))
    data: Any = msgspec.defstruct(
        "Data",
        members,
        bases=(Data,),
        rename={attribute: name for name, attribute in attributes.items()},
        gc=False,
        kw_only=True,
    )
    names = [
        attributes[n] for n, f in fields.items() if f.type == "string" and n not in FREE_TEXT and n != "user"
    ]
    return Face(data, names)


def _quick(name: str, field: EventField) -> Any:
    """Return the type that a typed decode demands of a field; never wider than `refusal`."""
    if field.type == "object":
        return _Object
    if field.type == "any":
        return _Object | str | int | float | bool | list[Any]
    if field.enum is not None and field.type == "string":
        return Literal[field.enum]
    if field.type == "string":
        limit = None if name in FREE_TEXT else MAX_NAME_CHARACTERS
        return Annotated[str, msgspec.Meta(min_length=1, max_length=limit)]
    return {"number": int | float, "integer": int, "boolean": bool}[field.type]


def _refuse_field(event_type: str, name: str, field: EventField, raw: bytes) -> Refusal | None:
    where = f"{event_type}: `data.{name}`"
    value = _value_of(field.type, raw)
    if field.type == "string" and not _is_name(name, value):
        value = None
    if field.type == "period" and value is not None and period_named(value) is None:
        value = None
    if value is None:
        code = Code.MONEY_INVALID if field.type == "money" else Code.FIELD_INVALID
        return Refusal(code, f"{where} must be {_WORDS[field.type]}, not {_shown(raw)}")
    if field.type == "instant" and (wrong := refuse_calendar(str(value))):
        return Refusal(Code.FIELD_INVALID, f"{where}: {wrong}")
    if name == "currency" and not CURRENCY.fullmatch(str(value)):
        return Refusal(Code.FIELD_INVALID, f"{where} must be an ISO 4217 code such as EUR, not {_shown(raw)}")
    if field.enum is not None and value not in field.enum:
        return Refusal(
            Code.FIELD_INVALID, f"{where} must be one of {', '.join(map(str, field.enum))}, not {_shown(raw)}"
        )
    low = field.min is not None and _number(value) < Decimal(str(field.min))
    high = field.max is not None and _number(value) > Decimal(str(field.max))
    if low or high:
        return Refusal(Code.FIELD_OUT_OF_RANGE, f"{where} must lie {_range(field)}, not {_shown(raw)}")
    return None


def _value_of(kind: str, raw: bytes) -> Any:
    """Return the field's value, or None when it isn't of its kind."""
    if kind == "money":
        return Decimal(raw.strip(b'"').decode()) if MONEY.fullmatch(raw) else None
    if kind == "object":
        return raw if raw[:1] == b"{" else None
    if kind == "any":
        return raw
    try:
        value = msgspec.json.decode(raw, type=_KINDS[kind])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return value


def _is_name(field: str, value: Any) -> bool:
    return bool(value) and (
        field in FREE_TEXT or (len(value) <= MAX_NAME_CHARACTERS and not has_control(value))
    )


def _refuse_score(found: Mapping[str, msgspec.Raw]) -> Refusal | None:
    kind = msgspec.json.decode(found.get("kind", b"null"))
    score = _value_of("number", bytes(found.get("score", b"null")))
    if not isinstance(kind, str) or kind not in SCORES or score is None:
        return None
    low, high = SCORES[kind]
    whole = kind != "nps" or score == int(score)
    if low <= score <= high and whole:
        return None
    number = "whole number" if kind == "nps" else "number"
    return Refusal(
        Code.FIELD_OUT_OF_RANGE, f"{SCORED_TYPE}: an {kind} `data.score` is a {number} from {low} to {high}"
    )


def has_control(text: str) -> bool:
    """Tell whether a name holds C0 or C1 control characters or DEL."""
    return not text.isprintable() and any(c < " " or "\x7f" <= c <= "\x9f" for c in text)


def _number(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _range(field: EventField) -> str:
    if field.max is None:
        return f"at or above {field.min:g}"
    return f"at or under {field.max:g}" if field.min is None else f"between {field.min:g} and {field.max:g}"


def _shown(raw: bytes) -> str:
    return raw[:40].decode(errors="replace")
