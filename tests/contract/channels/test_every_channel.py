"""What every channel promises, run on each of them."""

import asyncio
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.channels.conftest import (
    BOT_TOKEN,
    MEDIA,
    PASSWORD,
    PATIENT_SECONDS,
    ROUTING_KEY,
    SECRET,
    SHORT_SECONDS,
    WEBHOOK_PATH,
    Medium,
)  # fmt: skip
from tests.contract.channels.stations import http_answering, station

from alerts.domain.retries import Outcome
from alerts.ports.channel import Receipt

# What the kernel keeps between two sockets at most, by its usual settings; the channels themselves read half a megabyte.
MOST_HEARD_BYTES = 12 * 1024 * 1024
# What is to be taken is taken in this time, and then waits for an answer.
TAKEN_SECONDS = 5.0


def test_what_is_taken_is_delivered_once(medium: Medium) -> None:
    with station(medium.says["takes"]()) as receiver:
        receipt = asyncio.run(medium.channel(receiver.port).deliver(medium.delivery(receiver.port)))
    assert receipt.outcome is Outcome.DELIVERED
    assert len(medium.taken(receiver)) == 1


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("fails", Outcome.RETRY),
        ("asks for patience", Outcome.RETRY),
        ("is gone", Outcome.GONE),
        ("resets", Outcome.RETRY),
        ("speaks nonsense", Outcome.RETRY),
    ],
)
def test_what_a_receiver_does_decides_what_comes_next(
    medium: Medium, behaviour: str, outcome: Outcome
) -> None:
    with station(medium.says[behaviour]()) as receiver:
        receipt = asyncio.run(medium.channel(receiver.port).deliver(medium.delivery(receiver.port)))
    assert receipt.outcome is outcome


def test_a_receiver_that_is_not_there_is_tried_again(medium: Medium) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        receipt = asyncio.run(medium.channel(port).deliver(medium.delivery(port)))
    assert (receipt.outcome, receipt.reason) == (Outcome.RETRY, "not-connected")


@pytest.mark.parametrize("behaviour", ["hangs", "drips"])
def test_who_takes_longer_than_the_time_out_holds_no_worker_and_is_tried_again(
    medium: Medium, behaviour: str
) -> None:
    with station(medium.says[behaviour]()) as receiver:
        began = time.monotonic()
        channel = medium.channel(receiver.port, SHORT_SECONDS)
        receipt = asyncio.run(channel.deliver(medium.delivery(receiver.port)))
        assert time.monotonic() - began < PATIENT_SECONDS
    assert (receipt.outcome, receipt.reason, receipt.status_code) == (Outcome.RETRY, "timed-out", None)


def test_who_took_it_and_says_so_too_late_is_tried_again() -> None:
    """Nobody can know that it was taken, so it comes again under the same id. All wait at once."""

    def delivered(make: Callable[[], Medium]) -> tuple[Receipt, int]:
        medium = make()
        with station(medium.says["takes it too late"]()) as receiver:
            channel = medium.channel(receiver.port, TAKEN_SECONDS)
            receipt = asyncio.run(channel.deliver(medium.delivery(receiver.port)))
        return receipt, len(medium.taken(receiver))

    with ThreadPoolExecutor(len(MEDIA)) as pool:
        for receipt, taken in pool.map(delivered, MEDIA):
            assert taken == 1
            assert (receipt.outcome, receipt.reason) == (Outcome.RETRY, "timed-out")
            assert receipt.status_code is None


def test_who_talks_without_end_is_heard_a_little_and_judged_by_that(medium: Medium) -> None:
    """A status that says yes is one. Slack's bots and mail servers have said nothing yet that can be read."""
    with station(medium.says["talks without end"]()) as receiver:
        receipt = asyncio.run(medium.channel(receiver.port).deliver(medium.delivery(receiver.port)))
    assert receiver.said_bytes < MOST_HEARD_BYTES
    expected = {"slack bot": ("retry", "receiver-failed"), "email": ("retry", "connection-broken")}
    assert (receipt.outcome.value, receipt.reason) == expected.get(medium.name, ("delivered", "delivered"))


def test_every_attempt_carries_the_same_id(medium: Medium) -> None:
    with station(medium.says["takes"]()) as receiver:
        channel, delivery = medium.channel(receiver.port), medium.delivery(receiver.port)
        asyncio.run(channel.deliver(delivery))
        asyncio.run(channel.deliver(replace(delivery, at=delivery.at + timedelta(minutes=5))))
        told = [str(request.headers).encode() + request.body for request in receiver.requests]
        assert [delivery.id.encode() in one for one in told or receiver.letters] == [True, True]


def test_the_notice_arrives_as_it_was_written(medium: Medium) -> None:
    with station(medium.says["takes"]()) as receiver:
        delivery = medium.delivery(receiver.port)
        asyncio.run(medium.channel(receiver.port).deliver(delivery))
        (taken,) = medium.taken(receiver)
        assert b"A test." in taken


@pytest.mark.parametrize("behaviour", ["takes", "fails", "is gone", "hangs", "resets", "speaks nonsense"])
def test_no_secret_shows_in_what_is_reported(
    medium: Medium, behaviour: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with station(medium.says[behaviour]()) as receiver:
        delivery = medium.delivery(receiver.port)
        channel = medium.channel(receiver.port, SHORT_SECONDS if behaviour == "hangs" else PATIENT_SECONDS)
        receipt = asyncio.run(channel.deliver(delivery))
    captured = capfd.readouterr()
    told = f"{receipt!r} {delivery!r} {captured.out} {captured.err}"
    for secret in (SECRET, PASSWORD, ROUTING_KEY, BOT_TOKEN, WEBHOOK_PATH):
        assert secret not in told


# What becomes of a notice by the answer, and whether the receiver's wish to wait is heard.
RETRIED = (301, 302, 307, 308, 408, 429, 500, 502, 503, 504)
BY_STATUS = {
    "webhook": {200: "delivered", 400: "retry", 401: "retry", 404: "retry", 410: "gone", 413: "retry"},
    "slack webhook": {200: "delivered", 400: "refused", 401: "gone", 404: "retry", 410: "gone", 413: "refused"},
    "slack bot": {200: "retry", 400: "refused", 401: "gone", 404: "retry", 410: "gone", 413: "refused"},
    "pagerduty": {202: "delivered", 400: "refused", 401: "retry", 404: "retry", 410: "gone", 413: "refused"},
}  # fmt: skip


def test_the_table_of_answers(web_medium: Medium) -> None:
    """Who answers 200 without a word of Slack's to a bot is somebody else: it is tried again."""
    expected = {**dict.fromkeys(RETRIED, "retry"), **BY_STATUS[web_medium.name]}
    found = {}
    for status in expected:
        with station(http_answering(status, "retry-after: 77")) as receiver:
            receipt = asyncio.run(
                web_medium.channel(receiver.port).deliver(web_medium.delivery(receiver.port))
            )
        found[status] = receipt.outcome.value
        assert receipt.status_code == status
        if receipt.outcome is Outcome.RETRY:
            assert receipt.retry_after == timedelta(seconds=77)
    assert found == expected


def test_nothing_inward_is_called_over_any_channel(web_medium: Medium) -> None:
    with station(web_medium.says["takes"]()) as receiver:
        delivery = web_medium.delivery(receiver.port)
        inward = replace(delivery, receiver=replace(delivery.receiver, allow_private=False))
        receipt = asyncio.run(web_medium.channel(receiver.port).deliver(inward))
        assert receiver.connections == 0
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "address-refused")


def test_a_redirect_inward_is_not_followed_over_any_channel(web_medium: Medium) -> None:
    with station(http_answering(200)) as inside:
        moved = f"location: http://127.0.0.1:{inside.port}/"
        with station(http_answering(307, moved)) as receiver:
            receipt = asyncio.run(
                web_medium.channel(receiver.port).deliver(web_medium.delivery(receiver.port))
            )
        assert inside.connections == 0
    assert receipt.reason == "redirect-refused"
