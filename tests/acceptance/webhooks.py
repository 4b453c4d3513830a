"""A receiver of webhooks that checks every signature with the Standard Webhooks library."""

import json
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + "YmVsbHdldGhlci1hY2NlcHRhbmNlLXNlY3JldC0wMDE="


@dataclass(frozen=True)
class Delivery:
    """One request whose signature was right; `at` in monotonic seconds."""

    id: str
    body: dict[str, Any]
    at: float

    def names(self, account: str) -> bool:
        return json.dumps(account) in json.dumps(self.body)


class _Server(ThreadingHTTPServer):
    # With five, as it comes, connections of a storm are reset before anybody looks at them.
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """Senders that are killed leave connections behind; anything else is told as ever."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class WebhookReceiver:
    """Answers 200 to what is signed with SECRET, 401 to anything else; remembers both."""

    def __init__(self) -> None:
        receiver = self
        self.deliveries: list[Delivery] = []
        self.unsigned: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:  # whoever sent it was killed in the middle
                    self.close_connection = True
                    return
                status = receiver.take(body, {name.lower(): value for name, value in self.headers.items()})
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
                """Nothing: a test's output is its own."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            Webhook(SECRET).verify(body, headers)
        except Exception:  # noqa: BLE001 (the library raises what it likes; each of them means unsigned)
            self.unsigned.append(body)
            return 401
        self.deliveries.append(Delivery(headers["webhook-id"], json.loads(body), time.monotonic()))
        return 200

    def about(self, account: str) -> list[Delivery]:
        return [delivery for delivery in list(self.deliveries) if delivery.names(account)]

    def overlay(self) -> str:
        """`receivers.yaml` that sends everything here."""
        return (
            "receivers:\n"
            f"  - {{name: test_hook, kind: webhook, url: '{self.url}', secret: '{SECRET}', allow_private: true}}\n"
            "routes:\n  - {receivers: [test_hook]}\n"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)
