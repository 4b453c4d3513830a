"""A notice as Slack shows it: Block Kit within its limits, and the same as plain text for the pop-up."""

from typing import Any

from alerts.domain.brief import Brief

# Block Kit's own limits, in characters.
_HEADER, _SECTION, _BUTTON_TEXT, _URL, _BLOCK_ID = 150, 3_000, 75, 3_000, 255
_COLOURS = {"critical": "#c0392b", "warning": "#d68910", "info": "#5d6d7e"}
Json = dict[str, Any]


def message_of(brief: Brief, notice_id: str) -> Json:
    """`text`, and blocks in one attachment whose colour says how grave it is. A repeat is told by the first block's id."""
    blocks: list[Json] = [
        {"type": "header", "text": _plain(brief.subject, _HEADER), "block_id": notice_id[:_BLOCK_ID]}
    ]
    if brief.headline:
        blocks.append(_section(f"*{escaped(brief.headline)}*"))
    if brief.changed:
        blocks.append(_section("\n".join(f"• {escaped(line)}" for line in brief.changed)))
    if brief.facts:
        blocks.append(
            _section("\n".join(f"*{escaped(name)}:* {escaped(value)}" for name, value in brief.facts))
        )
    if brief.next_step:
        blocks.append(_section(f"*Next step:* {escaped(brief.next_step)}"))
    links = [*((one.label, one.url) for one in brief.buttons)]
    if brief.page:
        links.append(("Open it", brief.page))
    usable = [(label, url) for label, url in links if len(url) <= _URL]
    if usable:
        blocks.append({"type": "actions", "elements": [_button(label, url) for label, url in usable]})
    text = escaped(f"{brief.subject}. {brief.headline}".strip())[:_SECTION]
    colour = _COLOURS.get(brief.severity, _COLOURS["info"])
    return {
        "text": text,
        "attachments": [{"color": colour, "fallback": text, "blocks": blocks}],
        "unfurl_links": False,
    }


def escaped(text: str) -> str:
    """The three characters that mean something in Slack's own markup; without them nothing can mention or link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, limit: int) -> Json:
    return {
        "type": "plain_text",
        "text": text if len(text) <= limit else text[: limit - 1] + "…",
        "emoji": False,
    }


def _section(text: str) -> Json:
    cut = text if len(text) <= _SECTION else text[: _SECTION - 1] + "…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut, "verbatim": True}}


def _button(label: str, url: str) -> Json:
    return {"type": "button", "text": _plain(label, _BUTTON_TEXT), "url": url}
