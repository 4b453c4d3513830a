"""Following fates as the engine writes them: one thread reads for all open streams and hands rows to their queues."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from common.clock import Clock
from common.db.listen import Listener
from common.errors import Unavailable
from common.logs import get_logger
from ingest.domain.tail import Tail
from ingest.ports.live import FateRow, LiveStore

log = get_logger("ingest.live")

CHANNEL = "bellwether_change"
QUEUED_ROWS = 200
READ_ROWS = 500


@dataclass(eq=False, slots=True)
class Subscription:
    """Rows for one stream. `lost` is set when the stream read too slowly and has to start anew."""

    tenant_id: int
    rows: "asyncio.Queue[FateRow]"
    lost: bool = False


@dataclass(slots=True)
class _Followed:
    tail: Tail
    subscriptions: set[Subscription] = field(default_factory=set)


class FateFeed:
    """Start it inside a running event loop; subscriptions belong to that loop."""

    def __init__(self, url: str, store: LiveStore, clock: Clock) -> None:
        self._listener = Listener(url, CHANNEL)
        self._store, self._clock = store, clock
        self._followed: dict[int, _Followed] = {}
        self._lock = threading.Lock()
        self._stop, self._wanted = threading.Event(), threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="fate-feed", daemon=True)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; takes as long as one read."""
        self._stop.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(3)

    @contextmanager
    def subscribe(self, tenant_id: int, newest_seq: int) -> Iterator[Subscription]:
        """Receive rows above `newest_seq`, some perhaps twice when another stream of the tenant follows from further back."""
        subscription = Subscription(tenant_id, asyncio.Queue(QUEUED_ROWS))
        with self._lock:
            followed = self._followed.setdefault(tenant_id, _Followed(Tail(newest_seq)))
            followed.subscriptions.add(subscription)
        self._wanted.set()
        try:
            yield subscription
        finally:
            with self._lock:
                followed.subscriptions.discard(subscription)
                if not followed.subscriptions:
                    self._followed.pop(tenant_id, None)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._followed:
                self._wanted.wait()
                self._wanted.clear()
                continue
            self._listener.wait(self._stop)
            with self._lock:
                followed = list(self._followed.items())
            for tenant_id, tenant in followed:
                self._read(tenant_id, tenant)
        self._listener.close()

    def _read(self, tenant_id: int, tenant: _Followed) -> None:
        try:
            rows = self._store.fates_after(tenant_id, tenant.tail.floor, READ_ROWS)
        except Unavailable as error:
            log.warning("fates_unread", code=error.code)
            self._stop.wait(1)
            return
        fresh = tenant.tail.fresh(rows, self._clock.now())
        if fresh and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out, tenant, fresh)

    def _hand_out(self, tenant: _Followed, rows: list[FateRow]) -> None:
        for subscription in tenant.subscriptions:
            for row in rows:
                try:
                    subscription.rows.put_nowait(row)
                except asyncio.QueueFull:
                    subscription.lost = True
                    break
