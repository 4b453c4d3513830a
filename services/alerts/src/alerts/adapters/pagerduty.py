"""Notices as PagerDuty events (Events API v2): a case is one incident, by its id."""

import json
from typing import Any

from alerts.adapters.web import Answer, Misconfigured, Web, receipt_of
from alerts.domain.brief import Brief, brief_of
from alerts.domain.retries import Outcome
from alerts.domain.targets import PAGERDUTY_URL
from alerts.ports.channel import Channel, Delivery, Receipt

_ACTIONS = {"case.acknowledged": "acknowledge", "case.resolved": "resolve"}
# PagerDuty's own limits, in characters.
_SUMMARY, _SOURCE, _DETAIL = 1_024, 255, 1_000
Json = dict[str, Any]


class PagerDutyChannel(Channel):
    """A receiver's secret is the integration's routing key."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def prepare(self) -> None:
        """Nothing is left to do: the webhooks' channel has loaded the client."""

    async def deliver(self, delivery: Delivery) -> Receipt:
        async def work() -> Receipt:
            receiver = delivery.receiver
            key = next(iter(receiver.secrets), "")
            if not key:
                raise Misconfigured
            answer = await self._web.post(
                f"{(receiver.target or PAGERDUTY_URL).rstrip('/')}/v2/enqueue",
                {},
                json.dumps(event_of(delivery, key)).encode(),
                private=receiver.allow_private,
            )
            return _judged(answer)

        return await self._web.within_time(work)


def event_of(delivery: Delivery, routing_key: str) -> Json:
    """The same incident for all notices of a case; what is about no case is an incident of its own."""
    brief = brief_of(delivery.type, json.loads(delivery.body))
    known = {
        "routing_key": routing_key,
        "event_action": _ACTIONS.get(delivery.type, "trigger"),
        "dedup_key": brief.case_id or delivery.id,
    }
    if known["event_action"] != "trigger":
        return known
    links = [{"href": brief.page, "text": "Open it"}] if brief.page else []
    return {
        **known,
        "client": "Bellwether",
        **({"client_url": brief.page} if brief.page else {}),
        "links": links + [{"href": button.url, "text": button.label} for button in brief.buttons],
        "payload": _payload(delivery, brief),
    }


def _payload(delivery: Delivery, brief: Brief) -> Json:
    told = f"{brief.subject}. {brief.headline} {' '.join(brief.changed)}"
    payload = {
        "summary": told[:_SUMMARY],
        "source": (brief.account or "bellwether")[:_SOURCE],
        "severity": brief.severity,
        "timestamp": delivery.created_at.isoformat(),
        "class": ", ".join(brief.rules)[:_SOURCE] or delivery.type,
        "group": brief.segment,
        "custom_details": {
            **({"At stake": brief.headline} if brief.headline else {}),
            "What changed": [line[:_DETAIL] for line in brief.changed],
            **{name: value[:_DETAIL] for name, value in brief.facts},
            **({"Next step": brief.next_step} if brief.next_step else {}),
            "Notification": delivery.id,
        },
    }
    return {name: value for name, value in payload.items() if value is not None}


def _judged(answer: Answer) -> Receipt:
    """400 is final: a routing key that is none ends the receiver, anything else this notice."""
    if answer.status not in (400, 413):
        return receipt_of(answer)
    if b"routing key" in answer.body.lower() or b"routing_key" in answer.body.lower():
        return Receipt(Outcome.GONE, "login-refused", answer.status)
    return Receipt(Outcome.REFUSED, "receiver-refused", answer.status)
