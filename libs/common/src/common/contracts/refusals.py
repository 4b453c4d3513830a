"""Why an item is refused. Codes are stable: they appear in answers, rejected records, metric labels and the reference."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Every reason for which ingest refuses one item of a request."""

    INVALID_JSON = "invalid-json"
    INVALID_UTF8 = "invalid-utf8"
    LONE_SURROGATE = "lone-surrogate"
    NUL_CHARACTER = "nul-character"
    CONTROL_CHARACTER = "control-character"
    NESTING_TOO_DEEP = "nesting-too-deep"
    TOO_MANY_KEYS = "too-many-keys"
    EVENT_TOO_LARGE = "event-too-large"
    NOT_AN_OBJECT = "not-an-object"
    ATTRIBUTE_MISSING = "attribute-missing"
    ATTRIBUTE_NOT_STRING = "attribute-not-string"
    ATTRIBUTE_EMPTY = "attribute-empty"
    ATTRIBUTE_TOO_LONG = "attribute-too-long"
    SPECVERSION_UNSUPPORTED = "specversion-unsupported"
    SUBJECT_MISSING = "subject-missing"
    TIME_INVALID = "time-invalid"
    TIME_WITHOUT_ZONE = "time-without-zone"
    TIME_TOO_OLD = "time-too-old"
    TIME_IN_FUTURE = "time-in-future"
    DATA_BASE64 = "data-base64"
    DATA_NOT_OBJECT = "data-not-object"
    DATA_NOT_JSON = "data-not-json"
    USER_INVALID = "user-invalid"
    FIELD_MISSING = "field-missing"
    FIELD_INVALID = "field-invalid"
    FIELD_OUT_OF_RANGE = "field-out-of-range"
    MONEY_INVALID = "money-invalid"
    # Segment
    TYPE_UNKNOWN = "type-unknown"
    NO_USER_ANON_ID = "no-user-anon-id"
    EVENT_NAME_MISSING = "event-name-missing"
    GROUP_ID_MISSING = "group-id-missing"
    PREVIOUS_ID_MISSING = "previous-id-missing"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is wrong with an item, in words that say how to mend it."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused item of a request. `index` counts from 0 in the order sent; `id` is what the item calls itself, if that can be read;
    `body` is the item as received."""

    index: int
    id: str | None
    refusal: Refusal
    body: bytes
