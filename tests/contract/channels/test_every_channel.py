"""What every channel promises, run on each of them."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.channels.conftest import PASSWORD, SECRET, TIMEOUT_SECONDS, Medium
from tests.contract.channels.stations import station

from alerts.domain.retries import Outcome
from common.local.ports import free_ports


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
        ("hangs", Outcome.RETRY),
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
    port = free_ports(1)[0]
    receipt = asyncio.run(medium.channel(port).deliver(medium.delivery(port)))
    assert (receipt.outcome, receipt.reason) == (Outcome.RETRY, "not-connected")


@pytest.mark.parametrize("behaviour", ["hangs", "talks without end"])
def test_no_receiver_holds_a_worker_longer_than_the_time_out(medium: Medium, behaviour: str) -> None:
    with station(medium.says[behaviour]()) as receiver:
        began = time.monotonic()
        asyncio.run(medium.channel(receiver.port).deliver(medium.delivery(receiver.port)))
        assert time.monotonic() - began < TIMEOUT_SECONDS + 2


def test_every_attempt_carries_the_same_id(medium: Medium) -> None:
    with station(medium.says["takes"]()) as receiver:
        channel, delivery = medium.channel(receiver.port), medium.delivery(receiver.port)
        asyncio.run(channel.deliver(delivery))
        asyncio.run(channel.deliver(replace(delivery, at=delivery.at + timedelta(minutes=5))))
        if medium.name == "webhook":
            ids = {request.headers["webhook-id"] for request in receiver.requests}
            assert ids == {delivery.id}
        else:
            wanted = f"<{delivery.id}@example.com>".encode()
            assert [wanted in letter for letter in receiver.letters] == [True, True]


def test_the_notice_arrives_as_it_was_written(medium: Medium) -> None:
    with station(medium.says["takes"]()) as receiver:
        delivery = medium.delivery(receiver.port)
        asyncio.run(medium.channel(receiver.port).deliver(delivery))
        (taken,) = medium.taken(receiver)
        assert (taken == delivery.body.encode()) if medium.name == "webhook" else (b"A test." in taken)


@pytest.mark.parametrize("behaviour", ["takes", "fails", "is gone", "hangs", "resets", "speaks nonsense"])
def test_no_secret_shows_in_what_is_reported(
    medium: Medium, behaviour: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with station(medium.says[behaviour]()) as receiver:
        delivery = medium.delivery(receiver.port)
        receipt = asyncio.run(medium.channel(receiver.port).deliver(delivery))
    captured = capfd.readouterr()
    told = f"{receipt!r} {delivery!r} {captured.out} {captured.err}"
    assert SECRET not in told
    assert PASSWORD not in told
