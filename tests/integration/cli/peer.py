"""A peer that obeys the contract of ingest and gateway, and can be made to fail as real ones do."""

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "bw_ingest_testtest_secret"


class Fault(Enum):
    """What the next request for events meets."""

    BUSY = "503 with Retry-After"
    LIMITED = "429 without Retry-After"
    CUT_BEFORE = "the connection ends and nothing was taken"
    CUT_AFTER = "everything was taken and the connection ends before the answer"


@dataclass
class Door:
    """What the peer saw. `stored` counts how often each event came with an acknowledgement or was lost on the way back."""

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    stored: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    batches: int = 0
    marks: list[str] = field(default_factory=list)
    budget: dict[str, Any] | None = None  # what it says of rules; None: there is no history yet
    may_read: bool = True
    weighed: list[dict[str, Any]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    close_after: int | None = None  # batches; the next one then waits for `open`
    waiting: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> Fault | None:
        with self.lock:
            return self.faults.pop(0) if self.faults else None

    def hold(self) -> None:
        with self.lock:
            held = self.close_after is not None and self.batches >= self.close_after
        if held:
            self.waiting.set()
            self.open.wait(60)

    def take(self, events: list[bytes]) -> dict[str, Any]:
        rejected = []
        with self.lock:
            self.batches += 1
            for index, raw in enumerate(events):
                reason = refusal(raw)
                if reason is None:
                    event = json.loads(raw)
                    identity = event.get("id") or event["messageId"]
                    self.stored[identity] += 1
                    self.bodies[identity] = event
                else:
                    rejected.append(
                        {"index": index, "id": None, "code": reason, "message": f"said in words: {reason}"}
                    )
        return {"accepted": len(events) - len(rejected), "rejected": rejected}


def refusal(raw: bytes) -> str | None:
    try:
        event = json.loads(raw)
    except ValueError:
        return "json-invalid"
    return None if isinstance(event, dict) and (event.get("id") or event.get("messageId")) else "id-missing"


def handler(door: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Silent."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            if self.headers["authorization"] != f"Bearer {KEY}":
                self.answer(401, {"code": "key-invalid", "message": "no such key"})
            elif self.path.startswith("/v1/loads"):
                door.marks.append(self.path.rpartition("/")[2])
                self.answer(200, {"id": "load-1", "ended_at": datetime.now(UTC).isoformat()})
            elif self.path == "/v1/query" and not door.may_read:
                self.answer(403, {"code": "scope-missing", "message": "this needs a key with scope read"})
            elif self.path == "/v1/query":
                self.answer(200, {"data": [{"as_of": datetime.now(UTC).isoformat()}]})
            elif self.path == "/v1/rules/budget":
                door.weighed.append(json.loads(body))
                nothing = {"code": "history-empty", "message": "there are no events yet"}
                self.answer(404 if door.budget is None else 200, door.budget or nothing)
            else:
                self.events(body)

        def events(self, body: bytes) -> None:
            door.hold()
            fault = door.next_fault()
            if fault is Fault.BUSY:
                self.answer(503, {"code": "busy", "message": "come back"}, {"retry-after": "0"})
            elif fault is Fault.LIMITED:
                self.answer(429, {"code": "rate-limited", "message": "slower"})
            elif fault is Fault.CUT_BEFORE:
                self.close_connection = True
            else:
                if self.path == "/v1/batch":
                    items = [json.dumps(item).encode() for item in json.loads(body)["batch"]]
                else:
                    items = body.split(b"\n")
                taken = door.take(items)
                if fault is Fault.CUT_AFTER:
                    self.close_connection = True
                elif self.path == "/v1/batch":
                    self.answer(200, {"success": True, **taken} if taken["rejected"] else {"success": True})
                else:
                    self.answer(200 if taken["accepted"] else 400, taken)

        def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    return Handler


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed leaves a broken connection; that is part of the tests."""


def event(number: int) -> dict[str, Any]:
    at = f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z"
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/t",
        "type": "t.happened",
        "time": at,
        "subject": "acme",
    }
