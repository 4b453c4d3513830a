"""One role per channel: it delivers to a station and knows how its protocol says the same things."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import pytest
from tests.contract.channels import stations
from tests.contract.channels.stations import Speak, Station

from alerts.adapters.email import EmailChannel, MailServer
from alerts.adapters.pagerduty import PagerDutyChannel
from alerts.adapters.slack import SlackChannel
from alerts.adapters.web import Web
from alerts.adapters.webhook import WebhookChannel
from alerts.ports.channel import Channel, Delivery, Receiver
from common.clock import SystemClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD = "correct-horse-battery"
ROUTING_KEY = "R0123456789abcdef0123456789abcde"
BOT_TOKEN = "xoxb-1111-2222-abcdefghijkl"
WEBHOOK_PATH = "/services/T0001/B0001/very-secret-path"
BODY = '{"type":"receiver.test","timestamp":"2026-03-02T12:00:00.000Z","data":{"receiver":"team","message":"A test."}}'
# In this time everything that is to happen here has happened, on the busiest machine.
PATIENT_SECONDS = 60.0
# For those of whom it is expected that they take longer, whatever the machine.
SHORT_SECONDS = 0.5


def delivery_to(target: str, kind: str = "webhook", **changes: object) -> Delivery:
    made: dict[str, Any] = {
        "secrets": (SECRET,) if kind == "webhook" else (),
        "allow_private": True,
        "channel": None,
        **changes,
    }
    receiver = Receiver(1, 1, "team", kind, target, made["secrets"], made["allow_private"], made["channel"])
    now = datetime.now(UTC)
    return Delivery("msg_0190aaaa-0000-7000-8000-000000000001", "receiver.test", BODY, now, now, receiver)


@cache
def web(timeout_seconds: float = PATIENT_SECONDS) -> Web:
    """One for all: it keeps nothing of an attempt, and reading the machine's certificates takes time."""
    return Web(SystemClock(), timeout_seconds=timeout_seconds)


@dataclass(frozen=True)
class Medium:
    """A channel under test. `says`: how a receiver of this kind takes, fails, asks for patience, is gone, and so on."""

    name: str
    says: Mapping[str, Callable[[], Speak]]
    _channel: Callable[[int, float], Channel]
    _delivery: Callable[[int], Delivery]
    taken: Callable[[Station], list[bytes]]

    def channel(self, port: int, timeout_seconds: float = PATIENT_SECONDS) -> Channel:
        return self._channel(port, timeout_seconds)

    def delivery(self, port: int) -> Delivery:
        return self._delivery(port)


def _of_the_web(
    name: str,
    channel: Callable[[Web], Channel],
    delivery: Callable[[int], Delivery],
    taken: Callable[..., Speak],
    gone: Callable[[], Speak],
) -> Medium:
    return Medium(
        name,
        {
            "takes": taken,
            "takes it too late": lambda: taken(late_seconds=PATIENT_SECONDS),
            "fails": lambda: stations.http_answering(500),
            "asks for patience": lambda: stations.http_answering(429, "retry-after: 120"),
            "is gone": gone,
            "talks without end": stations.http_endless,
            "hangs": stations.hanging,
            "resets": stations.resetting,
            "drips": stations.http_dripping,
            "speaks nonsense": lambda: stations.smtp(greeting="\x00\x01 nonsense"),
        },
        lambda _, timeout_seconds: channel(web(timeout_seconds)),
        delivery,
        lambda station: [request.body for request in station.requests],
    )


def _webhook() -> Medium:
    return _of_the_web(
        "webhook",
        WebhookChannel,
        lambda port: delivery_to(f"http://127.0.0.1:{port}/hook"),
        partial(stations.http_answering, 204),
        lambda: stations.http_answering(410),
    )


def _slack_webhook() -> Medium:
    return _of_the_web(
        "slack webhook",
        SlackChannel,
        lambda port: delivery_to(
            "https://slack.com", "slack", secrets=(f"http://127.0.0.1:{port}{WEBHOOK_PATH}",)
        ),
        partial(stations.http_answering, 200, body=b"ok"),
        lambda: stations.http_answering(404, body=b"no_service"),
    )


def _slack_bot() -> Medium:
    return _of_the_web(
        "slack bot",
        SlackChannel,
        lambda port: delivery_to(
            f"http://127.0.0.1:{port}", "slack", secrets=(BOT_TOKEN,), channel="#success"
        ),
        partial(stations.http_answering, 200, body=b'{"ok":true,"channel":"C1","ts":"1.2"}'),
        lambda: stations.http_answering(200, body=b'{"ok":false,"error":"is_archived"}'),
    )


def _pagerduty() -> Medium:
    return _of_the_web(
        "pagerduty",
        PagerDutyChannel,
        lambda port: delivery_to(f"http://127.0.0.1:{port}/", "pagerduty", secrets=(ROUTING_KEY,)),
        partial(stations.http_answering, 202, body=b'{"status":"success","message":"Event processed"}'),
        lambda: stations.http_answering(
            400, body=b'{"status":"invalid event","errors":["Invalid routing key"]}'
        ),
    )


def _email() -> Medium:
    def channel(port: int, timeout_seconds: float) -> Channel:
        server = MailServer("127.0.0.1", port, "none", None, None, "bellwether@example.com")
        return EmailChannel(server, timeout_seconds=timeout_seconds)

    return Medium(
        "email",
        {
            "takes": stations.smtp,
            "takes it too late": lambda: stations.smtp(late_seconds=PATIENT_SECONDS),
            "fails": lambda: stations.smtp(data="451 4.3.0 local error"),
            "asks for patience": lambda: stations.smtp(rcpt="450 4.2.1 too fast"),
            "is gone": lambda: stations.smtp(rcpt="550 5.1.1 no such mailbox"),
            "talks without end": stations.smtp_endless,
            "hangs": stations.hanging,
            "resets": stations.resetting,
            "drips": stations.smtp_dripping,
            "speaks nonsense": lambda: stations.smtp(greeting="\x00\x01 nonsense"),
        },
        channel,
        lambda _: delivery_to("team@example.com", "email"),
        lambda station: station.letters,
    )


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    """As the service does before its first delivery; without it the first time-out here would measure imports."""
    asyncio.run(WebhookChannel(web()).prepare())


MEDIA = (_webhook, _slack_webhook, _slack_bot, _pagerduty, _email)
OVER_THE_WEB = MEDIA[:4]


@pytest.fixture(params=OVER_THE_WEB, ids=lambda make: make().name)
def web_medium(request: pytest.FixtureRequest) -> Medium:
    made: Medium = request.param()
    return made


@pytest.fixture(params=MEDIA, ids=lambda make: make().name)
def medium(request: pytest.FixtureRequest) -> Medium:
    made: Medium = request.param()
    return made
