"""What is particular to e-mail: two forms of one letter, headers nobody can smuggle into, permanent refusals."""

import asyncio
import email
import email.policy
import json
from dataclasses import replace
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from tests.contract.channels.conftest import PASSWORD, PATIENT_SECONDS, delivery_to
from tests.contract.channels.stations import smtp, station

from alerts.adapters.email import EmailChannel, MailServer
from alerts.domain.retries import Outcome
from alerts.ports.channel import Delivery, Receipt
from common.local.ports import free_ports

CASE = {
    "type": "case.opened",
    "timestamp": "2026-03-02T12:00:00.000Z",
    "data": {
        "case": {"id": "case_1", "status": "open"},
        "account": {"id": "globex", "name": "Globex <b>", "owner": "dana", "segment": "mid"},
        "severity": "critical",
        "alerts": [
            {
                "label": "Complaints rose",
                "evidence": "4 complaints in 7 days.",
                "since": "2026-03-02T12:00:00.000Z",
            }
        ],
        "alerts_left_out": 0,
        "mrr": {"amount": "1200.50", "currency": "EUR"},
        "notice_deadline": "2026-04-01T00:00:00.000Z",
        "next_step": "Call today.",
        "links": {
            "page": "http://gateway.example/account?id=globex",
            "case": "http://gateway.example/v1/alerts/case_1",
        },
    },
}


class _Mailbox:
    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.letters.append(cast("bytes", envelope.content))
        return "250 2.0.0 Ok"


def _case_delivery(**changes: str) -> Delivery:
    made = replace(delivery_to("team@example.com", "email"), type="case.opened", body=json.dumps(CASE))
    return replace(made, **changes)  # type: ignore[arg-type]


def _delivered(port: int, delivery: Delivery, *, username: str | None = None) -> Receipt:
    server = MailServer(
        "127.0.0.1", port, "none", username, PASSWORD if username else None, "alerts@example.com"
    )
    return asyncio.run(EmailChannel(server, timeout_seconds=PATIENT_SECONDS).deliver(delivery))


def test_a_real_mail_server_gets_a_letter_in_text_and_html() -> None:
    mailbox, port = _Mailbox(), free_ports(1)[0]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=PATIENT_SECONDS)
    controller.start()
    try:
        assert _delivered(port, _case_delivery()).outcome is Outcome.DELIVERED
    finally:
        controller.stop()
    (raw,) = mailbox.letters
    letter = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
    assert letter["Subject"] == "[critical] Globex <b> needs attention"
    assert letter["To"] == "team@example.com"
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text is not None
    assert html is not None
    for wanted in (
        "4 complaints in 7 days.",
        "1,200.50 EUR",
        "1 April 2026",
        "Call today.",
        "http://gateway.example/account?id=globex",
    ):
        assert wanted in text.get_content()
        assert wanted in html.get_content()
    assert "Globex &lt;b&gt;" in html.get_content()


def test_a_wrong_password_is_tried_again_and_shows_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    port = free_ports(1)[0]
    controller = Controller(
        _Mailbox(),
        hostname="127.0.0.1",
        port=port,
        ready_timeout=PATIENT_SECONDS,
        auth_require_tls=False,
        authenticator=refuse,
    )
    controller.start()
    try:
        receipt = _delivered(port, _case_delivery(), username="bellwether")
    finally:
        controller.stop()
    assert (receipt.outcome, receipt.reason) == (Outcome.RETRY, "login-refused")
    captured = capfd.readouterr()
    assert PASSWORD not in f"{receipt!r}{captured.out}{captured.err}"


# What becomes of a letter by what the server answers to its greeting, its addressee or its text.
ANSWERS: dict[tuple[str, str], tuple[str, str, int | None]] = {
    ("rcpt", "421 4.3.2 going down"): ("retry", "slow-down", 421),
    ("rcpt", "450 4.2.1 too fast"): ("retry", "slow-down", 450),
    ("rcpt", "452 4.2.2 mailbox full"): ("retry", "slow-down", 452),
    ("rcpt", "550 5.1.1 no such mailbox"): ("gone", "receiver-gone", 550),
    ("rcpt", "551 5.1.6 has moved"): ("gone", "receiver-gone", 551),
    ("rcpt", "550 5.1.10 RESOLVER.ADR.RecipientNotFound"): ("gone", "receiver-gone", 550),
    ("rcpt", "550-5.2.1 the account is\r\n550 5.2.1 disabled"): ("gone", "receiver-gone", 550),
    ("rcpt", "550 5.2.10 none of those"): ("refused", "receiver-refused", 550),
    ("rcpt", "550 no code at all"): ("refused", "receiver-refused", 550),
    ("rcpt", "552 5.2.2 mailbox full"): ("refused", "receiver-refused", 552),
    ("data", "451 4.3.0 local error"): ("retry", "slow-down", 451),
    ("data", "554 5.7.1 not this one"): ("refused", "receiver-refused", 554),
    ("data", "550 5.1.1 no such mailbox"): ("gone", "receiver-gone", 550),
    ("greeting", "421 4.3.2 going down"): ("retry", "not-connected", None),
    ("greeting", "554 5.7.1 not from your address"): ("retry", "not-connected", None),
    ("greeting", "HTTP/1.1 400 Bad Request"): ("retry", "connection-broken", None),
}


def test_the_table_of_answers() -> None:
    found = {}
    for place, answer in ANSWERS:
        says: dict[str, Any] = {place: answer}
        with station(smtp(**says)) as receiver:
            receipt = _delivered(receiver.port, _case_delivery())
        found[place, answer] = (receipt.outcome.value, receipt.reason, receipt.status_code)
    assert found == ANSWERS


@pytest.mark.parametrize(
    "target", ["", "nobody", "a@b\r\nBcc: all@example.com", "a@example.com, b@example.com"]
)
def test_nothing_can_be_smuggled_in_by_an_address(target: str) -> None:
    with station(smtp()) as receiver:
        delivery = replace(_case_delivery(), receiver=replace(_case_delivery().receiver, target=target))
        receipt = _delivered(receiver.port, delivery)
        assert receiver.letters == []
    assert receipt.reason == "receiver-misconfigured"


def test_nothing_can_be_smuggled_in_by_a_name() -> None:
    body = json.loads(json.dumps(CASE))
    body["data"]["account"]["name"] = "Globex\r\nBcc: all@example.com"
    with station(smtp()) as receiver:
        _delivered(receiver.port, _case_delivery(body=json.dumps(body)))
        (raw,) = receiver.letters
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"\nBcc:" not in head


def test_without_a_mail_server_it_says_so() -> None:
    receipt = asyncio.run(EmailChannel(None).deliver(_case_delivery()))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "mail-not-configured")
