"""What is particular to Slack: words that mention nobody, one message a case where a bot may change it, errors inside a 200."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.channels.conftest import BOT_TOKEN, ROUTING_KEY, WEBHOOK_PATH, delivery_to, web
from tests.contract.channels.stations import Speak, Station, http_answering, http_in_turn, station
from tests.contract.channels.test_email import CASE

from alerts.adapters.pagerduty import PagerDutyChannel
from alerts.adapters.slack import SlackChannel
from alerts.domain.retries import Outcome
from alerts.ports.channel import Delivery, Receipt

POSTED = b'{"ok":true,"channel":"C0123","ts":"1717171717.000100"}'


def _by_bot(port: int, kind: str = "case.opened", **changes: Any) -> Delivery:
    made = delivery_to(f"http://127.0.0.1:{port}", "slack", secrets=(BOT_TOKEN,), channel="#success")
    return replace(made, type=kind, body=json.dumps(CASE), **changes)


def _delivered(speak: Speak, kind: str = "case.opened", **changes: Any) -> tuple[Receipt, Station]:
    with station(speak) as receiver:
        receipt = asyncio.run(SlackChannel(web()).deliver(_by_bot(receiver.port, kind, **changes)))
    return receipt, receiver


def test_a_bot_posts_in_its_channel_and_remembers_the_message() -> None:
    receipt, slack = _delivered(http_answering(200, body=POSTED))
    (request,) = slack.requests
    said = json.loads(request.body)
    assert request.line == "POST /api/chat.postMessage HTTP/1.1"
    assert request.headers["authorization"] == f"Bearer {BOT_TOKEN}"
    assert (said["channel"], said["unfurl_links"]) == ("#success", False)
    assert receipt.reference == "C0123 1717171717.000100"


def test_words_of_customers_neither_mention_nor_link() -> None:
    _, slack = _delivered(http_answering(200, body=POSTED))
    said = json.loads(slack.requests[0].body)
    (attachment,) = said["attachments"]
    marked = [
        block["text"]["text"]
        for block in attachment["blocks"]
        if block.get("text", {}).get("type") == "mrkdwn"
    ]
    assert "Globex &lt;b&gt;" in said["text"]
    assert not any("<" in text or ">" in text for text in [said["text"], *marked])
    assert all(len(block.get("text", {}).get("text", "")) <= 3_000 for block in attachment["blocks"])


def test_an_answer_that_repeats_a_long_message_is_understood() -> None:
    echo = json.dumps({"message": "x" * 200_000, **json.loads(POSTED)}).encode()
    receipt, slack = _delivered(http_answering(200, body=echo))
    assert (receipt.outcome, receipt.reference) == (Outcome.DELIVERED, "C0123 1717171717.000100")
    assert len(slack.requests) == 1


@pytest.mark.parametrize("kind", ["case.acknowledged", "case.resolved"])
def test_the_message_is_changed_and_nothing_is_posted_when_the_case_only_moves(kind: str) -> None:
    receipt, slack = _delivered(http_answering(200, body=POSTED), kind, earlier="C0123 1717.0001")
    (request,) = slack.requests
    said = json.loads(request.body)
    assert request.line == "POST /api/chat.update HTTP/1.1"
    assert (said["channel"], said["ts"]) == ("C0123", "1717.0001")
    assert (receipt.outcome, receipt.reference) == (Outcome.DELIVERED, "C0123 1717.0001")


def test_what_got_worse_changes_the_message_and_is_said_below_it() -> None:
    receipt, slack = _delivered(http_answering(200, body=POSTED), "case.worsened", earlier="C0123 1717.0001")
    assert [request.line.split()[1] for request in slack.requests] == [
        "/api/chat.update",
        "/api/chat.postMessage",
    ]
    below = json.loads(slack.requests[1].body)
    assert (below["thread_ts"], below["reply_broadcast"]) == ("1717.0001", True)
    assert receipt.reference == "C0123 1717.0001", "the first message stays the one that is changed"


def test_a_message_that_somebody_deleted_is_posted_anew() -> None:
    speak = http_in_turn(b'{"ok":false,"error":"message_not_found"}', POSTED)
    receipt, slack = _delivered(speak, "case.resolved", earlier="C0123 1717.0001")
    assert "thread_ts" not in json.loads(slack.requests[1].body)
    assert receipt.reference == "C0123 1717171717.000100"


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        ("ratelimited", Outcome.RETRY, "slow-down"),
        ("internal_error", Outcome.RETRY, "receiver-failed"),
        ("channel_not_found", Outcome.GONE, "receiver-gone"),
        ("token_revoked", Outcome.GONE, "login-refused"),
        ("invalid_blocks", Outcome.REFUSED, "receiver-refused"),
    ],
)
def test_what_slack_says_in_a_200_decides(error: str, outcome: Outcome, reason: str) -> None:
    receipt, _ = _delivered(http_answering(200, body=json.dumps({"ok": False, "error": error}).encode()))
    assert (receipt.outcome, receipt.reason) == (outcome, reason)


@pytest.mark.parametrize("answer", [b"", b"[]", b'"ok"', b"{\xff", b'{"ok":"true"}', b"[" * 10_000])
def test_a_200_that_slack_would_not_say_is_no_delivery(answer: bytes) -> None:
    receipt, _ = _delivered(http_answering(200, body=answer))
    assert (receipt.outcome, receipt.reference) == (Outcome.RETRY, None)


def test_a_webhook_goes_through_the_base_address_where_one_is_given() -> None:
    with station(http_answering(200, body=b"ok")) as proxy:
        secret = f"https://hooks.slack.com{WEBHOOK_PATH}"
        delivery = delivery_to(f"http://127.0.0.1:{proxy.port}/out/", "slack", secrets=(secret,))
        receipt = asyncio.run(SlackChannel(web()).deliver(delivery))
    assert (receipt.outcome, proxy.requests[0].line) == (
        Outcome.DELIVERED,
        f"POST /out{WEBHOOK_PATH} HTTP/1.1",
    )


@pytest.mark.parametrize(
    ("secrets", "channel"), [((), "#c"), (("",), "#c"), ((BOT_TOKEN,), None), (("xoxb-a\nb",), "#c")]
)
def test_without_a_usable_token_nothing_is_sent(secrets: tuple[str, ...], channel: str | None) -> None:
    delivery = delivery_to("http://127.0.0.1:9", "slack", secrets=secrets, channel=channel)
    assert asyncio.run(SlackChannel(web()).deliver(delivery)).reason == "receiver-misconfigured"


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("case.opened", "trigger"),
        ("case.worsened", "trigger"),
        ("case.acknowledged", "acknowledge"),
        ("case.resolved", "resolve"),
    ],
)
def test_a_case_is_one_incident_of_pagerduty(kind: str, action: str) -> None:
    with station(http_answering(202)) as receiver:
        made = delivery_to(f"http://127.0.0.1:{receiver.port}", "pagerduty", secrets=(ROUTING_KEY,))
        asyncio.run(PagerDutyChannel(web()).deliver(replace(made, type=kind, body=json.dumps(CASE))))
    (request,) = receiver.requests
    said = json.loads(request.body)
    assert request.line == "POST /v2/enqueue HTTP/1.1"
    assert (said["event_action"], said["dedup_key"], said["routing_key"]) == (action, "case_1", ROUTING_KEY)
    assert ("payload" in said) == (action == "trigger")
    if action == "trigger":
        payload = said["payload"]
        assert payload["summary"].startswith(
            "[critical] Globex <b> needs attention" if kind == "case.opened" else "[critical]"
        )
        assert (payload["severity"], payload["source"], payload["group"]) == ("critical", "globex", "mid")
        assert payload["custom_details"]["Next step"] == "Call today."
        assert said["links"][0]["href"] == "http://gateway.example/account?id=globex"


def test_a_wrong_routing_key_ends_the_receiver_and_a_wrong_event_only_itself() -> None:
    found = []
    for errors in ("Invalid routing key", "'payload.severity' is invalid"):
        body = json.dumps({"status": "invalid event", "errors": [errors]}).encode()
        with station(http_answering(400, body=body)) as receiver:
            made = delivery_to(f"http://127.0.0.1:{receiver.port}", "pagerduty", secrets=(ROUTING_KEY,))
            found.append(asyncio.run(PagerDutyChannel(web()).deliver(made)).outcome)
    assert found == [Outcome.GONE, Outcome.REFUSED]
