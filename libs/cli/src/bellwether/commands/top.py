"""`bellwether top`: the accounts that need somebody, gravest first."""

import json
import os
from collections.abc import Mapping
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from bellwether import terminal
from bellwether.target import NoTargetError, find, http_client, problem_text

_COLOURS: Final = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def register(app: typer.Typer) -> None:
    app.command()(top)


def top(
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=1000, help="How many accounts.")] = 20,
    segment: Annotated[str | None, typer.Option("--segment", help="Only this segment.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only the accounts of this person.")] = None,
    gateway_url: Annotated[str | None, typer.Option("--gateway-url", help="Address of the gateway.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="API key with scope read.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show accounts by risk: open cases first, the gravest and longest open on top."""
    wanted = {"sort": "risk", "limit": str(number)}
    wanted |= {name: value for name, value in (("segment", segment), ("owner", owner)) if value}
    try:
        target = find(os.environ)
        with http_client(
            gateway_url or target.url("gateway"), key or target.key("read", "act", "admin")
        ) as client:
            response = client.get("/v1/accounts", params=wanted)
    except NoTargetError as error:
        terminal.fail(str(error))
    if response.is_error:
        terminal.fail(problem_text(response))
    accounts = response.json()["data"]
    console = terminal.out()
    if as_json:
        for account in accounts:
            console.file.write(json.dumps(account) + "\n")
        return
    console.print(table(accounts))


def table(accounts: list[Mapping[str, object]]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for title in ("account", "case", "owner", "segment"):
        shown.add_column(title, overflow="fold")
    for title in ("MRR", "risk", "use", "complaints 7d", "silent"):
        shown.add_column(title, justify="right")
    shown.add_column("why", overflow="fold")
    for account in accounts:
        shown.add_row(*_cells(account))
    return shown


def _cells(account: Mapping[str, object]) -> list[Text]:
    case = account.get("case")
    case = case if isinstance(case, dict) else {}
    figures = account.get("figures")
    figures = figures if isinstance(figures, dict) else {}
    trend, silent = figures.get("login_trend"), figures.get("days_silent")
    risk = figures.get("renewal_risk")
    severity = str(case.get("severity") or "")
    return [
        Text(str(account.get("id")), style="bold" if case else ""),
        Text(severity or "-", style=_COLOURS.get(severity, "dim")),
        Text(str(account.get("owner") or "-")),
        Text(str(account.get("segment") or "-")),
        Text(str(account.get("mrr") or "-")),
        Text(f"{risk:.0%}" if isinstance(risk, int | float) else "-"),
        Text(f"{trend:+.0%}" if isinstance(trend, int | float) else "-"),
        Text(str(figures.get("complaints_7d", "-"))),
        Text(f"{silent} d" if silent is not None else "-"),
        Text(str(case.get("summary") or ""), style="dim"),
    ]
