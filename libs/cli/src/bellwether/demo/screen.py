"""What the demo shows: where to look, what happens in the story, and each warning that reached somebody."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from bellwether.demo.receiver import Notice
from bellwether.story.event import StoryEvent
from bellwether.story.world import Role, World
from bellwether.target import Target
from common import words

_COLOURS: Final = {"critical": "red", "warning": "yellow", "info": "cyan"}
_CAST: Final = (
    (Role.LOUD, "is churning loudly: complaints, bad answers, and its champion has left"),
    (Role.SILENT, "is churning silently: fewer people every week"),
    (Role.EXPANDING, "buys more seats"),
    (Role.HOLIDAY, "is silent because it is closed for holidays: nobody is called, its notice is far"),
    (Role.UNFORESEEN, "left; nobody could have foreseen it"),
)


def welcome(console: Console, target: Target) -> None:
    text = Text()
    text.append("Dashboard  ", style="bold")
    text.append(f"{target.url('gateway')}/\n", style="bold cyan")
    text.append("sign in with   ", style="dim").append(f"{target.key('read')}\n")
    text.append("acknowledge as ", style="dim").append(f"{target.key('act')}\n")
    text.append("send events to ", style="dim").append(f"{target.url('ingest')}/v1/events\n")
    text.append("with the key   ", style="dim").append(f"{target.key('ingest')}\n")
    text.append(
        "Figures move already while the story loads. Ctrl-C ends everything; the data stays.", style="dim"
    )
    console.print(Panel(text, title="Bellwether is up", expand=False))


def cast(console: Console, world: World) -> None:
    console.print("\nAmong the 200 customers:")
    for role, plot in _CAST:
        account = world.account(role)
        line = Text("  ").append(account.name, style="bold").append(f" ({account.slug}) {plot}")
        console.print(line)
    console.print("\nLive from here. Watch the dashboard; the warnings arrive below.\n")


def happened(console: Console, world: World, event: StoryEvent) -> None:
    """Only what is part of the plot; everyday events show on the dashboard."""
    name = next((a.name for a in world.accounts if a.slug == event.account), event.account)
    told = {
        "complaint.filed": lambda: f"{name} complains: {event.data.get('text', '')}",
        "survey.responded": lambda: f"{name} answers a survey with {event.data.get('score')}",
        "subscription.changed": lambda: f"{name} now pays {event.data.get('mrr')} EUR a month",
    }.get(event.type)
    if told is not None:
        console.print(Text(f"{event.at:%H:%M:%S} ", style="dim").append(told()))


def notice_text(notice: Notice) -> Text:
    """A notice in a few lines, whatever fields it has."""
    data = _mapping(notice.get("data"))
    account = _mapping(data.get("account"))
    severity = str(data.get("severity", "info"))
    text = Text()
    if account:
        text.append(f"{account.get('name')}", style=f"bold {_COLOURS.get(severity, 'cyan')}")
        text.append(f"  {severity}, looked after by {account.get('owner') or 'nobody'}\n")
        text.append(_stakes(_mapping(data.get("mrr")), data.get("notice_deadline")))
    alerts = data.get("alerts")
    for alert in alerts if isinstance(alerts, list) else []:
        text.append(f"{_mapping(alert).get('label')}: {_mapping(alert).get('evidence')}\n")
    if data.get("next_step"):
        text.append(f"Next: {data['next_step']}\n", style="italic")
    if "cases_opened" in data:
        count = data["cases_opened"]
        cases = "1 case was" if count == 1 else f"{count} cases were"
        text.append(f"{cases} open at the end of what was loaded.\n")
    if "message" in data:
        text.append(f"{data['message']}\n")
    links = _mapping(data.get("links"))
    text.append(str(links.get("page", "")), style="dim")
    return text


def _stakes(mrr: Mapping[str, object], deadline: object) -> str:
    """Money and deadline, as far as they are known."""
    known = []
    if mrr:
        known.append(f"pays {words.money(Decimal(str(mrr['amount'])), str(mrr['currency']))} a month")
    if isinstance(deadline, str):
        known.append(f"notice possible until {words.day(datetime.fromisoformat(deadline))}")
    said = "; ".join(known)
    return f"{said[0].upper()}{said[1:]}.\n" if said else ""


def received(console: Console, notice: Notice) -> None:
    console.print(
        Panel(notice_text(notice), title=f"received: {notice.get('type')} (signature verified)", expand=False)
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
