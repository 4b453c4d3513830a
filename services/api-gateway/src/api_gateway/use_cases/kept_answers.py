"""Answers about a tenant's figures, given again while nothing that they are made of has changed.

What was kept is right for as long as the tenant's standing is the one it was made at, and time has not moved it: figures of the
running day or of open cases move with time alone, so nothing is kept for longer than `KEPT_FOR`, nor beyond an edge of local time,
which in every zone is a quarter of an hour. Each process keeps its own; the standing is asked of the database every time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from api_gateway.domain.records import Standing
from common.clock import Clock

KEPT_FOR = timedelta(seconds=15)
_EDGE = timedelta(minutes=15)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MAX_BYTES = 64 * 1024 * 1024
_OVERHEAD_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Made:
    """An answer as it goes out. `tag` names what it says, whatever it says about as of when.

    `frozen_at`: it holds as of then at most, whatever is committed later.
    """

    body: bytes
    media_type: str
    tag: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    frozen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    made: Made
    state: str
    until: datetime

    def holds(self, standing: Standing, now: datetime) -> bool:
        return self.state == standing.state and now < self.until


@dataclass(slots=True)
class _Place:
    kept: _Kept | None = None
    making: threading.Lock = field(default_factory=threading.Lock)
    """Who asks the same at the same time waits for the one who computes it."""


class KeptAnswers:
    """`standing_of` is asked before an answer is made, so that what is committed meanwhile makes it anew the next time."""

    def __init__(
        self, standing_of: Callable[[int], Standing], clock: Clock, max_bytes: int = MAX_BYTES
    ) -> None:
        self._standing_of, self._clock, self._max_bytes = standing_of, clock, max_bytes
        self._places: OrderedDict[tuple[int, str], _Place] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def of(self, tenant_id: int, question: str, make: Callable[[], Made]) -> tuple[Made, datetime | None]:
        """The answer to a question of a tenant, and as of when it holds (None: not known). `question` says all that `make` reads."""
        place = self._place((tenant_id, question))
        standing, now = self._standing_of(tenant_id), self._clock.now()
        kept = place.kept
        if kept is None or not kept.holds(standing, now):
            with place.making:
                standing, now = self._standing_of(tenant_id), self._clock.now()
                kept = place.kept
                if kept is None or not kept.holds(standing, now):
                    kept = _Kept(make(), standing.state, _until(now))
                    self._keep((tenant_id, question), place, kept)
        frozen, as_of = kept.made.frozen_at, standing.as_of
        return kept.made, as_of if as_of is None or frozen is None else min(as_of, frozen)

    def _place(self, key: tuple[int, str]) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            return place

    def _keep(self, key: tuple[int, str], place: _Place, kept: _Kept) -> None:
        with self._lock:
            if self._places.get(key) is place:
                self._bytes += _size(key, kept) - _size(key, place.kept)
                place.kept = kept
            while self._bytes > self._max_bytes or len(self._places) > self._max_bytes // _OVERHEAD_BYTES:
                oldest, gone = self._places.popitem(last=False)
                self._bytes -= _size(oldest, gone.kept)


def _size(key: tuple[int, str], kept: _Kept | None) -> int:
    return 0 if kept is None else len(kept.made.body) + len(key[1]) + _OVERHEAD_BYTES


def _until(now: datetime) -> datetime:
    return min(now + KEPT_FOR, now - (now - _EPOCH) % _EDGE + _EDGE)
