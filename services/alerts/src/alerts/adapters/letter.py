"""A notice as a letter that reads in half a minute."""

import html
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from alerts.domain import words

_OPENINGS = {
    "case.opened": "{name} needs attention",
    "case.worsened": "{name} got worse",
    "case.resolved": "{name} recovered",
    "alert.withdrawn": "A warning about {name} was wrong and is withdrawn",
}
_SUBJECTS = {"receiver.disabled": "A receiver was disabled", "receiver.test": "This is a test"}


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def letter_of(kind: str, body: str) -> Letter:
    """From the notice's JSON body, the same that a webhook carries."""
    data = json.loads(body)["data"]
    subject, lines = _case_lines(kind, data) if kind in _OPENINGS else _other_lines(kind, data)
    page = data.get("links", {}).get("page")
    text = "\n".join([*lines, *(["", f"Open it: {page}"] if page else [])]).strip() + "\n"
    return Letter(subject[:200], text, _as_html(subject, lines, page))


def _case_lines(kind: str, data: dict[str, Any]) -> tuple[str, list[str]]:
    account = data["account"]
    subject = f"[{data['severity']}] " + _OPENINGS[kind].format(name=account["name"])
    lines = [
        f"{alert['label']}, since {_day(alert['since'])}: {alert['evidence']}" for alert in data["alerts"]
    ]
    if data["alerts_left_out"]:
        lines.append(f"And {words.counted(data['alerts_left_out'], 'more signal')}.")
    money = data["mrr"] and words.money(Decimal(data["mrr"]["amount"]), data["mrr"]["currency"])
    facts = [
        ("Account", account["id"]),
        ("Owner", account["owner"]),
        ("Segment", account["segment"]),
        ("Monthly recurring revenue", money),
        ("Notice deadline", data["notice_deadline"] and _day(data["notice_deadline"])),
        ("Next step", data["next_step"] if kind in ("case.opened", "case.worsened") else None),
    ]
    return subject, lines + [f"{name}: {value}" for name, value in facts if value]


def _other_lines(kind: str, data: dict[str, Any]) -> tuple[str, list[str]]:
    if kind != "load.summary":
        return _SUBJECTS[kind], [data["message"]]
    count, ended = data["cases_opened"], words.minute(datetime.fromisoformat(data["load_ended_at"]))
    were = "was" if count == 1 else "were"
    return f"{words.counted(count, 'case')} opened at the end of a load", [
        f"{words.counted(count, 'case')} {were} opened, because of what was true when the load ended ({ended}).",
        "You find them in the list of cases; nobody was told of them one by one.",
    ]


def _day(instant: str) -> str:
    return words.day(datetime.fromisoformat(instant))


def _as_html(subject: str, lines: list[str], page: str | None) -> str:
    items = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    anchor = f'<p><a href="{html.escape(page, quote=True)}">Open it</a></p>' if page else ""
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;max-width:40em">'
        f"<h2>{html.escape(subject)}</h2>{items}{anchor}</body></html>"
    )
