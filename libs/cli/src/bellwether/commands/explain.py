"""`bellwether explain ACCOUNT`: why an account is where it is, in plain words."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.console import Console
from rich.text import Text

from bellwether import terminal
from bellwether.target import NoTargetError, find, http_client, problem_text
from bellwether.wording import duration, sentences

_EVENTS_SHOWN = 10
_LEAST_LOSS = 0.05  # what would be shown as 0.0


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    account: Annotated[str, typer.Argument(help="The account's id, as in the subject of its events.")],
    gateway_url: Annotated[str | None, typer.Option("--gateway-url", help="Address of the gateway.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="API key with scope read.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="What the gateway answers, as one JSON object.")
    ] = False,
) -> None:
    """Say what is known of an account: figures, the open case with its evidence, and what happened last."""
    try:
        target = find(os.environ)
        with http_client(
            gateway_url or target.url("gateway"), key or target.key("read", "act", "admin")
        ) as client:
            found = _get(client, f"/v1/accounts/{quote(account, safe='')}", account)
            case = found.get("case")
            details = _get(client, f"/v1/alerts/{case['id']}", account) if isinstance(case, dict) else {}
            health = _of(client, account, "health")
            risk = _of(client, account, "risk")
            signals = _of(client, account, "signals")
            path = f"/v1/accounts/{quote(account, safe='')}/timeline"
            timeline = _get(client, f"{path}?limit={_EVENTS_SHOWN}", account)
    except NoTargetError as error:
        terminal.fail(str(error))
    console = terminal.out()
    if as_json:
        console.file.write(
            json.dumps(
                {
                    "account": found,
                    "health": health,
                    "risk": risk,
                    "signals": signals,
                    "case": details or None,
                    "timeline": timeline["data"],
                }
            )
            + "\n"
        )
        return
    _show(
        console,
        found,
        [*risk_lines(risk), *health_lines(health), *signal_lines(signals)],
        details,
        timeline["data"],
        datetime.now(UTC),
    )


def _of(client: httpx.Client, account: str, what: str) -> dict[str, object] | None:
    """Its health, risk or signals; None where none are known."""
    response = client.get(f"/v1/accounts/{quote(account, safe='')}/{what}", params={"days": "0"})
    if response.status_code == 404:
        return None
    if response.is_error:
        terminal.fail(problem_text(response))
    answer: dict[str, object] = response.json()
    return answer


def _get(client: httpx.Client, path: str, account: str) -> dict[str, object]:
    response = client.get(path)
    if response.status_code == 404:
        similar = client.get("/v1/accounts", params={"q": account[:20], "limit": "5"})
        names = [str(one["id"]) for one in similar.json().get("data", [])] if similar.is_success else []
        hint = f" Similar: {', '.join(names)}." if names else " `bellwether top` lists accounts."
        terminal.fail(f"There is no account {account}.{hint}")
    if response.is_error:
        terminal.fail(problem_text(response))
    answer: dict[str, object] = response.json()
    return answer


def _show(
    console: Console,
    found: Mapping[str, object],
    judged: list[str],
    case: Mapping[str, object],
    timeline: object,
    now: datetime,
) -> None:
    console.print(Text(str(found.get("name")), style="bold").append(f"  ({found.get('id')})", style="dim"))
    console.print(_position(found, now))
    as_of = found.get("as_of")
    if isinstance(as_of, str):
        age = duration((now - datetime.fromisoformat(as_of)).total_seconds())
        console.print(Text(f"All figures as of {age} ago.", style="dim"))
    console.print()
    figures = found.get("figures")
    for sentence in sentences(figures if isinstance(figures, dict) else {}, now):
        console.print(f"  {sentence}")
    console.print()
    for line in judged:
        console.print(line)
    console.print()
    _show_case(console, found.get("case"), case)
    console.print("\nLast:")
    for moment in timeline if isinstance(timeline, list) else []:
        console.print(
            Text(f"  {str(moment.get('at'))[:16].replace('T', ' ')}  ", style="dim").append(
                str(moment["text"])
            )
        )


def _position(found: Mapping[str, object], now: datetime) -> str:
    words = [f"{name} {found.get(name)}" for name in ("segment", "plan", "stage") if found.get(name)]
    text = ", ".join(words) or "no segment or plan known"
    text += f"; pays {found.get('mrr') or 'nobody knows what, for want of an exchange rate,'} a month; looked after by {found.get('owner') or 'nobody'}"
    deadline = found.get("notice_deadline")
    if isinstance(deadline, str):
        text += _notice(deadline, now)
    return f"{text}."


def _notice(deadline: str, now: datetime) -> str:
    """A trait may say an instant, a date, or anything else."""
    try:
        at = datetime.fromisoformat(deadline)
    except ValueError:
        return f"; notice deadline {deadline}"
    left = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return (
        f"; can give notice for another {duration(left)}" if left > 0 else "; its notice deadline has passed"
    )


def risk_lines(risk: Mapping[str, object] | None) -> list[str]:
    """How likely the renewal is lost, and why: what adds most first, what takes away last."""
    if risk is None:
        return ["Renewal risk: no renewal is open."]
    reasons = risk.get("reasons")
    parts = [one for one in reasons if isinstance(one, dict)] if isinstance(reasons, list) else []
    by = "model" if risk.get("method") == "model" else "score"
    lines = [
        f"Renewal risk: {_percent(risk.get('probability'))} by the {by}, {risk.get('points')} points (10 double the odds)."
    ]
    lines += [f"  {one['points']:+.1f}  {one['text']}" for one in parts if one["points"]]
    unknown = [str(one["label"]) for one in parts if one["state"] == "unknown"]
    return [*lines, f"  Not known: {', '.join(unknown)}."] if unknown else lines


def _percent(probability: object) -> str:
    return f"{probability * 100:.1f} %" if isinstance(probability, int | float) else "unknown"


def health_lines(health: Mapping[str, object] | None) -> list[str]:
    """Why the health score is what it is, the dearest input first."""
    if health is None:
        return ["Health: not computed yet."]
    inputs = health.get("inputs")
    parts = [one for one in inputs if isinstance(one, dict)] if isinstance(inputs, list) else []
    if health.get("score") is None:
        known = f"Health: no score, inputs worth only {health.get('known')} of 100 are known."
        return [known, *(f"  {one['label']}: {one['state']}" for one in parts if one["state"] != "known")]
    lines = [f"Health: {health['score']} of 100, {health['band']}, judged as “{health['label']}”."]
    for one in sorted(parts, key=lambda one: -(one["lost"] or 0)):
        if one["state"] != "known":
            lines.append(
                f"  {one['label']}: {one['state']}, left out"
                if one["lost"] is None
                else f"  {one['label']}: {one['state']}, costs {one['lost']:.1f}"
            )
        elif one["lost"] >= _LEAST_LOSS:
            lines.append(
                f"  {one['label']}: {_value(one)}, costs {one['lost']:.1f} of {one['share']:.0f} points"
            )
    overrides = health.get("overrides")
    holding = overrides if isinstance(overrides, list) else []
    lines += [f"  {held['reason']} Held at {held['at_most']:g} at most." for held in holding]
    if health.get("held_by_case"):
        lines.append("  Not healthy while its case is open.")
    return lines


def _value(one: Mapping[str, Any]) -> str:
    return f"{one['value']:.0%}" if one.get("unit") == "ratio" else f"{one['value']:.3g}"


def signal_lines(answer: Mapping[str, object] | None) -> list[str]:
    """What is on, how unusual that is and since when; then what nothing can be said of."""
    said = answer.get("signals") if answer else None
    told = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    on = [one for one in told if one["state"] == "on"]
    lines = ["Signals:"] if on else ["Signals: none is on."]
    for one in on:
        since = f", since {str(one['since'])[:10]}" if one["since"] else ""
        chance = one["unusual"]
        odds = f" By chance: {max(chance, 0.0001):.2%} or less." if isinstance(chance, int | float) else ""
        lines.append(f"  {one['label']}{since}: {one['evidence']}{odds}")
    stale = [str(one["label"]) for one in told if one["state"] == "stale"]
    return [*lines, f"  Nothing can be said of: {', '.join(stale)}."] if stale else lines


def _show_case(console: Console, summary: object, case: Mapping[str, object]) -> None:
    if not isinstance(summary, dict):
        console.print("No open case.")
        return
    opened = str(summary.get("opened_at"))[:16].replace("T", " ")
    console.print(
        Text(
            f"Open case, {summary.get('severity')}, {summary.get('status')} since {opened}", style="bold red"
        )
    )
    alerts = case.get("alerts")
    if not isinstance(alerts, list):
        console.print(f"  {summary.get('summary')}")
        return
    for alert in alerts:
        now = alert.get("evidence_now")
        beside = f" Now: {now}" if now and now != alert.get("evidence") else ""
        console.print(f"  {alert.get('label')} ({alert.get('state')}): {alert.get('evidence')}{beside}")
        if alert.get("next_step"):
            console.print(f"    Next: {alert['next_step']}")
