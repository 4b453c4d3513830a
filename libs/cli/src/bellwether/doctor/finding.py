"""One answer of the doctor: what was looked at, how it stands, and where it is not well, why and what to do."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Health(StrEnum):
    """`unknown`: it could not be looked at, because something else is missing or failed."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """`what` says how it is; `why` and `do` are empty where nothing is to be done."""

    check: str
    health: Health
    what: str
    why: str = ""
    do: str = ""

    def as_data(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


def ok(check: str, what: str) -> Finding:
    return Finding(check, Health.OK, what)


def note(check: str, what: str) -> Finding:
    return Finding(check, Health.NOTE, what)


def warning(check: str, what: str, why: str, do: str) -> Finding:
    return Finding(check, Health.WARNING, what, why, do)


def failure(check: str, what: str, why: str, do: str) -> Finding:
    return Finding(check, Health.FAILURE, what, why, do)


def unknown(check: str, what: str) -> Finding:
    return Finding(check, Health.UNKNOWN, what)
