"""What is particular to webhooks: signatures, addresses, redirects, answers that try to hurt."""

import asyncio
import gc
import gzip
import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook
from tests.contract.channels.conftest import PATIENT_SECONDS, SECRET, SHORT_SECONDS, delivery_to, web
from tests.contract.channels.stations import http_answering, http_dripping, station

from alerts.adapters.web import Web
from alerts.adapters.webhook import WebhookChannel
from alerts.domain.retries import Outcome
from alerts.ports.channel import Delivery, Receipt
from common.clock import SystemClock

OLD_SECRET = "whsec_" + "b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xk"


def _delivered(delivery: Delivery, channel: WebhookChannel | None = None) -> Receipt:
    made = channel or WebhookChannel(web())
    return asyncio.run(made.deliver(delivery))


def test_the_standard_library_verifies_what_is_sent() -> None:
    with station(http_answering(200)) as receiver:
        _delivered(delivery_to(f"http://127.0.0.1:{receiver.port}/hook?team=1"))
        (request,) = receiver.requests
    assert request.line == "POST /hook?team=1 HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert Webhook(SECRET).verify(request.body, request.headers)["type"] == "receiver.test"


def test_during_a_rotation_both_secrets_verify() -> None:
    with station(http_answering(200)) as receiver:
        target = f"http://127.0.0.1:{receiver.port}/"
        _delivered(delivery_to(target, secrets=(SECRET, OLD_SECRET)))
        (request,) = receiver.requests
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(request.body, request.headers)


def test_each_attempt_is_signed_for_its_own_time() -> None:
    with station(http_answering(500)) as receiver:
        delivery = delivery_to(f"http://127.0.0.1:{receiver.port}/")
        _delivered(delivery)
        _delivered(replace(delivery, at=delivery.at + timedelta(seconds=90)))
        first, second = (int(request.headers["webhook-timestamp"]) for request in receiver.requests)
    assert second - first == 90


def test_the_signature_is_that_of_the_published_example() -> None:
    with station(http_answering(200)) as receiver:
        delivery = delivery_to(f"http://127.0.0.1:{receiver.port}/")
        at = datetime.fromtimestamp(1614265330, UTC)
        known = replace(delivery, id="msg_p5jXN8AQM9LWM0D4loKWxJek", body='{"test": 2432232314}', at=at)
        _delivered(known)
        (request,) = receiver.requests
    assert request.headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    with (
        station(http_answering(200)) as inside,
        station(http_answering(status, f"location: http://127.0.0.1:{inside.port}/")) as receiver,
    ):
        receipt = _delivered(delivery_to(f"http://127.0.0.1:{receiver.port}/"))
        assert inside.connections == 0
    assert (receipt.outcome, receipt.reason) == (Outcome.RETRY, "redirect-refused")


@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 502, 503, 504])
def test_whatever_is_not_2xx_is_tried_again(status: int) -> None:
    with station(http_answering(status)) as receiver:
        receipt = _delivered(delivery_to(f"http://127.0.0.1:{receiver.port}/"))
    assert (receipt.outcome, receipt.status_code) == (Outcome.RETRY, status)


def test_retry_after_is_read_in_both_forms() -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for header, low, high in (("120", 120, 120), (later, 3_000, 3_600)):
        with station(http_answering(503, f"retry-after: {header}")) as receiver:
            receipt = _delivered(delivery_to(f"http://127.0.0.1:{receiver.port}/"))
        assert receipt.retry_after is not None
        assert low <= receipt.retry_after.total_seconds() <= high


def test_an_answer_that_unpacks_to_a_gigabyte_is_never_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    with station(http_answering(200, "content-encoding: gzip", body=bomb)) as receiver:
        receipt = _delivered(delivery_to(f"http://127.0.0.1:{receiver.port}/"))
    assert receipt.outcome is Outcome.DELIVERED


def test_a_head_that_drips_is_cut_off() -> None:
    with station(http_dripping()) as receiver:
        channel = WebhookChannel(web(SHORT_SECONDS))
        receipt = _delivered(delivery_to(f"http://127.0.0.1:{receiver.port}/"), channel)
    assert (receipt.outcome, receipt.reason) == (Outcome.RETRY, "timed-out")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fe80::1]",
        "[fc00::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "localhost",
    ],
)
def test_addresses_that_point_inward_are_refused(host: str) -> None:
    with station(http_answering(200)) as receiver:
        receipt = _delivered(delivery_to(f"http://{host}:{receiver.port}/", allow_private=False))
        assert receiver.connections == 0
    assert receipt.outcome is Outcome.REFUSED
    assert receipt.reason in ("address-refused", "receiver-misconfigured"), "some forms are no address at all"


def test_a_name_is_resolved_once_and_what_was_checked_is_what_is_called() -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    with station(http_answering(200)) as receiver:
        channel = WebhookChannel(Web(SystemClock(), resolve=rebinding, timeout_seconds=PATIENT_SECONDS))
        receipt = _delivered(delivery_to(f"http://hooks.example:{receiver.port}/"), channel)
        assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"
    assert receipt.outcome is Outcome.DELIVERED
    assert asked == ["hooks.example"]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:10.0.0.1"]])
def test_a_name_that_leads_inward_is_refused_even_in_part(addresses: list[str]) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return addresses

    channel = WebhookChannel(Web(SystemClock(), resolve=resolve, timeout_seconds=PATIENT_SECONDS))
    receipt = _delivered(delivery_to("https://hooks.example/", allow_private=False), channel)
    assert receipt.reason == "address-refused"


def test_a_name_without_an_address_is_tried_again() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise OSError

    channel = WebhookChannel(Web(SystemClock(), resolve=resolve, timeout_seconds=PATIENT_SECONDS))
    receipt = _delivered(delivery_to("https://hooks.example/"), channel)
    assert (receipt.outcome, receipt.reason) == (Outcome.RETRY, "name-unknown")


@pytest.mark.parametrize(
    "target", ["ftp://hooks.example/", "http://", "not an address", "http://[::1", "file:///etc/passwd"]
)
def test_what_is_no_web_address_is_refused(target: str) -> None:
    assert _delivered(delivery_to(target)).reason == "receiver-misconfigured"


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",), ("not base64!",)])
def test_nothing_leaves_unsigned(secrets: tuple[str, ...]) -> None:
    with station(http_answering(200)) as receiver:
        receipt = _delivered(delivery_to(f"http://127.0.0.1:{receiver.port}/", secrets=secrets))
        assert receiver.connections == 0
    assert receipt.reason == "receiver-misconfigured"


def test_a_certificate_is_checked_for_the_receiver_s_name() -> None:
    """A server that speaks no TLS at all is not talked to in the clear."""
    with station(http_answering(200)) as receiver:
        channel = WebhookChannel(web(SHORT_SECONDS))
        receipt = _delivered(delivery_to(f"https://127.0.0.1:{receiver.port}/"), channel)
        assert receiver.requests == []
        with warnings.catch_warnings():
            # asyncio's transport of a handshake that failed is closed by the collector alone, which complains about it.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    assert receipt.outcome is Outcome.RETRY


PREPARED = """
import asyncio, sys
from alerts.adapters.web import Web
from alerts.adapters.webhook import WebhookChannel
from common.clock import SystemClock
from tests.contract.channels.conftest import delivery_to

async def main():
    channel = WebhookChannel(Web(SystemClock()))
    await channel.prepare()
    loaded = set(sys.modules)
    receipt = await channel.deliver(delivery_to(sys.argv[1]))
    print(receipt.reason, *sorted(set(sys.modules) - loaded))

asyncio.run(main())
"""


def test_a_prepared_channel_loads_nothing_in_the_time_of_its_first_receiver() -> None:
    with station(http_answering(204)) as receiver:
        done = subprocess.run(
            [sys.executable, "-c", PREPARED, f"http://127.0.0.1:{receiver.port}/"],
            cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["delivered"], "")
