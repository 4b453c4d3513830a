"""The public HTTP interfaces, spoken by hand: post events, ask for figures, follow the stream."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from tests.reference.events import Json

from common.testing import wait_until

BATCH = "application/cloudevents-batch+json"


@dataclass(frozen=True)
class Row:
    """One row of an answer of /v1/query; `bucket` is an aware instant, None where the answer has none."""

    metric: str
    bucket: datetime
    value: Any
    numerator: Any
    denominator: Any
    raw: Mapping[str, Any]


class Client:
    """One tenant's view. Every call raises on an answer it did not expect."""

    def __init__(self, urls: Mapping[str, str], keys: Mapping[str, str]) -> None:
        self.urls, self.keys = dict(urls), dict(keys)
        self._http = httpx.Client(timeout=60, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def send(
        self, service: str, method: str, path: str, key: str | None = None, **options: Any
    ) -> httpx.Response:
        """Any request, its answer as it is."""
        headers = {**({"authorization": f"Bearer {key}"} if key else {}), **options.pop("headers", {})}
        return self._http.request(method, self.urls[service] + path, headers=headers, **options)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.send("gateway", "GET", path, self.keys["read"], params=params)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def post(self, events: Sequence[Json]) -> int:
        """A batch of CloudEvents; returns how many were accepted, and all of them must be."""
        answer = self.send(
            "ingest", "POST", "/v1/events", self.keys["ingest"],
            content=json.dumps(events), headers={"content-type": BATCH},
        )  # fmt: skip
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
        body = answer.json()
        assert body["rejected"] == [], body["rejected"][:3]
        assert body["accepted"] == len(events)
        return len(events)

    def post_all(self, events: Sequence[Json], batch: int = 500) -> None:
        for start in range(0, len(events), batch):
            self.post(events[start : start + batch])

    def post_stubbornly(self, events: Sequence[Json], timeout_seconds: float) -> None:
        """As a client that retries: until 200, through refused connections, cut answers and 503."""

        def accepted() -> bool:
            try:
                answer = self.send(
                    "ingest", "POST", "/v1/events", self.keys["ingest"],
                    content=json.dumps(events), headers={"content-type": BATCH}, timeout=20,
                )  # fmt: skip
            except httpx.TransportError:
                return False
            assert answer.status_code in (200, 429, 503), f"{answer.status_code} {answer.text[:500]}"
            return answer.status_code == 200

        wait_until(accepted, timeout_seconds, "ingest to accept a batch")

    def query(
        self,
        metrics: str | Sequence[str],
        first: date | datetime | str,
        end: date | datetime | str,
        grain: str,
        **more: Any,
    ) -> list[Row]:
        """Every page of an answer; pages as long as may be, unless `limit` says otherwise."""
        asked = {
            "limit": 10_000,
            "metrics": [metrics] if isinstance(metrics, str) else list(metrics),
            "from": first if isinstance(first, str) else first.isoformat(),
            "to": end if isinstance(end, str) else end.isoformat(),
            "grain": grain,
            **more,
        }  # fmt: skip
        rows: list[Row] = []
        while True:
            answer = self.send("gateway", "POST", "/v1/query", self.keys["read"], json=asked)
            assert answer.status_code == 200, f"{asked}: {answer.status_code} {answer.text[:500]}"
            page = answer.json()
            rows.extend(_row(item) for item in page["data"])
            if not page["next_cursor"]:
                return rows
            asked["cursor"] = page["next_cursor"]

    def series(
        self, metric: str, first: date | datetime | str, end: date | datetime | str, grain: str, **more: Any
    ) -> dict[datetime, Any]:
        """Bucket -> value; a bucket twice is an error."""
        rows = self.query(metric, first, end, grain, **more)
        found = {row.bucket: row.value for row in rows}
        assert len(found) == len(rows), f"{metric}: a bucket appears twice"
        return found

    def figure(
        self, metric: str, first: date | datetime | str, end: date | datetime | str, **more: Any
    ) -> Row:
        """The one row of the whole period."""
        (row,) = self.query(metric, first, end, "total", **more)
        return row

    @contextmanager
    def stream(self, topics: str) -> Iterator["Lines"]:
        """The live stream, collected in the background until the block ends."""
        lines = Lines(self.urls["gateway"], self.keys["read"], topics)
        lines.start()
        try:
            yield lines
        finally:
            lines.end()


class Lines:
    """(event, data, monotonic seconds at arrival) of a stream, in their order."""

    def __init__(self, gateway: str, key: str, topics: str) -> None:
        address = urlsplit(gateway)
        self.seen: list[tuple[str, str, float]] = []
        self._http = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        self._http.request("GET", f"/v1/stream?topics={topics}", headers={"authorization": f"Bearer {key}"})
        self._answer = self._http.getresponse()
        assert self._answer.status == 200, self._answer.read()[:500]
        self._socket = self._http.sock
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._ended = False

    def start(self) -> None:
        self._reader.start()

    def end(self) -> None:
        self._ended = True
        if self._socket is not None:
            with suppress(OSError):  # the other side may have ended it
                self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(30)
        self._http.close()

    def naming(self, account: str) -> list[str]:
        """The `accounts` lines that name an account."""
        return [
            data for name, data, _ in list(self.seen) if name == "accounts" and json.dumps(account) in data
        ]

    def _collect(self) -> None:
        name = "message"
        try:
            while line := self._answer.readline():
                text = line.decode().rstrip("\r\n")
                if text.startswith("event:"):
                    name = text.removeprefix("event:").strip()
                elif text.startswith("data:"):
                    self.seen.append((name, text.removeprefix("data:").strip(), time.monotonic()))
                elif not text:
                    name = "message"
        except (OSError, http.client.HTTPException):
            if not self._ended:
                raise


def _row(item: Mapping[str, Any]) -> Row:
    bucket = datetime.fromisoformat(item["bucket"])
    return Row(
        metric=item["metric"],
        bucket=bucket.astimezone(UTC),
        value=item["value"],
        numerator=item.get("numerator"),
        denominator=item.get("denominator"),
        raw=item,
    )
