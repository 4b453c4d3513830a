"""Events without an erased person: a token stands wherever the name stood."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

TokenOf = Callable[[str], str | None]
"""The token of an erased person by name; None for everybody else."""

# What tells events apart and places them in time names no person, and must stay for the event to stay the same one.
_UNTOUCHED = frozenset({"specversion", "id", "source", "type", "time", "originaltime", "recordedtime"})
# What a person wrote, or is described by, may tell who it was. Roles are few words that many people share.
_OWN_WORDS = frozenset({"comment", "text"})
_SHARED_TRAITS = frozenset({"role", "persona"})
# Accounts that Segment's events without a group are kept under.
USER_ACCOUNT = "user:"

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def erased_event(body: bytes, token_of: TokenOf) -> bytes:
    """The event with every text that is an erased name replaced; of events by such a person, also words of their own.

    What is not JSON, or names nobody, comes back as it is; numbers keep their digits.
    """
    try:
        event = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError):
        return body
    if not isinstance(event, dict):
        return body
    user = event["data"].get("user") if isinstance(event.get("data"), dict) else None
    own = token_of(user) if isinstance(user, str) else None
    erased = {
        name: value if name in _UNTOUCHED else erased_value(value, token_of) for name, value in event.items()
    }
    if isinstance(erased.get("subject"), str):
        erased["subject"] = erased_account(erased["subject"], token_of)
    if own is not None:
        of_account = str(event.get("type", "")).startswith("account.")
        erased["data"] = _without_own_words(erased["data"], own, of_account=of_account)
    return body if erased == event else _ENCODER.encode(erased)


def erased_account(account: str, token_of: TokenOf) -> str:
    if not account.startswith(USER_ACCOUNT):
        return account
    token = token_of(account.removeprefix(USER_ACCOUNT))
    return account if token is None else f"{USER_ACCOUNT}{token}"


def erased_trait(name: str, value: Any, token: str) -> Any:
    """A trait of an erased person: texts and what holds them become the token; numbers and yes or no stay."""
    kept = name in _SHARED_TRAITS or value is None or isinstance(value, bool | int | float | Decimal)
    return value if kept else token


def erased_labels(labels: Mapping[str, str], token_of: TokenOf, own: str | None) -> dict[str, str]:
    """What an event said of a case; `own` is the token where the erased person said it."""
    return {
        name: own if own is not None and name in _OWN_WORDS else token_of(value) or value
        for name, value in labels.items()
    }


def decoded(text: str) -> Any:
    """JSON with every digit of its numbers."""
    return _DECODER.decode(text)


def encoded(value: Any) -> str:
    return _ENCODER.encode(value).decode()


def erased_value(value: Any, token_of: TokenOf) -> Any:
    """A value with every text in it that is an erased name replaced."""
    if isinstance(value, str):
        return token_of(value) or value
    if isinstance(value, list):
        return [erased_value(item, token_of) for item in value]
    if isinstance(value, dict):
        return {token_of(name) or name: erased_value(item, token_of) for name, item in value.items()}
    return value


def _without_own_words(data: Mapping[str, Any], token: str, *, of_account: bool) -> dict[str, Any]:
    """What a person says of an account, its traits, describes the account."""
    changed: dict[str, Any] = {
        name: token if name in _OWN_WORDS and isinstance(value, str) else value
        for name, value in data.items()
    }
    if isinstance(changed.get("traits"), dict) and not of_account:
        changed["traits"] = {
            name: erased_trait(name, value, token) for name, value in changed["traits"].items()
        }
    return changed
