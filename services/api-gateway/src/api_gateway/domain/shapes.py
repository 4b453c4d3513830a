"""Records as the JSON objects that the API documents."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from api_gateway.domain.records import (
    AccountRow,
    Amended,
    CaseMoment,
    CaseSummary,
    StoredEvent,
    SubscriptionRow,
)
from api_gateway.domain.signals import noteworthy
from common.contracts.shown import event_of
from common.figures.model import money_text

# What an event was about, the most telling first; ids of tickets and complaints tell nobody anything.
_ABOUT = ("feature", "text", "comment", "note", "theme", "milestone", "subscription", "invoice", "user")
# Traits that a list of accounts shows as columns of their own.
_TRAIT_COLUMNS = ("segment", "plan", "owner", "stage", "renewal_at", "notice_deadline")


def account(row: AccountRow) -> dict[str, Any]:
    """An account in a list and on its page."""
    return {
        "id": row.id,
        "name": display_name(row),
        **{name: row.traits.get(name) for name in _TRAIT_COLUMNS},
        "mrr": _money(row.mrr),
        "created_at": row.created_at,
        "first_event_at": row.first_event_at,
        "last_event_at": row.last_event_at,
        "last_activity_at": row.last_activity_at,
        "case": case_summary(row.case),
        "figures": row.figures,
        "held_by_case": row.held_by_case,
        "traits": row.traits,
        "computed_at": row.computed_at,
        "as_of": row.as_of,
    }


def changed_account(row: AccountRow) -> dict[str, Any]:
    """An account in a message of the stream."""
    return {
        "id": row.id,
        "name": display_name(row),
        "mrr": _money(row.mrr),
        "last_activity_at": row.last_activity_at,
        "as_of": row.as_of,
        "figures": row.figures,
        "held_by_case": row.held_by_case,
        "signals": noteworthy(row.signals),
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else money_text(amount)


def display_name(row: AccountRow) -> str:
    """The trait `name`, else the id."""
    name = row.traits.get("name")
    return name if isinstance(name, str) and name.strip() else row.id


def case_summary(case: CaseSummary | None) -> dict[str, Any] | None:
    if case is None:
        return None
    return {
        "id": case.id,
        "severity": case.severity,
        "status": case.status,
        "summary": case.summary,
        "opened_at": case.opened_at,
    }


def subscription(row: SubscriptionRow) -> dict[str, Any]:
    return {
        "subscription": row.subscription,
        "change": row.kind,
        "effective_at": row.effective_at,
        "mrr": _money(row.mrr),
        "currency": row.currency,
        "product": row.product,
        "seats": None if row.seats is None else float(row.seats),
        "term_end": row.term_end,
        "notice_deadline": row.notice_deadline,
        "reason": row.reason,
    }


def event(row: StoredEvent) -> dict[str, Any]:
    """An accepted event: the CloudEvent as it came, with the two instants that matter beside it."""
    body = event_of(row.body)
    return {
        "id": body.get("id"),
        "source": body.get("source"),
        "type": row.type,
        "time": row.at,
        "ingested_at": row.ingested_at,
        "data": body.get("data", {}),
        "amended": None if row.amended is None else _amended(row.amended),
    }


def _amended(amended: Amended) -> dict[str, Any]:
    return {"at": amended.at, "reason": amended.reason, "received": event_of(amended.body)}


def event_moment(row: StoredEvent) -> dict[str, Any]:
    """An event in a timeline."""
    shown = event(row)
    return {
        "at": row.at,
        "kind": "event",
        "type": row.type,
        "text": _words(row.type, shown["data"]),
        "event": shown,
    }


def case_moment(row: CaseMoment) -> dict[str, Any]:
    """Something that happened to a case, in a timeline."""
    return {
        "at": row.at,
        "kind": "case",
        "type": row.kind,
        "text": row.text,
        "case": {"id": row.case_id, "severity": row.severity},
    }


def _words(event_type: str, data: Mapping[str, Any]) -> str:
    """An event in a few words: its type as people say it, and who or what it was about."""
    about = next(
        (str(data[key]) for key in _ABOUT if data.get(key)),
        "",
    )
    said = event_type.replace(".", " ").replace("_", " ")
    return f"{said}: {about[:120]}" if about else said
