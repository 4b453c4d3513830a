"""What single events say beyond being counted: traits, subscriptions, answers. Decoded only for the types that say it.

Each reader raises Refused for an event whose facts can't be kept exactly; such an event counts nowhere.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from common.figures.histories import CLOSED
from common.numbers import NotExact, exact, shortened
from kpi_engine.domain.buckets import LocalTime, instant_of

# PostgreSQL refuses index entries above 2,704 bytes; names, sources and ids are part of one.
_NAME_BYTES = 256
_IDENTITY_BYTES = 1536
_CURRENCY = re.compile(r"^[A-Z]{3}\Z")

ACCOUNT_TRAITS = frozenset({"account.created", "account.updated", "account.closed"})
USER_TRAITS = frozenset({"user.created", "user.updated", "user.left"})
SUBSCRIPTIONS = frozenset({f"subscription.{kind}" for kind in ("started", "changed", "renewed", "cancelled")})
ANSWERS = frozenset({"survey.responded"})
SPEAKING = ACCOUNT_TRAITS | USER_TRAITS | SUBSCRIPTIONS | ANSWERS
NEEDS_PERSON = USER_TRAITS | ANSWERS

IS_INTERNAL = "is_internal"
_OF_CLOSING = (CLOSED, "closed_at", "closed_reason")


class Refused(Exception):
    """The event is permanently unusable. `code` is stable, `message` is for its sender."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Trait(msgspec.Struct, frozen=True, gc=False):
    """`value` is JSON text; `null` clears. `of_person` tells the person's traits from the account's."""

    index: int
    of_person: bool
    name: str
    value: str


class SubscriptionChange(msgspec.Struct, frozen=True, gc=False):
    """`effective_at` None: at the event's time. `mrr` is None exactly when cancelled. `seats` None: not told, or no number.

    The last three are the dates of instants that were told as dates alone: these begin where the tenant is.
    """

    index: int
    subscription: str
    kind: str
    effective_at: datetime | None
    mrr: Decimal | None
    currency: str | None
    product: str | None
    term_end: datetime | None
    notice_deadline: datetime | None
    reason: str | None
    seats: Decimal | None
    effective_on: date | None = None
    term_end_on: date | None = None
    notice_on: date | None = None


class SurveyAnswer(msgspec.Struct, frozen=True, gc=False):
    index: int
    survey: str
    kind: str
    wave: str | None
    transactional: bool
    score: Decimal
    comment: str | None


class _TraitData(msgspec.Struct, gc=False):
    traits: dict[str, msgspec.Raw] | None = None
    reason: str | None = None
    user: str | None = None


class _SubscriptionData(msgspec.Struct, gc=False):
    subscription: str
    user: str | None = None
    mrr: msgspec.Raw = msgspec.Raw(b"null")
    currency: str | None = None
    product: str | None = None
    term_end: str | None = None
    notice_deadline: str | None = None
    effective_at: str | None = None
    reason: str | None = None
    seats: msgspec.Raw = msgspec.Raw(b"null")


class _AnswerData(msgspec.Struct, gc=False):
    survey: str
    kind: str
    score: msgspec.Raw
    user: str | None = None
    # Sources number their waves or name them.
    wave: str | int | None = None
    transactional: bool | None = None
    comment: str | None = None


class _Identified(msgspec.Struct, gc=False):
    id: str
    source: str


class _TraitEvent(_Identified, gc=False):
    data: _TraitData
    time: str
    subject: str | None = None


class _SubscriptionEvent(_Identified, gc=False):
    data: _SubscriptionData
    subject: str | None = None


class _AnswerEvent(_Identified, gc=False):
    data: _AnswerData
    subject: str | None = None


class _AnyEvent(msgspec.Struct, gc=False):
    data: dict[str, Any] | None = None


class _RawEvent(msgspec.Struct, gc=False):
    data: dict[str, msgspec.Raw] | None = None


_TRAIT_EVENT = msgspec.json.Decoder(_TraitEvent)
_SUBSCRIPTION_EVENT = msgspec.json.Decoder(_SubscriptionEvent)
_ANSWER_EVENT = msgspec.json.Decoder(_AnswerEvent)
_ANY_EVENT = msgspec.json.Decoder(_AnyEvent)
_RAW_EVENT = msgspec.json.Decoder(_RawEvent)
_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

T = TypeVar("T")


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except _UNREADABLE as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> Refused:
    return Refused("field-invalid", f"the event's data can't be read: {error}")


def _check_identity(event: _TraitEvent | _SubscriptionEvent | _AnswerEvent, event_type: str) -> None:
    """What facts are filed under. Raises Refused where there is no account, no person, or an unusable identity."""
    if not event.subject:
        raise Refused("account-missing", f"{event_type} needs a subject, the account it is about")
    if event_type in NEEDS_PERSON and not event.data.user:
        raise Refused("field-missing", f"{event_type} needs data.user, the person it is about")
    check_identity(event.source, event.id)


def check_identity(source: str, event_id: str) -> None:
    """Facts are filed under these."""
    # No character has more than four bytes.
    may_be_long = 4 * (len(source) + len(event_id)) > _IDENTITY_BYTES
    if may_be_long and len(source.encode()) + len(event_id.encode()) > _IDENTITY_BYTES:
        raise Refused("id-too-long", f"source and id together exceed {_IDENTITY_BYTES} bytes")
    for text in (source, event_id):
        storable("source and id", text)


def read_traits(index: int, event_type: str, body: bytes) -> list[Trait]:
    event = _decoded(_TRAIT_EVENT.decode, body)
    _check_identity(event, event_type)
    data = event.data
    of_person = event_type in USER_TRAITS
    values = {name: bytes(value).decode() for name, value in (data.traits or {}).items()}
    if event_type == "account.closed":
        values[CLOSED] = "true"
        values["closed_at"] = msgspec.json.encode(event.time).decode()
        values["closed_reason"] = msgspec.json.encode(data.reason).decode()
    elif event_type == "account.created":
        # Whoever is created stands, also after a closing; told in the history, so that it holds in any order of arrival.
        values = {**dict.fromkeys(_OF_CLOSING, "null"), **values}
    elif event_type == "user.left":
        # Who is internal is said by user.created and user.updated alone.
        values.pop(IS_INTERNAL, None)
        values["left"] = "true"
    for name, value in values.items():
        checked_name("a trait's name", name)
        _check_json(name, value)
    return [Trait(index, of_person, name, value) for name, value in values.items()]


def read_subscription(index: int, event_type: str, body: bytes, local: LocalTime) -> SubscriptionChange:
    event = _decoded(_SUBSCRIPTION_EVENT.decode, body)
    _check_identity(event, event_type)
    data = event.data
    kind = event_type.removeprefix("subscription.")
    ends = kind == "cancelled"
    mrr = None if ends else _number("mrr", data.mrr)
    if not ends and mrr is None:
        raise Refused("field-missing", f"{event_type} needs data.mrr, the new monthly fee")
    return SubscriptionChange(
        index=index,
        subscription=checked_name("subscription", data.subscription),
        kind=kind,
        effective_at=instant_at("effective_at", data.effective_at, local),
        mrr=mrr,
        currency=None if ends else checked_currency(data.currency),
        product=_text("product", data.product),
        term_end=instant_at("term_end", data.term_end, local),
        notice_deadline=instant_at("notice_deadline", data.notice_deadline, local),
        reason=_text("reason", data.reason),
        seats=None if ends else _seats(data.seats),
        effective_on=_bare_date(data.effective_at),
        term_end_on=_bare_date(data.term_end),
        notice_on=_bare_date(data.notice_deadline),
    )


def _seats(token: msgspec.Raw) -> Decimal | None:
    """As the trait of that name is read: what is no number is as if it weren't told, and costs no revenue."""
    try:
        seats = exact(bytes(token))
    except NotExact:
        return None
    return None if seats is None or seats < 0 else seats


def read_answer(index: int, event_type: str, body: bytes) -> SurveyAnswer:
    event = _decoded(_ANSWER_EVENT.decode, body)
    _check_identity(event, event_type)
    data = event.data
    score = _number("score", data.score)
    if score is None:
        raise Refused("field-missing", "survey.responded needs data.score, a number")
    return SurveyAnswer(
        index=index,
        survey=storable("survey", data.survey),
        kind=storable("kind", data.kind),
        wave=_text("wave", None if data.wave is None else str(data.wave)),
        transactional=data.transactional is True,
        score=score,
        comment=_text("comment", data.comment),
    )


def data_of(body: bytes) -> Mapping[str, Any]:
    """All of an event's data, for conditions that may look anywhere in it."""
    return _decoded(_ANY_EVENT.decode, body).data or {}


Fields = Mapping[str, msgspec.Raw]


def fields_of(body: bytes) -> Fields:
    """An event's data, each field as the JSON text it is."""
    return _decoded(_RAW_EVENT.decode, body).data or {}


def token_at(fields: Fields, path: tuple[str, ...], *, nulls: bool = False) -> bytes | None:
    """The JSON text at a path; None where there is nothing or, without `nulls`, null."""
    for step in path[:-1]:
        inner = fields.get(step)
        if inner is None or not bytes(inner).startswith(b"{"):
            return None
        fields = _decoded(_RAW_OBJECT.decode, bytes(inner))
    token = fields.get(path[-1])
    return None if token is None or (bytes(token) == b"null" and not nulls) else bytes(token)


@lru_cache(maxsize=256)
def token_reader(path: tuple[str, ...]) -> Callable[[bytes], bytes | None]:
    """As `token_at` of an event's body; the other fields of its data are passed over, for types that come in great numbers."""
    if len(path) > 1:
        return lambda body: token_at(fields_of(body), path)
    data = msgspec.defstruct(
        "Data", [("value", msgspec.Raw, msgspec.Raw(b"null"))], rename={"value": path[0]}, gc=False
    )
    decode = msgspec.json.Decoder(msgspec.defstruct("Event", [("data", data | None, None)], gc=False)).decode

    def read(body: bytes) -> bytes | None:
        try:
            found: Any = decode(body)
        except _UNREADABLE as error:
            raise _unreadable(error) from error
        token = b"null" if found.data is None else bytes(found.data.value)
        return None if token == b"null" else token

    return read


def number_at(fields: Fields, path: tuple[str, ...]) -> Decimal | None:
    token = token_at(fields, path)
    return None if token is None else _number(".".join(path), token)


def number_of(field: str, token: bytes) -> Decimal:
    """The number that a JSON text other than null is."""
    number = _number(field, token)
    assert number is not None
    return number


def _number(field: str, token: msgspec.Raw | bytes) -> Decimal | None:
    try:
        return exact(bytes(token))
    except NotExact as error:
        raise Refused(error.code, f"data.{field}: {error}") from error


def instant_at(field: str, text: str | None, local: LocalTime) -> datetime | None:
    """An instant with a zone; a bare date is the tenant's local midnight."""
    if text is None:
        return None
    try:
        day = _bare_date(text)
        return instant_of(text) if day is None else local.start_of(day)
    except (ValueError, OverflowError) as error:
        message = f"data.{field}: {shortened(text)} is neither a date nor a time with its zone"
        raise Refused("time-invalid", message) from error


def _bare_date(text: str | None) -> date | None:
    """Raises ValueError for what is as long as a date and is none."""
    return date.fromisoformat(text) if text and len(text) == len("2026-01-31") else None


def checked_currency(code: str | None) -> str:
    """Any currency is kept; figures convert it by dated rates."""
    if code is None or not _CURRENCY.match(code):
        raise Refused(
            "currency-unknown", f"{shortened(repr(code))} is no currency; name its three letters, such as EUR"
        )
    return code


def checked_name(field: str, text: str) -> str:
    if len(text.encode()) > _NAME_BYTES:
        raise Refused("name-too-long", f"{field} exceeds {_NAME_BYTES} bytes: {shortened(text)}")
    return storable(field, text)


def _text(field: str, text: str | None) -> str | None:
    return None if text is None else storable(field, text)


def storable(field: str, text: str) -> str:
    if "\0" in text:
        raise Refused("text-invalid", f"{field} contains a NUL character")
    return text


def _check_json(name: str, value: str) -> None:
    """What jsonb would refuse, and with it the whole transaction, is refused here: NUL, and numbers out of range."""
    try:
        decoded = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("field-invalid", f"trait {shortened(name)}: {error}") from error
    if "\\u0000" in value and _has_nul(decoded):
        raise Refused("text-invalid", f"trait {shortened(name)} contains a NUL character")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
