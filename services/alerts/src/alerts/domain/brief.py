"""A notice as people read it, in half a minute and in the same words on every channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from alerts.domain.present import beside
from common import words

_OPENINGS = {
    "case.opened": "{name} needs attention",
    "case.worsened": "{name} got worse",
    "case.lapsed": "{name} was taken, and nothing happened since",
    "case.escalated": "Nobody answered about {name}",
    "case.acknowledged": "{name}: somebody has it",
    "case.resolved": "{name} is settled",
    "alert.withdrawn": "A warning about {name} was wrong and is withdrawn",
}
_SUBJECTS = {"receiver.disabled": "A receiver was disabled", "receiver.test": "This is a test"}
_RESOLUTIONS = {
    "recovered": "It recovered by itself.",
    "withdrawn": "All of it was wrong and is withdrawn.",
    "expected": "This is expected.",
    "saved": "The account was saved.",
    "lost": "The account was lost.",
    "not_real": "The risk was not real.",
}
# What asks for something: only these show the next step and what can be pressed.
ASKING = frozenset({"case.opened", "case.worsened", "case.lapsed", "case.escalated"})
MONTHS_A_YEAR = 12
# As many as can be read in half a minute; the page has the rest.
MOST_CHANGES = 4


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Brief:
    """`changed` in plain numbers, `facts` as label and value, both in the order in which they matter."""

    subject: str
    headline: str
    changed: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    next_step: str | None
    page: str | None
    buttons: tuple[Button, ...]
    severity: str
    case_id: str | None
    account: str | None
    segment: str | None
    rules: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it as sentences, without links."""
        facts = [f"{name}: {value}" for name, value in self.facts]
        step = [f"Next step: {self.next_step}"] if self.next_step else []
        return (*([self.headline] if self.headline else []), *self.changed, *facts, *step)


def brief_of(kind: str, body: Mapping[str, Any]) -> Brief:
    """From a notice's body, the same that a webhook carries."""
    data = body["data"]
    return _of_case(kind, data, body["timestamp"]) if "case" in data else _of_another(kind, data)


def _of_case(kind: str, data: Mapping[str, Any], at: str) -> Brief:
    account, case = data["account"], data["case"]
    opening = _OPENINGS.get(kind, "News of {name}").format(name=account["name"])
    changed = [_changed(alert) for alert in data["alerts"][:MOST_CHANGES]]
    left_out = data["alerts_left_out"] + len(data["alerts"]) - len(changed)
    if left_out:
        changed.append(f"And {words.counted(left_out, 'more signal')}.")
    asks = kind in ASKING
    return Brief(
        subject=f"[{data['severity']}] {opening}",
        headline=_stakes(data, datetime.fromisoformat(at)),
        changed=tuple(changed),
        facts=tuple(_facts(kind, data, at)),
        next_step=data["next_step"] if asks else None,
        page=data["links"]["page"],
        buttons=tuple(Button(one["label"], one["url"]) for one in data.get("buttons") or () if asks),
        severity=data["severity"],
        case_id=case["id"],
        account=account["id"],
        segment=account.get("segment"),
        rules=tuple(alert["rule"] for alert in data["alerts"] if "rule" in alert),
    )


def _stakes(data: Mapping[str, Any], at: datetime) -> str:
    """Money and deadline, as far as they are known."""
    parts = []
    if data["mrr"]:
        yearly = Decimal(data["mrr"]["amount"]) * MONTHS_A_YEAR
        monthly = words.money(Decimal(data["mrr"]["amount"]), data["mrr"]["currency"])
        parts.append(f"{words.money(yearly, data['mrr']['currency'])} a year ({monthly} a month)")
    if data["notice_deadline"]:
        parts.append(_deadline(datetime.fromisoformat(data["notice_deadline"]), at))
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _deadline(deadline: datetime, at: datetime) -> str:
    left = (deadline.date() - at.date()).days
    if left < 0:
        return f"notice was possible until {words.day(deadline)}"
    when = f"in {words.counted(left, 'day')}" if left else "today"
    return f"notice possible until {words.day(deadline)}, {when}"


def _record(words: str) -> str:
    return (
        f"This rule was {words}."
        if words.startswith("right")
        else f"How often this rule is right is {words}."
    )


def _changed(alert: Mapping[str, Any]) -> str:
    record = f" {_record(alert['record'])}" if alert.get("record") else ""
    said = beside(alert["evidence"], alert.get("evidence_now"))
    return f"{alert['label']}, since {_day(alert['since'])}: {said}{record}"


def _facts(kind: str, data: Mapping[str, Any], at: str) -> list[tuple[str, str]]:
    account, case = data["account"], data["case"]
    resolution = case.get("resolution")
    known = [
        ("Outcome", _RESOLUTIONS.get(resolution or "", "") if kind == "case.resolved" else None),
        ("Taken by", case.get("acknowledged_by") if kind == "case.acknowledged" else None),
        ("Who stopped", _stopped(data.get("who_stopped"))),
        ("Last contact", _contact(data.get("last_contact"), at)),
        ("Owner", account.get("owner")),
        ("Segment", account.get("segment")),
        ("Account", account["id"]),
    ]
    return [(name, value) for name, value in known if value]


def _stopped(who: Mapping[str, Any] | None) -> str | None:
    """`Ann (last seen 2 March 2026), Bob (...), and 3 more`, or how many where nobody's name is known."""
    if not who or not (who["people"] or who["more"]):
        return None
    named = [f"{one['person']} (last seen {_day(one['last_seen'])})" for one in who["people"]]
    more = who["more"]
    if more:
        named.append(f"and {more} more" if named else words.counted(more, "regular user"))
    return ", ".join(named)


def _contact(contact: Mapping[str, Any] | None, at: str) -> str | None:
    if not contact:
        return None
    days = (datetime.fromisoformat(at) - datetime.fromisoformat(contact["at"])).days
    return f"{_day(contact['at'])}, {words.counted(days, 'day')} ago" if days > 0 else _day(contact["at"])


def _of_another(kind: str, data: Mapping[str, Any]) -> Brief:
    subject, lines = _another(kind, data)
    return Brief(
        subject=subject,
        headline="",
        changed=tuple(lines),
        facts=(),
        next_step=None,
        page=data.get("links", {}).get("page"),
        buttons=(),
        severity=data.get("severity", "info"),
        case_id=None,
        account=None,
        segment=None,
        rules=(),
    )


def _another(kind: str, data: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    if kind != "load.summary":
        return data.get("subject") or _SUBJECTS.get(kind, kind), data.get("lines") or [data["message"]]
    count, ended = data["cases_opened"], words.minute(datetime.fromisoformat(data["load_ended_at"]))
    were = "was" if count == 1 else "were"
    return f"{words.counted(count, 'case')} opened at the end of a load", [
        f"{words.counted(count, 'case')} {were} opened, because of what was true when the load ended ({ended}).",
        "You find them in the list of cases; nobody was told of them one by one.",
    ]


def _day(instant: str) -> str:
    return words.day(datetime.fromisoformat(instant))
