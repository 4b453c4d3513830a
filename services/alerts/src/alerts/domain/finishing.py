"""What is put into a notice when it is sent and kept nowhere: names of people, as they are called today, and links that act.

The same notice is finished the same way in every attempt, unless somebody was erased in between.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from alerts.domain.brief import ASKING
from alerts.domain.buttons import GOOD_FOR, LABELS, Link, token_of

# What stands instead of an erased person's name (`common.control.log`); people may be called something like it.
_TOKEN = re.compile("erased-[0-9a-f]{32}(-[0-9]+)?")


def quiet_people(body: str) -> list[int]:
    """Ids of the people whom a stored body speaks of."""
    who = json.loads(body)["data"].get("who_stopped") if '"who_stopped"' in body else None
    return [one["person_id"] for one in who["people"]] if who else []


def with_names(body: str, names: Mapping[int, str]) -> str:
    """Whoever has no name any more, or was erased, is counted and not named."""
    if not (people := quiet_people(body)):
        return body
    whole = json.loads(body)
    who = whole["data"]["who_stopped"]
    known = {one: names[one] for one in people if one in names and not _TOKEN.fullmatch(names[one])}
    who["people"] = [
        {"person": known[one["person_id"]], "last_seen": one["last_seen"]}
        for one in who["people"]
        if one["person_id"] in known
    ]
    who["more"] += len(people) - len(who["people"])
    return _written(whole)


def with_buttons(
    body: str, key: bytes, tenant_id: int, receiver_id: int, created_at: datetime, public_url: str
) -> str:
    """Adds the links of a notice that asks for something; others stay as they are."""
    whole = json.loads(body)
    if whole["type"] not in ASKING:
        return body
    base, expires_at = public_url.rstrip("/"), created_at + GOOD_FOR
    whole["data"]["buttons"] = [
        {
            "action": action,
            "label": label,
            "url": f"{base}/v1/buttons/"
            + token_of(key, Link(tenant_id, receiver_id, whole["data"]["case"]["id"], action, expires_at)),
        }
        for action, label in LABELS.items()
    ]
    return _written(whole)


def _written(whole: object) -> str:
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
