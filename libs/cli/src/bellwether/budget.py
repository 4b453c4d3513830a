"""Whether new rules cost more than the people who look after accounts have time for: asked of the gateway, which replays them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx

from bellwether.target import http_client, problem_text
from common.catalogue import Catalogue

# A replay of all rules reads the whole history of the tenant.
_TIMEOUT_SECONDS: Final = 150.0
WEEKS: Final = 8
# What says that there is nothing to replay over, which is no fault of the rules.
_NOTHING_YET: Final = ("history-empty", "catalogue-missing")


class NotAskedError(Exception):
    """The load could not be told; the message says why."""


def ask(gateway_url: str, key: str, catalogue: Catalogue, weeks: int = WEEKS) -> Mapping[str, Any] | None:
    """The gateway's report on the rules of `catalogue`; None where there is no history yet. Raises NotAskedError."""
    wanted = catalogue.model_dump(mode="json", include={"rules", "signals", "engagement_models"})
    try:
        with http_client(gateway_url, key, timeout_seconds=_TIMEOUT_SECONDS) as client:
            answer = client.post("/v1/rules/budget", json={**wanted, "weeks": weeks})
    except httpx.HTTPError as error:
        raise NotAskedError(
            f"the gateway at {gateway_url} can't be reached ({type(error).__name__})"
        ) from error
    if answer.is_error:
        if _code(answer) in _NOTHING_YET:
            return None
        raise NotAskedError(problem_text(answer))
    found: Mapping[str, Any] = answer.json()
    return found


def sentences(report: Mapping[str, Any]) -> list[str]:
    """What the replay found, those over their budget first."""
    told = [_load(one) for one in report["loads"] if one["over"]]
    told += [_load(one) for one in report["loads"] if not one["over"]][:5]
    told += [
        f"{one['rule']} counts with what it warned of itself since {one['since']}."
        for one in report["recorded"]
    ]
    told += [f"{one['rule']} was not replayed: {one['reason']}." for one in report["not_replayed"]]
    return told


def refusal(report: Mapping[str, Any]) -> str:
    """Why these rules are refused."""
    over = [one for one in report["loads"] if one["over"]]
    people = "one person" if len(over) == 1 else f"{len(over)} people"
    return (
        f"The rules {', '.join(report['changed'])} would bring {people} more new cases a week than their alert budget allows "
        f"(replayed over {report['from']} to {report['to']})."
    )


def _load(one: Mapping[str, Any]) -> str:
    budget = "no budget" if one["budget"] is None else f"a budget of {one['budget']}"
    rules = ", ".join(f"{its['rule']} {its['per_week']:.1f}" for its in one["rules"])
    over = "OVER: " if one["over"] else ""
    return (
        f"{over}{one['owner'] or 'nobody'}, {one['engagement_model'] or 'no engagement model'}: {one['per_week']:.1f} new cases a week "
        f"with {budget}, at most {one['busiest_week']} in one, {one['before']:.1f} before ({rules})."
    )


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return ""
