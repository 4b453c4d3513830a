"""`bellwether tail`: the tenant's events as they come, each with its fate."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import httpx
import typer
from rich.text import Text

from bellwether import terminal
from bellwether.server_sent import Message, messages
from bellwether.target import NoTargetError, find, http_client, problem_text

_COLOURS: Final = {
    "accepted": "green",
    "duplicate": "dim",
    "conflict": "magenta",
    "late": "cyan",
    "rejected": "red",
}
_RECONNECT_SECONDS: Final = 1.0
# The server pings at least every 15 s; silence for longer means that the connection is gone.
_SILENCE_SECONDS: Final = 45.0


def register(app: typer.Typer) -> None:
    app.command()(tail)


def tail(
    url: Annotated[str | None, typer.Option("--url", help="Address of ingest.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="API key.")] = None,
    fate: Annotated[
        list[str] | None, typer.Option("--fate", help="Only these fates, such as rejected.")
    ] = None,
    account: Annotated[str | None, typer.Option("--account", help="Only this account.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show live events with their fate: accepted, duplicate, conflict, late or rejected, and why. Ctrl-C ends it."""
    console = terminal.out()
    try:
        target = find(os.environ)
        with http_client(
            url or target.url("ingest"), key or target.key("read", "act", "admin", "ingest")
        ) as client:
            for found in _endless(client):
                if (fate and found.get("fate") not in fate) or (account and found.get("account") != account):
                    continue
                if as_json:
                    console.file.write(json.dumps(found) + "\n")
                    console.file.flush()
                else:
                    console.print(fate_line(found))
    except NoTargetError as error:
        terminal.fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit from None


def fate_line(found: Mapping[str, object]) -> Text:
    fate = str(found.get("fate"))
    line = Text(f"{str(found.get('at', ''))[11:23]:<12} ", style="dim")
    line.append(f"{fate:<9} ", style=_COLOURS.get(fate, ""))
    line.append(f"{found.get('account') or '-':<28} {found.get('type') or '-':<28} ")
    line.append(f"{found.get('source') or '-'} {found.get('id') or '-'}", style="dim")
    if found.get("code"):
        line.append(
            f"  {found.get('message')} ({found['code']})", style="red" if fate == "rejected" else "magenta"
        )
    return line


def _endless(client: httpx.Client) -> Iterator[dict[str, object]]:
    """Reconnects for ever and goes on after the last message; a refusal ends the command."""
    last_id = ""
    while True:
        try:
            for message in _stream(client, last_id):
                last_id = message.id
                yield from fates(message)
        except httpx.TransportError as error:
            terminal.warn(f"the connection is gone ({type(error).__name__}); trying again")
        time.sleep(_RECONNECT_SECONDS)


def _stream(client: httpx.Client, last_id: str) -> Iterator[Message]:
    headers = {"accept": "text/event-stream", **({"last-event-id": last_id} if last_id else {})}
    timeout = httpx.Timeout(5.0, read=_SILENCE_SECONDS)
    with client.stream("GET", "/v1/events/live", headers=headers, timeout=timeout) as response:
        if response.status_code >= 500:
            response.read()
            terminal.warn(f"{problem_text(response)}; trying again")
            return
        if response.status_code != 200:
            response.read()
            terminal.fail(problem_text(response))
        yield from messages(response.iter_lines(), last_id)


def fates(message: Message) -> Iterator[dict[str, object]]:
    """A message carries one fate or a list of them; others (hello, reset) carry none."""
    found = json.loads(message.data)
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict) and "fate" in one:
            yield one
