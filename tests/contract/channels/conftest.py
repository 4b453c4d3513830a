"""One role per channel: it delivers to a station and knows how its protocol says the same things."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from tests.contract.channels import stations
from tests.contract.channels.stations import Speak, Station

from alerts.adapters.email import EmailChannel, MailServer
from alerts.adapters.webhook import WebhookChannel
from alerts.ports.channel import Channel, Delivery, Receiver
from common.clock import SystemClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD = "correct-horse-battery"
BODY = '{"type":"receiver.test","timestamp":"2026-03-02T12:00:00.000Z","data":{"receiver":"team","message":"A test."}}'
TIMEOUT_SECONDS = 0.5


def delivery_to(target: str, kind: str = "webhook", **changes: object) -> Delivery:
    made = {"secrets": (SECRET,) if kind == "webhook" else (), "allow_private": True, **changes}
    receiver = Receiver(1, 1, "team", kind, target, made["secrets"], bool(made["allow_private"]))  # type: ignore[arg-type]
    now = datetime.now(UTC)
    return Delivery("msg_0190aaaa-0000-7000-8000-000000000001", "receiver.test", BODY, now, now, receiver)


@dataclass(frozen=True)
class Medium:
    """A channel under test. `says`: how a receiver of this kind takes, fails, asks for patience, is gone, and so on."""

    name: str
    says: Mapping[str, Callable[[], Speak]]
    _channel: Callable[[int], Channel]
    _delivery: Callable[[int], Delivery]
    taken: Callable[[Station], list[bytes]]

    def channel(self, port: int) -> Channel:
        return self._channel(port)

    def delivery(self, port: int) -> Delivery:
        return self._delivery(port)


def _webhook() -> Medium:
    return Medium(
        "webhook",
        {
            "takes": lambda: stations.http_answering(204),
            "fails": lambda: stations.http_answering(500),
            "asks for patience": lambda: stations.http_answering(429, "retry-after: 120"),
            "is gone": lambda: stations.http_answering(410),
            "talks without end": stations.http_endless,
            "hangs": stations.hanging,
            "resets": stations.resetting,
            "speaks nonsense": lambda: stations.smtp(greeting="\x00\x01 nonsense"),
        },
        lambda _: WebhookChannel(SystemClock(), timeout_seconds=TIMEOUT_SECONDS),
        lambda port: delivery_to(f"http://127.0.0.1:{port}/hook"),
        lambda station: [request.body for request in station.requests],
    )


def _email() -> Medium:
    def channel(port: int) -> Channel:
        server = MailServer("127.0.0.1", port, "none", None, None, "bellwether@example.com")
        return EmailChannel(server, timeout_seconds=TIMEOUT_SECONDS)

    return Medium(
        "email",
        {
            "takes": stations.smtp,
            "fails": lambda: stations.smtp(data="451 4.3.0 local error"),
            "asks for patience": lambda: stations.smtp(rcpt="450 4.2.1 too fast"),
            "is gone": lambda: stations.smtp(rcpt="550 5.1.1 no such mailbox"),
            "talks without end": stations.smtp_endless,
            "hangs": stations.hanging,
            "resets": stations.resetting,
            "speaks nonsense": lambda: stations.smtp(greeting="\x00\x01 nonsense"),
        },
        channel,
        lambda _: delivery_to("team@example.com", "email"),
        lambda station: station.letters,
    )


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    """As the service does before its first delivery; without it the first time-out here would measure imports."""
    asyncio.run(WebhookChannel(SystemClock()).prepare())


@pytest.fixture(params=[_webhook, _email], ids=["webhook", "email"])
def medium(request: pytest.FixtureRequest) -> Medium:
    made: Medium = request.param()
    return made
