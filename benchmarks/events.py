"""The input of the benchmarks: seeded events in a file of lines, cut into batches that are ready to be sent.

10,000 accounts with Zipf 1.1 weights in 200 segments, 20 people each, six hours of event time, 5 % of the events up to ten
minutes late, 1 % a repetition of an earlier one. It ends with yesterday (UTC), since events that arrive after their day is settled are
corrections, which cost more than news. The same arguments write the same bytes on one day; the checksum says so. A `World` of its own has
fewer accounts, a longer time, or subscriptions.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

BATCH = 500
ACCOUNTS = 10_000
SEGMENTS = 200
PEOPLE_PER_ACCOUNT = 20
ZIPF = 1.1
SPAN_SECONDS = 6 * 3600
LATE_SHARE = 0.05
LATE_SECONDS = 600
REPEATED_SHARE = 0.01
SEED = 20261121
DIRECTORY = Path(".local/benchmarks")
TYPES = ("feature.used",) * 75 + ("user.logged_in",) * 20 + ("ticket.opened",) * 4 + ("complaint.filed",)
YEAR_SECONDS = 365 * 86_400
FEATURES = ("export", "share", "report", "import", "search", "comment", "invite", "schedule")

INTRODUCTION = (
    '{"specversion":"1.0","id":"intro-%06d","source":"/crm","type":"account.updated","subject":"account-%05d",'
    '"time":"%s","data":{"traits":{"segment":"segment-%03d","plan":"business","country":"NL","name":"Customer %05d"}}}\n'
)
NEEDED = {"ticket.opened": ',"ticket":"T-4711"', "complaint.filed": ',"complaint":"C-4711","severity":"low"'}
DEED = (
    '{"specversion":"1.0","id":"%016x","source":"/product/eu-1","type":"%s","subject":"account-%05d","time":"%s",'
    '"data":{"user":"user-%05d-%02d","feature":"%s","value":%d,"session":"%08x"%s}}\n'
)


SUBSCRIPTION = (
    '{"specversion":"1.0","id":"sub-%06d","source":"/billing","type":"subscription.started","subject":"account-%05d",'
    '"time":"%s","data":{"subscription":"S-%05d","mrr":"%d.00","currency":"EUR"}}\n'
)


@dataclass(frozen=True)
class World:
    """Ends with yesterday whatever its span. With `subscriptions` each account starts one at the beginning."""

    accounts: int = ACCOUNTS
    span_seconds: int = SPAN_SECONDS
    subscriptions: bool = False

    @property
    def began_at(self) -> float:
        return ended_at().timestamp() - self.span_seconds

    @property
    def name(self) -> str:
        return "" if self == USUAL else f"-{self.accounts}-{self.span_seconds}-{int(self.subscriptions)}"


def ended_at() -> datetime:
    """The last midnight (UTC)."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


USUAL = World()


@dataclass(frozen=True)
class Input:
    """`lines` holds one event a line; batch `i` is the bytes from `offsets[i]` to `offsets[i + 1]`."""

    path: Path
    events: int
    offsets: list[int]
    sha256: str

    @property
    def batches(self) -> int:
        return len(self.offsets) - 1

    def batch_events(self, index: int) -> int:
        return min(BATCH, self.events - index * BATCH)


def prepared(events: int, world: World = USUAL, seed: int = SEED) -> Input:
    """Written once a size and kept; read back by its checksum."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"events-{ended_at():%Y%m%d}-{events}-{seed}{world.name}.ndjson"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            for line in lines(events, world, seed):
                file.write(line)
        unfinished.rename(path)
    return opened(path, events)


def opened(path: Path, events: int) -> Input:
    offsets, digest = [0], hashlib.sha256()
    place = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            digest.update(line)
            place += len(line)
            if number % BATCH == 0 or number == events:
                offsets.append(place)
    return Input(path, events, offsets, digest.hexdigest())


def lines(events: int, world: World, seed: int) -> Iterator[bytes]:
    """The segments of all accounts first, then what people do."""
    introduced = min(world.accounts, events // 4)
    for number in range(introduced):
        yield _introduction(world, number)
        if world.subscriptions:
            yield _subscription(world, number)
    yield from deeds(events - introduced * (1 + world.subscriptions), world, seed)


def deeds(events: int, world: World, seed: int, first: int = 0) -> Iterator[bytes]:
    """In the order of the clock but for those that are late. Ids are those of deeds `first`, `first` + 1, and so on."""
    rng = random.Random(seed)
    weights = list(accumulate(1 / rank**ZIPF for rank in range(1, world.accounts + 1)))
    kept: list[bytes] = []
    for done in range(0, events, 50_000):
        accounts = rng.choices(range(world.accounts), cum_weights=weights, k=min(50_000, events - done))
        for number, account in enumerate(accounts, start=done):
            if kept and rng.random() < REPEATED_SHARE:
                yield rng.choice(kept)
                continue
            line = _deed(rng, world, first + number, account, world.span_seconds * number / events)
            if number % 50 == 0:
                kept.append(line)
            yield line


def _introduction(world: World, number: int) -> bytes:
    return (INTRODUCTION % (number, number, _time(world, 0), number % SEGMENTS, number)).encode()


def _subscription(world: World, number: int) -> bytes:
    return (SUBSCRIPTION % (number, number, _time(world, 0), number, 50 + number * 37 % 5_000)).encode()


def _deed(rng: random.Random, world: World, number: int, account: int, seconds: float) -> bytes:
    if rng.random() < LATE_SHARE:
        seconds -= rng.random() * LATE_SECONDS
    person = rng.randrange(PEOPLE_PER_ACCOUNT)
    event_id, event_type = number * 0x9E3779B97F4A7C15 % 2**64, TYPES[number * 37 % 100]
    feature, session = FEATURES[person % 8], rng.getrandbits(32)
    more = NEEDED.get(event_type, "")
    return (
        DEED
        % (
            event_id,
            event_type,
            account,
            _time(world, seconds),
            account,
            person,
            feature,
            person * 3,
            session,
            more,
        )
    ).encode()


def _time(world: World, seconds: float) -> str:
    """So long after the world's beginning."""
    at = datetime.fromtimestamp(world.began_at + seconds, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
