"""A notice as a letter, in text and in HTML."""

import html
import json
from dataclasses import dataclass

from alerts.domain.brief import Brief, brief_of

_BUTTON = "display:inline-block;padding:.5em 1em;margin:0 .5em .5em 0;border:1px solid #456;border-radius:4px;text-decoration:none"


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def letter_of(kind: str, body: str) -> Letter:
    """From the notice's JSON body, the same that a webhook carries."""
    brief = brief_of(kind, json.loads(body))
    return Letter(brief.subject[:200], _as_text(brief), _as_html(brief))


def _as_text(brief: Brief) -> str:
    links = [f"{button.label}: {button.url}" for button in brief.buttons]
    page = [f"Open it: {brief.page}"] if brief.page else []
    below = ["", *links, *page] if links or page else []
    return "\n".join([*brief.lines, *below]).strip() + "\n"


def _as_html(brief: Brief) -> str:
    headline = f"<p><strong>{html.escape(brief.headline)}</strong></p>" if brief.headline else ""
    changed = "".join(f"<p>{html.escape(line)}</p>" for line in brief.changed)
    facts = "".join(
        f'<tr><td style="padding-right:1em;color:#555">{html.escape(name)}</td><td>{html.escape(value)}</td></tr>'
        for name, value in brief.facts
    )
    step = f"<p><strong>Next step:</strong> {html.escape(brief.next_step)}</p>" if brief.next_step else ""
    buttons = "".join(
        f'<a style="{_BUTTON}" href="{html.escape(button.url, quote=True)}">{html.escape(button.label)}</a>'
        for button in brief.buttons
    )
    page = f'<p><a href="{html.escape(brief.page, quote=True)}">Open it</a></p>' if brief.page else ""
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;max-width:40em">'
        f"<h2>{html.escape(brief.subject)}</h2>{headline}{changed}"
        f"{f'<table>{facts}</table>' if facts else ''}{step}{f'<p>{buttons}</p>' if buttons else ''}{page}</body></html>"
    )
