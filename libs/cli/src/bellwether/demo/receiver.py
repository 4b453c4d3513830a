"""Somebody who gets the warnings: a small webhook receiver on this machine that believes only what is signed."""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

import msgspec

_TOLERANCE: Final = timedelta(minutes=5)
_MOST_BYTES: Final = 64 * 1024
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix, not a secret

Notice = Mapping[str, object]


def new_secret() -> str:
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def reason_to_refuse(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """Standard Webhooks, version 1: None when one of the signatures is right and the attempt is of these minutes."""
    identity, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not identity or not stamp.isdigit():
        return "no webhook-id or webhook-timestamp"
    if abs(now.timestamp() - int(stamp)) > _TOLERANCE.total_seconds():
        return "the attempt is older or newer than five minutes"
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    right = hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
    given = [
        part.partition(",")[2]
        for part in headers.get("webhook-signature", "").split()
        if part.startswith("v1,")
    ]
    return (
        None if any(hmac.compare_digest(right, _decoded(one)) for one in given) else "no signature is right"
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


class Receiver:
    """Listens on the loopback interface while entered. `on_notice` is called once per webhook-id, `on_refused` with a reason."""

    def __init__(
        self, secret: str, on_notice: Callable[[Notice], None], on_refused: Callable[[str], None]
    ) -> None:
        seen: set[str] = set()
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                if not length.isdigit() or int(length) > _MOST_BYTES:
                    self._answer(413)
                    return
                body = self.rfile.read(int(length))
                headers = {name.lower(): value for name, value in self.headers.items()}
                refusal = reason_to_refuse(secret, headers, body, datetime.now(UTC))
                if refusal is not None:
                    on_refused(refusal)
                    self._answer(401)
                    return
                with lock:
                    is_repeat = headers["webhook-id"] in seen
                    seen.add(headers["webhook-id"])
                if not is_repeat:
                    on_notice(msgspec.json.decode(body, type=dict[str, object]))
                self._answer(204)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """What matters is said by `on_notice` and `on_refused`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="webhook-receiver", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/notices"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
