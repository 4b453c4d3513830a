"""A notice as a letter that reads in half a minute."""

import html
import json
from dataclasses import dataclass
from typing import Any

_OPENINGS = {
    "case.opened": "{name} needs attention",
    "case.worsened": "{name} got worse",
    "case.resolved": "{name} recovered",
    "alert.withdrawn": "A warning about {name} was wrong and is withdrawn",
}


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def letter_of(kind: str, body: str) -> Letter:
    """From the notice's JSON body, the same that a webhook carries."""
    data = json.loads(body)["data"]
    subject, lines = _case_lines(kind, data) if kind in _OPENINGS else _other_lines(kind, data)
    links = [f"{name.capitalize()}: {link}" for name, link in data.get("links", {}).items()]
    text = "\n".join([*lines, "", *links]).strip() + "\n"
    return Letter(subject[:200], text, _as_html(subject, lines, data.get("links", {})))


def _case_lines(kind: str, data: dict[str, Any]) -> tuple[str, list[str]]:
    account = data["account"]
    subject = f"[{data['severity']}] " + _OPENINGS[kind].format(name=account["name"])
    lines = [
        f"{alert['label']}: {alert['evidence']} (since {alert['since'][:10]})" for alert in data["alerts"]
    ]
    if data["alerts_left_out"]:
        lines.append(f"and {data['alerts_left_out']} more")
    facts = [
        ("Account", account["id"]),
        ("Owner", account["owner"]),
        ("Segment", account["segment"]),
        ("MRR", f"{data['mrr']['amount']} {data['mrr']['currency']}" if data["mrr"] else None),
        ("Notice deadline", data["notice_deadline"] and data["notice_deadline"][:10]),
        ("Next step", data["next_step"] if kind in ("case.opened", "case.worsened") else None),
    ]
    return subject, lines + [f"{name}: {value}" for name, value in facts if value]


def _other_lines(kind: str, data: dict[str, Any]) -> tuple[str, list[str]]:
    if kind == "load.summary":
        count = data["cases_opened"]
        return f"{count} cases stood at the end of a load", [
            f"{count} cases were opened because of what was true when the load ended at {data['load_ended_at']}.",
            "They are in the list; nobody was told of them one by one.",
        ]
    subject = "A receiver was disabled" if kind == "receiver.disabled" else "This is a test"
    return subject, [data["message"]]


def _as_html(subject: str, lines: list[str], links: dict[str, str]) -> str:
    items = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    anchors = " · ".join(
        f'<a href="{html.escape(link, quote=True)}">{html.escape(name.capitalize())}</a>'
        for name, link in links.items()
    )
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;max-width:40em">'
        f"<h2>{html.escape(subject)}</h2>{items}<p>{anchors}</p></body></html>"
    )
