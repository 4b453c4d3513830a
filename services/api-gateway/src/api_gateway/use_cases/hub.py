"""One reader, many listeners: messages are made once and handed to every stream client of their tenant.

A client that takes messages slower than they come is dropped when its bounded queue is full; it resumes with the id it last saw.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from api_gateway.domain.stream_position import StreamPosition

TOPICS = ("metrics", "accounts", "alerts")


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event of a topic, as bytes."""

    topic: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams there may be, and how many messages may wait for one of them."""

    streams: int
    streams_per_key: int
    queue: int


class Subscription:
    """What waits for one client. Used on the event loop alone."""

    def __init__(self, tenant_id: int, key_id: str, topics: frozenset[str], size: int) -> None:
        self.tenant_id, self.key_id, self.topics = tenant_id, key_id, topics
        self.ended: str | None = None
        self._waiting: deque[bytes] = deque()
        self._size = size
        self._news = asyncio.Event()

    def offer(self, frames: Sequence[bytes]) -> bool:
        """Queue frames; False when they don't fit any more."""
        if len(self._waiting) + len(frames) > self._size:
            return False
        self._waiting.extend(frames)
        self._news.set()
        return True

    def end(self, reason: str) -> None:
        """End it: what still waits is not sent any more."""
        self.ended = self.ended or reason
        self._waiting.clear()
        self._news.set()

    async def take(self, patience_seconds: float) -> bytes:
        """Return all that waits, in order; nothing after `patience_seconds` without news, or when the subscription has ended."""
        if not self._waiting and self.ended is None:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), patience_seconds)
            except TimeoutError:
                return b""
        frames = b"".join(self._waiting)
        self._waiting.clear()
        return frames


class Hub:
    """Fans messages out. `publish`, `advance`, `watched` and `position` may be called from any thread, everything else on the event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscriptions: dict[int, set[Subscription]] = {}
        self._per_key: Counter[str] = Counter()
        self._watched: Counter[tuple[int, str]] = Counter()
        self._closed = False
        self._position: StreamPosition | None = None
        self._installation = ""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind to the loop that serves the clients."""
        self._loop = loop

    @property
    def position(self) -> StreamPosition | None:
        """How far all clients have been told; None until the first look at the feed."""
        return self._position

    @property
    def installation(self) -> str:
        """What names the database that the position is of."""
        return self._installation

    def advance(self, position: StreamPosition, installation: str) -> None:
        """Say that everything up to here has been published. It counts after the messages published before it."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._advance, position, installation)

    @property
    def size(self) -> int:
        return self._per_key.total()

    def watched(self, tenant_id: int, topic: str) -> bool:
        """Tell whether anybody listens, so that nothing is computed for nobody."""
        return self._watched[(tenant_id, topic)] > 0

    def watched_tenants(self, topic: str) -> list[int]:
        return [
            tenant_id
            for (tenant_id, watched), count in list(self._watched.items())
            if watched == topic and count > 0
        ]

    def subscribe(self, tenant_id: int, key_id: str, topics: frozenset[str]) -> Subscription | None:
        """Start collecting for a client; None when this process or this key has as many streams as it may."""
        if self.size >= self._limits.streams or self._per_key[key_id] >= self._limits.streams_per_key:
            return None
        subscription = Subscription(tenant_id, key_id, topics, self._limits.queue)
        if self._closed:
            subscription.end("shutdown")
        self._subscriptions.setdefault(tenant_id, set()).add(subscription)
        self._per_key[key_id] += 1
        for topic in topics:
            self._watched[(tenant_id, topic)] += 1
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a client."""
        of_tenant = self._subscriptions.get(subscription.tenant_id, set())
        if subscription not in of_tenant:
            return
        of_tenant.remove(subscription)
        self._per_key[subscription.key_id] -= 1
        if not self._per_key[subscription.key_id]:
            del self._per_key[subscription.key_id]
        for topic in subscription.topics:
            self._watched[(subscription.tenant_id, topic)] -= 1

    def publish(self, tenant_id: int, messages: Sequence[Message]) -> None:
        """Hand messages to all clients of a tenant, in order."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, tenant_id, tuple(messages))

    def close(self) -> None:
        """End all streams, and every one that is opened from now on. May be called from a signal handler."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end_all)

    def _deliver(self, tenant_id: int, messages: tuple[Message, ...]) -> None:
        for subscription in self._subscriptions.get(tenant_id, ()):
            frames = [m.frame for m in messages if m.topic in subscription.topics]
            if frames and not subscription.offer(frames):
                subscription.end("slow")

    def _advance(self, position: StreamPosition, installation: str) -> None:
        self._position, self._installation = position, installation

    def _end_all(self) -> None:
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.end("shutdown")
