"""Bytewax: batches from its Kafka source, state keyed by account, its recovery store on, writes once a second.

`by_hand` keeps an account's figures in one stateful operator; `windows` uses the windows of the library, a step an hour and one a day.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
from benchmarks.peers.programs.event import DAY_MS, HOUR_MS, decode
from benchmarks.peers.programs.given import Given, given
from benchmarks.peers.programs.results import Results
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition

FLUSH = timedelta(seconds=1)
BATCH = 5_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Deed = tuple[int, str | None, int]
Figures = tuple[int, int, int, int, int]


def read(messages: list[KafkaSourceMessage]) -> Iterable[tuple[str, Deed]]:
    for message in messages:
        event = decode(message.value)
        yield event.subject, (message.timestamp[1], event.data.user, event.data.value)


class Account(StatefulBatchLogic):  # type: ignore[misc]
    """Figures of one account; `snapshot` is what the recovery store keeps."""

    def __init__(self, resumed: tuple[dict[int, list[int]], dict[int, set[str]]] | None) -> None:
        self._hours, self._people = resumed or ({}, {})

    def on_batch(self, values: list[Deed]) -> tuple[list[Figures], bool]:
        changed = {}
        for at, user, value in values:
            hour, day = at // HOUR_MS, at // DAY_MS
            figures = self._hours.setdefault(hour, [0, 0])
            figures[0] += 1
            figures[1] += value
            if user is not None:
                self._people.setdefault(day, set()).add(user)
            changed[hour] = day
        said = []
        for hour, day in changed.items():
            events, total = self._hours[hour]
            said.append((hour, events, total, day, len(self._people.get(day, ()))))
        return said, False

    def snapshot(self) -> object:
        return {h: list(f) for h, f in self._hours.items()}, {d: set(p) for d, p in self._people.items()}


class Hour(win.WindowLogic):  # type: ignore[misc]
    def __init__(self, resumed: list[int] | None) -> None:
        self._figures = resumed or [0, 0]

    def on_value(self, value: Deed) -> Iterable[tuple[int, ...]]:
        self._figures[0] += 1
        self._figures[1] += value[2]
        return ((value[0] // HOUR_MS, *self._figures),)

    def on_merge(self, original: "Hour") -> Iterable[tuple[int, ...]]:
        raise ValueError("windows that tumble never merge")

    def on_close(self) -> Iterable[tuple[int, ...]]:
        return ()

    def snapshot(self) -> object:
        return list(self._figures)


class Day(win.WindowLogic):  # type: ignore[misc]
    def __init__(self, resumed: set[str] | None) -> None:
        self._people = resumed or set()

    def on_value(self, value: Deed) -> Iterable[tuple[int, ...]]:
        if value[1] is None or value[1] in self._people:
            return ()
        self._people.add(value[1])
        return ((value[0] // DAY_MS, len(self._people)),)

    def on_merge(self, original: "Day") -> Iterable[tuple[int, ...]]:
        raise ValueError("windows that tumble never merge")

    def on_close(self) -> Iterable[tuple[int, ...]]:
        return ()

    def snapshot(self) -> object:
        return set(self._people)


class Cells(StatelessSinkPartition):  # type: ignore[misc]
    def __init__(self, told: Given, worker: int) -> None:
        self._results = Results(told.database_url, f"bytewax {worker}")

    def write_batch(self, items: list[tuple[str, list[Any]]]) -> None:
        for _, gathered in items:
            hours: dict[tuple[str, int], tuple[int, int]] = {}
            days: dict[tuple[str, int], int] = {}
            for account, figures in gathered:
                if len(figures) > 2:
                    hours[account, figures[0]] = figures[1:3]
                if len(figures) != 3:
                    days[account, figures[-2]] = figures[-1]
            self._results.set(hours, days)


class Sink(DynamicSink):  # type: ignore[misc]
    def __init__(self, told: Given) -> None:
        self._told = told

    def build(self, _step_id: str, worker_index: int, _worker_count: int) -> Cells:
        return Cells(self._told, worker_index)


def by_hand() -> Dataflow:
    def count(deeds: Any) -> list[Any]:
        return [op.stateful_batch("count", deeds, Account)]

    return _flow(count)


def windows() -> Dataflow:
    clock = win.EventClock(lambda deed: datetime.fromtimestamp(deed[0] / 1000, UTC), timedelta(days=1))

    def count(deeds: Any) -> list[Any]:
        return [
            _open(
                win.window(
                    name, deeds, clock, win.TumblingWindower(length, EPOCH), logic, ordered=False
                ).down,
                name,
            )
            for name, length, logic in (("hours", timedelta(hours=1), Hour), ("days", timedelta(days=1), Day))
        ]

    return _flow(count)


def _open(stream: Any, name: str) -> Any:
    """Without the number of its window."""
    return op.map_value(f"{name}-open", stream, lambda numbered: numbered[1])


def _flow(count: Callable[[Any], list[Any]]) -> Dataflow:
    told = given()
    flow = Dataflow("figures")
    messages = op.input("events", flow, KafkaSource([told.bootstrap], [told.topic], batch_size=BATCH))
    changed = count(op.flat_map_batch("read", messages, read))
    one = op.map("together", op.merge("merge", *changed), lambda item: ("", item))
    op.output("write", op.collect("gather", one, FLUSH, 10_000_000), Sink(told))
    return flow
