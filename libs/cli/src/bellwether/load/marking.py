"""Telling the gateway that history is being loaded, so that nobody is warned of it, and waiting until it has been counted."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from bellwether.load.delivery import Patience, StoppedError
from bellwether.target import problem_text

# A load without a heartbeat for five minutes counts as ended.
_HEARTBEAT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 1.0
_TRANSIENT: Final = (408, 429)


class LoadMark:
    """Marks the tenant as loading for as long as it is entered. The client carries a key with scope ingest or admin.

    `place`: where the mark is noted, so that a load that was killed goes on under its own: another would end while that one still
    stood for its five minutes.
    """

    def __init__(
        self, client: httpx.Client, description: str, patience: Patience, place: Path | None = None
    ) -> None:
        self._client = client
        self._place = place
        self._description = description
        self._patience = patience
        self._ended = threading.Event()
        self._id = ""
        self.ended_at: datetime | None = None
        self._heart = threading.Thread(target=self._beat, name="load-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._id = self._former() or self._new()
        self._heart.start()
        return self

    def _former(self) -> str | None:
        try:
            former = self._place.read_text() if self._place else ""
        except FileNotFoundError:
            return None
        if not former:
            return None
        response = _until_answered(self._patience, lambda: self._client.post(f"/v1/loads/{former}/heartbeat"))
        return former if response.is_success else None

    def _new(self) -> str:
        response = _until_answered(
            self._patience, lambda: self._client.post("/v1/loads", json={"description": self._description})
        )
        if response.is_error:
            raise StoppedError(
                f"The tenant could not be marked as loading: {problem_text(response)}. "
                "Give a key with scope ingest or admin, or --unmarked to load without (alerts may then fire on history)."
            )
        made = str(response.json()["id"])
        if self._place:
            self._place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._place.write_text(made)
        return made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After an error one attempt is enough: without heartbeats the mark ends by itself."""
        self._ended.set()
        if kind is None:
            response = _until_answered(self._patience, lambda: self._client.post(f"/v1/loads/{self._id}/end"))
            if response.is_error:
                raise StoppedError(f"The end of the load could not be told: {problem_text(response)}.")
            self.ended_at = datetime.fromisoformat(response.json()["ended_at"])
        else:
            try:
                self._client.post(f"/v1/loads/{self._id}/end")
            except httpx.TransportError:
                return
        if self._place:
            self._place.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_SECONDS):
            try:
                self._client.post(f"/v1/loads/{self._id}/heartbeat")
            except httpx.TransportError:
                continue  # the next beat is early enough ten times over


def wait_until_applied(reader: httpx.Client, ended_at: datetime, patience: Patience) -> bool:
    """True when every figure holds all that was ingested before `ended_at`, by the gateway's own `as_of`; False when the key may not read."""
    days = {"from": ended_at.date().isoformat(), "to": (ended_at + timedelta(days=1)).date().isoformat()}
    query = {"metrics": ["events"], "grain": "total", **days}
    while True:
        response = _until_answered(patience, lambda: reader.post("/v1/query", json=query))
        if response.status_code == httpx.codes.FORBIDDEN:
            return False
        if response.is_error:
            raise StoppedError(
                f"Everything was sent; whether it is applied cannot be asked: {problem_text(response)}."
            )
        as_of = _as_of(response)
        if as_of is not None and as_of >= ended_at:
            return True
        patience.wait(_POLL_SECONDS, "waiting for the engine")


def _as_of(response: httpx.Response) -> datetime | None:
    found = [row["as_of"] for row in response.json()["data"] if row.get("as_of")]
    return min((datetime.fromisoformat(str(text)) for text in found), default=None)


def _until_answered(patience: Patience, ask: Callable[[], httpx.Response]) -> httpx.Response:
    while True:
        try:
            response = ask()
        except httpx.TransportError as error:
            patience.wait(_RETRY_SECONDS, f"the gateway cannot be reached ({type(error).__name__})")
            continue
        if response.status_code < 500 and response.status_code not in _TRANSIENT:
            patience.got_further()
            return response
        patience.wait(_RETRY_SECONDS, f"the gateway answered {response.status_code}")
