"""What a notice says, in under 20 kB, so that it reads in half a minute."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from alerts.domain.cases import Case, NoticeType
from alerts.domain.facts import MAX_NAMED, Facts
from alerts.domain.present import Present

# Standard Webhooks asks for less than 20 kB; what is left over is for what wraps a body on its way.
MAX_BYTES = 18_000
MAX_ALERTS = 10
MAX_FIGURES = 12
MAX_FIGURE_CHARACTERS = 60
MAX_TEXT_CHARACTERS = 300
# More than ingest lets an account's name have.
MAX_ACCOUNT_CHARACTERS = 512
NOTHING_KNOWN = Facts()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One alert as a notice shows it."""

    rule: str
    label: str
    severity: str
    state: str
    since_at: datetime
    evidence: str
    next_step: str
    figures: Mapping[str, Any]
    record: str | None = None
    """How often the rule was right, in words."""
    now: Present | None = None
    """`evidence` and `figures` are of when it fired; this is what they are while it goes on."""


@dataclass(frozen=True, slots=True)
class Context:
    """What people need to know of the account. `mrr` is per month in `currency`."""

    account: str
    traits: Mapping[str, Any]
    mrr: Decimal | None
    currency: str
    notice_deadline: datetime | None
    public_url: str
    facts: Facts = NOTHING_KNOWN


def case_notice(
    notice: NoticeType, case: Case, evidence: Sequence[Evidence], context: Context, now: datetime
) -> dict[str, Any]:
    """The body of a notice about a case, ready for JSON."""
    shown = sorted(evidence, key=lambda e: (e.state != "firing", e.severity != "critical", e.since_at))[
        :MAX_ALERTS
    ]
    base = context.public_url.rstrip("/")
    data = {
        "case": {
            "id": case.id,
            "status": case.status.value,
            "origin": case.origin.value,
            "opened_at": instant(case.opened_at),
            "resolution": case.resolution.value if case.resolution else None,
            "assignee": case.assignee,
            "acknowledged_by": case.acknowledged_by,
        },
        "account": {
            "id": context.account[:MAX_ACCOUNT_CHARACTERS],
            "name": _trait(context.traits, "name") or context.account,
            "owner": _trait(context.traits, "owner"),
            "segment": _trait(context.traits, "segment"),
        },
        "severity": case.severity,
        "alerts": [_alert(one) for one in shown],
        "alerts_left_out": len(evidence) - len(shown),
        "mrr": None
        if context.mrr is None
        else {"amount": format(context.mrr, "f"), "currency": context.currency},
        "notice_deadline": instant(context.notice_deadline) if context.notice_deadline else None,
        "who_stopped": _who_stopped(context.facts),
        "last_contact": {"at": instant(context.facts.last_contact_at)}
        if context.facts.last_contact_at
        else None,
        "next_step": clip(shown[0].next_step) if shown else None,
        "links": {
            "page": f"{base}/case?id={case.id}",
            "case": f"{base}/v1/alerts/{case.id}",
            "account": f"{base}/v1/accounts/{quote(context.account[:MAX_ACCOUNT_CHARACTERS], safe='')}",
        },
    }
    return _fitted({"type": notice.value, "timestamp": instant(now), "data": data})


def _fitted(body: dict[str, Any]) -> dict[str, Any]:
    """Leaves out the least pressing alerts until the notice is small enough; that one or more are left out is said."""
    data = body["data"]
    while (
        len(data["alerts"]) > 1
        and len(json.dumps(body, ensure_ascii=False, default=str).encode()) > MAX_BYTES
    ):
        data["alerts"].pop()
        data["alerts_left_out"] += 1
    return body


def load_summary(cases_opened: int, through: datetime, public_url: str, now: datetime) -> dict[str, Any]:
    """One notice for all that stood at the end of a load."""
    base = public_url.rstrip("/")
    links = {"page": f"{base}/cases", "cases": f"{base}/v1/alerts?origin=load&status=open"}
    data = {"cases_opened": cases_opened, "load_ended_at": instant(through), "links": links}
    return {"type": NoticeType.LOAD_SUMMARY.value, "timestamp": instant(now), "data": data}


def receiver_notice(notice: NoticeType, receiver: str, message: str, now: datetime) -> dict[str, Any]:
    """About a receiver itself: a test, or that it was disabled."""
    data = {"receiver": receiver, "message": clip(message)}
    return {"type": notice.value, "timestamp": instant(now), "data": data}


_WHY_DISABLED = {
    "receiver-gone": "it answered that it is no longer there",
    "login-refused": "it no longer takes our credentials",
    "never-reached": "nothing reached it for three days",
}


def disabled_because(receiver: str, reason: str) -> str:
    why = _WHY_DISABLED.get(reason, spoken(reason))
    return f"The receiver {receiver} gets no more notices: {why}. Mend it and enable it again, or delete it."


def spoken(reason: str) -> str:
    """A reason in kebab-case as words."""
    return reason.replace("-", " ").replace("_", " ")


def instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clip(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 1] + "…"


def _trait(traits: Mapping[str, Any], name: str) -> str | None:
    value = traits.get(name)
    return None if value is None else clip(str(value))


def _who_stopped(facts: Facts) -> dict[str, Any] | None:
    """People by id: their names are put in when the notice is sent."""
    if not facts.stopped:
        return None
    named = [
        {"person_id": one.person_id, "last_seen": one.last_seen.isoformat()}
        for one in facts.stopped[:MAX_NAMED]
    ]
    return {"people": named, "more": len(facts.stopped) - len(named)}


def _alert(evidence: Evidence) -> dict[str, Any]:
    return {
        "rule": clip(evidence.rule),
        "label": clip(evidence.label),
        "severity": evidence.severity,
        "state": evidence.state,
        "since": instant(evidence.since_at),
        "evidence": clip(evidence.evidence),
        "evidence_now": clip(evidence.now.evidence) if evidence.now else None,
        "record": evidence.record,
        "figures": _figures(evidence.figures),
        "figures_now": _figures(evidence.now.figures) if evidence.now else None,
    }


def _figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    shown = list(figures.items())[:MAX_FIGURES]
    return {name[:MAX_FIGURE_CHARACTERS]: _figure(value) for name, value in shown}


def _figure(value: Any) -> Any:
    return value[:MAX_FIGURE_CHARACTERS] if isinstance(value, str) else value
