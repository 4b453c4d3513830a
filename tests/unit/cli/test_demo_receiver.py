"""The demo's receiver believes only what is signed."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from bellwether.demo.receiver import new_secret, reason_to_refuse
from bellwether.demo.screen import notice_text

# The specification's own example.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_the_example_of_the_specification_is_believed() -> None:
    assert reason_to_refuse(SECRET, HEADERS, BODY, AT) is None


def test_one_right_signature_among_several_is_enough() -> None:
    both = {**HEADERS, "webhook-signature": f"v1,AAAA v1a,x {HEADERS['webhook-signature']} v1,!!"}
    assert reason_to_refuse(SECRET, both, BODY, AT) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "another"},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": "-5"},
        {"webhook-signature": ""},
        {"webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-id": ""},
    ],
)
def test_anything_changed_is_refused(changed: dict[str, str]) -> None:
    assert reason_to_refuse(SECRET, {**HEADERS, **changed}, BODY, AT) is not None


def test_another_body_and_another_secret_are_refused() -> None:
    assert reason_to_refuse(SECRET, HEADERS, BODY + b" ", AT) is not None
    assert reason_to_refuse(new_secret(), HEADERS, BODY, AT) is not None


def test_an_old_attempt_is_refused_so_that_nobody_can_replay_it() -> None:
    assert reason_to_refuse(SECRET, HEADERS, BODY, AT + timedelta(minutes=6)) is not None


def test_what_the_reference_library_signs_is_believed() -> None:
    secret, now = new_secret(), datetime.now(UTC).replace(microsecond=0)
    signature = Webhook(secret).sign("msg_1", now, BODY.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    assert reason_to_refuse(secret, headers, BODY, now) is None


def test_a_notice_is_readable_whatever_it_lacks() -> None:
    data = {
        "account": {"name": "Acme", "owner": None},
        "severity": "critical",
        "next_step": "Call.",
        "alerts": [{"label": "L", "evidence": "E"}],
        "mrr": {"amount": "1264.00", "currency": "EUR"},
        "notice_deadline": "2026-12-14T00:00:00.000Z",
    }
    text = notice_text({"type": "case.opened", "data": data}).plain
    assert "Acme  critical, looked after by nobody" in text
    assert "Pays 1,264 EUR a month; notice possible until 14 December 2026.\nL: E\nNext: Call." in text
    assert "4 cases" in notice_text({"data": {"cases_opened": 4}}).plain
    assert notice_text({}).plain == ""
