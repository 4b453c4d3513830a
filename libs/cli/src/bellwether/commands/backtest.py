"""`bellwether backtest RULE`: what a rule would have said of the past, before it is switched on."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
import yaml
from rich.console import Console
from rich.text import Text

from bellwether import terminal
from bellwether.target import NoTargetError, find, http_client, problem_text

# A replay reads the whole history of the tenant.
_TIMEOUT_SECONDS: Final = 150.0
_COLOURS: Final = {"caught": "green", "false": "red", "open": "yellow"}
_WEEKS_SHOWN: Final = 12
_WARNINGS_SHOWN: Final = 50


def register(app: typer.Typer) -> None:
    app.command()(backtest)


def backtest(
    rule: Annotated[str, typer.Argument(help="The rule's name.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, help="A rule's file that is not in force yet."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First local day, such as 2026-01-31.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last local day.")] = None,
    horizon_days: Annotated[
        int,
        typer.Option(
            "--horizon", min=1, max=730, help="Days after a warning in which a churn counts as foretold."
        ),
    ] = 90,
    gateway_url: Annotated[str | None, typer.Option("--gateway-url", help="Address of the gateway.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="API key with scope read.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="What the gateway answers, as one JSON object.")
    ] = False,
) -> None:
    """Replay a rule day by day over the past, from what was known then, and hold its warnings against what came of the accounts."""
    asked: dict[str, Any] = {"from": start, "to": end, "horizon_days": horizon_days}
    if file is not None:
        asked["definition"] = _definition(file, rule)
    try:
        target = find(os.environ)
        with http_client(
            gateway_url or target.url("gateway"),
            key or target.key("read", "act", "admin"),
            timeout_seconds=_TIMEOUT_SECONDS,
        ) as client:
            response = client.post(f"/v1/rules/{quote(rule, safe='')}/backtest", json=asked)
    except NoTargetError as error:
        terminal.fail(str(error))
    if response.is_error:
        terminal.fail(problem_text(response))
    console = terminal.out()
    if as_json:
        console.file.write(json.dumps(response.json()) + "\n")
        return
    show(console, response.json())


def _definition(file: Path, rule: str) -> Any:
    """The rule of that name from a file that holds one, or a list of them."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        terminal.fail(f"{file} is not YAML: {error}")
    rules = found if isinstance(found, list) else [found]
    named = [one for one in rules if isinstance(one, dict) and one.get("name") == rule]
    if not named:
        terminal.fail(f"{file} has no rule named {rule}.")
    return named[0]


def show(console: Console, found: Mapping[str, Any]) -> None:
    accuracy, warnings = found["accuracy"], found["warnings"]
    total = len(warnings) + found["warnings_left_out"]
    days = f"{found['from']} to {found['to']}"
    console.print(
        Text(f"{found['rule']}", style="bold").append(f"  {days}, {found['accounts']} accounts", style="dim")
    )
    if found["events_known"]["assumed"]:
        console.print(
            Text(
                f"{found['events_known']['assumed']:,} events came in a load of history; they are taken as known when they happened.",
                style="dim",
            )
        )
    console.print()
    for one in warnings[-_WARNINGS_SHOWN:]:
        console.print(_warning(one))
    if total > _WARNINGS_SHOWN:
        console.print(Text(f"The last {_WARNINGS_SHOWN} of {total:,}; --json has more.", style="dim"))
    console.print()
    for sentence in sentences(accuracy, total):
        console.print(sentence)
    console.print(_weeks(found["weeks"]))
    for load in found["load"]:
        busiest = load["busiest_week"]
        console.print(
            f"  {load['owner'] or 'nobody'}: {_times(load['warnings'])}, {load['per_week']:.1f} a week, at most {busiest} in one"
        )


def sentences(accuracy: Mapping[str, Any], total: int) -> list[str]:
    """What the replay found, in words."""
    caught, missed, false = accuracy["caught"], accuracy["missed"], accuracy["false"]
    counts = (
        f"{len(caught)} before a churn, {len(false)} false, {accuracy['repeat']} repeated, "
        f"{accuracy['after']} after the decision, {len(accuracy['open'])} open"
    )
    told = [f"{_times(total)}: {counts}."]
    told += [f"Caught: {', '.join(caught)}."] if caught else []
    told += [f"Missed: {', '.join(one['account'] for one in missed)}."] if missed else []
    told += [f"False: {', '.join(sorted(set(false)))}."] if false else []
    for name, label in (("precision", "Right when it warned"), ("recall", "Churns that it foretold")):
        told.append(f"{label}: {_share(accuracy[name])}.")
    lead = accuracy["days_before"]
    if lead["n"]:
        told.append(
            f"Warned {lead['median']:.0f} days before the decision in the median ({lead['least']:.0f} to {lead['most']:.0f})."
        )
    return told


def _share(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return f"not known yet ({found['n']} of 20 verdicts)"
    return f"{found['value']:.0%} of {found['n']}, between {found['low']:.0%} and {found['high']:.0%}"


def _times(count: int) -> str:
    return f"{count:,} warning{'' if count == 1 else 's'}"


def _warning(one: Mapping[str, Any]) -> Text:
    verdict, before = str(one["verdict"]), one["days_before"]
    said = verdict if before is None else f"{verdict}, {before:.0f} days before"
    text = Text(f"{one['from']} to {one['to'] or 'now':<10}  ")
    text.append(str(one["account"]), style="bold").append(f"  {one['owner'] or 'nobody'}  ")
    text.append(said, style=_COLOURS.get(verdict, "dim"))
    return text.append(f"\n    {one['evidence']}", style="dim")


def _weeks(weeks: list[Mapping[str, Any]]) -> str:
    last = weeks[-_WEEKS_SHOWN:]
    counts = " ".join(str(one["warnings"]) for one in last)
    return f"A week, the last {len(last)}: {counts}"
