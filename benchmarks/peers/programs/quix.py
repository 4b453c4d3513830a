"""Quix Streams on its RocksDB store with its changelog, as by default; `by-hand` or `windows`.

`by-hand` is one stateful function over one entry of the store an account and day; `windows` is two of the library's windows, an hour
and a day. A batching sink takes what a checkpoint, once a second, has gathered, and writes the last figures of each cell.
"""

import sys
from datetime import timedelta
from typing import Any

import msgspec
from benchmarks.peers.programs.event import DAY_MS, HOUR_MS, Event, decode
from benchmarks.peers.programs.given import Given, given
from benchmarks.peers.programs.results import Results
from quixstreams import Application, State
from quixstreams.dataframe.windows import Aggregator, Count, Sum
from quixstreams.models import Deserializer
from quixstreams.sinks import BatchingSink, SinkBatch

COMMIT_SECONDS = 1.0
LATE = timedelta(days=1)


class Decoding(Deserializer):  # type: ignore[misc]
    def __call__(self, value: bytes, ctx: Any) -> Event:
        return decode(value)


class DecodingData(Deserializer):  # type: ignore[misc]
    """The windows of the library want dictionaries."""

    _decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    _data = msgspec.json.Decoder(dict[str, Any]).decode

    def __call__(self, value: bytes, ctx: Any) -> dict[str, Any]:
        return self._data(self._decode(value)["data"])


class People(Aggregator):  # type: ignore[misc]
    """Distinct users: a list, because the store keeps JSON."""

    def initialize(self) -> list[str]:
        return []

    def agg(self, old: list[str], new: Any, timestamp: int) -> list[str]:
        user = new.get("user")
        return old if user is None or user in old else [*old, user]

    def result(self, value: list[str]) -> int:
        return len(value)


class Cells(BatchingSink):  # type: ignore[misc]
    def __init__(self, told: Given) -> None:
        super().__init__()
        self._results = Results(told.database_url, "quix")

    def write(self, batch: SinkBatch) -> None:
        hours: dict[tuple[str, int], tuple[int, int]] = {}
        days: dict[tuple[str, int], int] = {}
        for item in batch:
            if isinstance(item.value, dict):
                self._take_window(item.key, item.value, hours, days)
            else:
                account, hour, events, total, day, people = item.value
                hours[account, hour] = (events, total)
                days[account, day] = people
        self._results.set(hours, days)

    @staticmethod
    def _take_window(
        account: str,
        window: dict[str, int],
        hours: dict[tuple[str, int], tuple[int, int]],
        days: dict[tuple[str, int], int],
    ) -> None:
        if "people" in window:
            days[account, window["start"] // DAY_MS] = window["people"]
        else:
            hours[account, window["start"] // HOUR_MS] = (window["events"], window["total"] or 0)


def count(event: Event, key: str, timestamp: int, _headers: Any, state: State) -> tuple[object, ...]:
    hour, day = str(timestamp // HOUR_MS), str(timestamp // DAY_MS)
    known = state.get(day) or {"hours": {}, "people": []}
    figures = known["hours"].setdefault(hour, [0, 0])
    figures[0] += 1
    figures[1] += event.data.value
    if event.data.user is not None and event.data.user not in known["people"]:
        known["people"].append(event.data.user)
    state.set(day, known)
    return key, int(hour), figures[0], figures[1], int(day), len(known["people"])


def main() -> None:
    told, with_windows = given(), sys.argv[1:] == ["windows"]
    app = Application(
        told.bootstrap,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        commit_interval=COMMIT_SECONDS,
        state_dir=told.state,
        loglevel="WARNING",
    )
    decoding = DecodingData() if with_windows else Decoding()
    events = app.dataframe(app.topic(told.topic, key_deserializer="string", value_deserializer=decoding))
    if with_windows:
        hours = events.tumbling_window(timedelta(hours=1), grace_ms=LATE, name="hours")
        hours.agg(events=Count(), total=Sum("value")).current().sink(Cells(told))
        days = events.tumbling_window(timedelta(days=1), grace_ms=LATE, name="days")
        days.agg(people=People()).current().sink(Cells(told))
    else:
        events.apply(count, stateful=True, metadata=True).sink(Cells(told))
    app.run()


if __name__ == "__main__":
    main()
