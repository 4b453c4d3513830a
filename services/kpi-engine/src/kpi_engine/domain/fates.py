"""The fate of an event, as the live view shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from kpi_engine.domain.decode import Columns, Poisoned, about_of

Fate = Literal["accepted", "duplicate", "conflict", "late", "rejected"]

# Fates kept of one batch, tenant and partition: the unusual ones first, then the last accepted ones.
UNUSUAL_KEPT = 100
ACCEPTED_KEPT = 100
LEFT_OUT = "left-out"
LATE_AFTER_US = 24 * 3600 * 1_000_000

MESSAGES: dict[str, str] = {
    "duplicate": "an event with this account, source and id was counted before; it counts once",
    "conflict": "an event with this account, source and id was counted before with another body; the first one stands",
    "late": "it happened more than 24 hours before it arrived; it counts in the bucket of its own time",
}


def fate_of_new(event_at_us: int, ingested_at_us: int) -> Fate:
    """A new event is accepted; late when it happened more than a day before it arrived."""
    return "late" if ingested_at_us - event_at_us > LATE_AFTER_US else "accepted"


def as_shown(columns: Columns, i: int, fate: Fate, left_out: str = "") -> dict[str, Any]:
    """Return one event's fate as published. `left_out`: of which measures it is no part, and why."""
    shown: dict[str, Any] = {
        "at": int(columns.ingested_at_us[i]),
        "id": columns.ids[i],
        "source": columns.sources[i],
        "type": columns.types[i],
        "account": columns.accounts[i] or None,
        "time": columns.times[i],
        "fate": fate,
    }
    if fate != "accepted":
        shown |= {"code": fate, "message": MESSAGES[fate]}
    if left_out:
        shown |= {"code": LEFT_OUT, "message": f"it counts, but not in {left_out}"}
    return shown


def rejected_as_shown(bad: Poisoned) -> dict[str, Any]:
    """Return a rejected event's fate as published."""
    about = about_of(bad.body)
    return {
        "at": bad.received_at_us,
        "id": about.id,
        "source": about.source,
        "type": about.type,
        "account": about.subject,
        "time": None,
        "fate": "rejected",
        "code": bad.code,
        "message": bad.message,
    }


def kept(fates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose what the live view keeps of a batch, in the order of arrival."""
    usual = [i for i, f in enumerate(fates) if _is_usual(f)][-ACCEPTED_KEPT:]
    unusual = [i for i, f in enumerate(fates) if not _is_usual(f)][-UNUSUAL_KEPT:]
    return [fates[i] | {"at": _text(fates[i]["at"])} for i in sorted(unusual + usual)]


def _is_usual(shown: dict[str, Any]) -> bool:
    return shown["fate"] in ("accepted", "late") and shown.get("code") != LEFT_OUT


def _text(epoch_us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=epoch_us)).isoformat()
