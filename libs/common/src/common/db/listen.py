"""Waking readers: LISTEN, with polling as the net under it."""

import threading
import time

import psycopg
import psycopg.sql

from common.db.session import OPTIONS
from common.logs import get_logger

log = get_logger("listen")


class Listener:
    """A dedicated connection that waits for a channel. `wait` returns after a notification or after `poll_seconds`, whichever comes
    first, so that a reader that looks at its tables after each `wait` sees every change even when notifications are lost.
    """

    def __init__(self, url: str, channel: str, poll_seconds: float = 0.25) -> None:
        self._url, self._channel, self._poll_seconds = url, channel, poll_seconds
        self._connection: psycopg.Connection | None = None

    def wait(self, stop: threading.Event | None = None) -> bool:
        """Wait once; True after a notification. A lost connection counts as silence and is opened again at the next call."""
        try:
            connection = self._connect()
            woken = False
            for _ in connection.notifies(timeout=self._poll_seconds, stop_after=1):
                woken = True
        except psycopg.OperationalError as error:
            log.warning("listen_lost", channel=self._channel, error=str(error))
            self.close()
            (stop.wait if stop is not None else time.sleep)(self._poll_seconds)
            return False
        else:
            return woken

    def close(self) -> None:
        """Close the connection; `wait` opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=5,
                application_name="bellwether-listen",
                options=OPTIONS,
            )
            self._connection.execute(
                psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(self._channel))
            )
        return self._connection
