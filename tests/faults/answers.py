"""All that a reader is told of a tenant, so that two tenants can be held side by side: every figure of the pack, every account."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from tests.acceptance.client import Client
from tests.faults.sayings import PAST_DAYS

MOST_METRICS = 50  # of one question
MOST_LISTED = 500
DAYS = 60
ACCOUNT = ("id", "traits", "figures", "mrr", "subscriptions", "last_activity_at")
# When something came, and what it was before, is the way it took. Clocks that run go on between two questions. What an account is held
# against, its segment's trend and other accounts' renewals, is what was known when it was computed last, and is followed within minutes.
# An open case holds health back, and opens when something is told, not of what stands.
OF_THE_WAY = {
    "as_of", "ingested_at", "late", "amended",
    "first_response_hours", "resolution_hours",
    "segment_login_trend", "login_trend_vs_segment", "renewal_risk",
    "health", "health_band",
}  # fmt: skip
HELD_AGAINST_OTHERS = {"renewal_mrr_at_risk"}
Answers = dict[tuple[str, ...], Any]


def answers(client: Client, today: date) -> Answers:
    """By where it stands."""
    found: Answers = {}
    metrics = sorted({one["name"] for one in client.get("/v1/metrics")["data"]} - HELD_AGAINST_OTHERS)
    for asked in _questions(today):
        for row in _rows(client, metrics, asked):
            where = (row["metric"], asked["grain"], json.dumps(asked.get("group_by")))
            found[*where, json.dumps(row["group"]), row["bucket"]] = _without_the_way(row)
    for account in client.get("/v1/accounts", sort="name", limit=1_000)["data"]:
        path = f"/v1/accounts/{quote(account['id'], safe='')}"
        detail = client.get(path)
        found[path,] = _without_the_way({name: detail[name] for name in ACCOUNT})
        for part in ("traits", "events"):
            listed = client.get(f"{path}/{part}", limit=MOST_LISTED)["data"]
            found[path, part] = sorted(json.dumps(_without_the_way(one), sort_keys=True) for one in listed)
    return found


def differences(ours: Answers, theirs: Answers) -> list[str]:
    """A line for each place where they say something else."""
    return [
        f"{' '.join(where)}: {ours.get(where)} is not {theirs.get(where)}"
        for where in sorted(ours.keys() | theirs.keys())
        if ours.get(where) != theirs.get(where)
    ]


def telling(found: Answers) -> set[str]:
    """The metrics that have a value somewhere: of the others nothing was compared but silence."""
    return {where[0] for where, said in found.items() if isinstance(said, dict) and said.get("value")}


def _questions(today: date) -> Iterator[dict[str, Any]]:
    far, near, end = ((today + timedelta(days=days)).isoformat() for days in (-PAST_DAYS - 20, -DAYS, 1))
    yield {"grain": "total", "from": far, "to": end}
    yield {"grain": "month", "from": far, "to": end}
    yield {"grain": "day", "from": near, "to": end}
    yield {"grain": "total", "from": far, "to": end, "group_by": ["segment"]}
    yield {"grain": "month", "from": far, "to": end, "group_by": ["plan"]}
    yield {"grain": "quarter", "from": far, "to": end, "group_by": ["partner"], "slice_at": "end"}
    yield {"grain": "total", "from": far, "to": end, "group_by": ["account"]}


def _rows(client: Client, metrics: Sequence[str], asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(metrics), MOST_METRICS):
        more = {name: asked[name] for name in ("group_by", "slice_at") if name in asked}
        part = metrics[start : start + MOST_METRICS]
        for row in client.query(part, asked["from"], asked["to"], asked["grain"], **more):
            yield dict(row.raw)


def _without_the_way(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _without_the_way(value) for name, value in said.items() if name not in OF_THE_WAY}
    return [_without_the_way(one) for one in said] if isinstance(said, list) else said
