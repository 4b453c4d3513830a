"""kafka-python, dicts and one transaction a second: what one writes who wants no framework.

It may be killed: offsets and people are in the database, in the transaction of the figures.
"""

import time

from benchmarks.peers.programs.event import DAY_MS, HOUR_MS, decode
from benchmarks.peers.programs.given import Given, given
from benchmarks.peers.programs.results import Results
from kafka import KafkaConsumer

FLUSH_SECONDS = 1.0


class Loop:
    def __init__(self, told: Given) -> None:
        self._results = Results(told.database_url, "plain loop")
        self._consumer = KafkaConsumer(
            told.topic,
            bootstrap_servers=told.bootstrap,
            group_id=told.group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_records=5_000,
            fetch_max_bytes=8 << 20,
            max_partition_fetch_bytes=4 << 20,
        )
        self._hours: dict[tuple[str, int], list[int]] = {}
        self._new: list[tuple[str, int, str]] = []
        self._known: set[tuple[str, int, str]] = set()
        self._offsets: dict[int, int] = {}

    def run(self) -> None:
        flush_at = time.monotonic() + FLUSH_SECONDS
        while True:
            for partition, records in self._consumer.poll(timeout_ms=100).items():
                self._take(records)
                self._offsets[partition.partition] = records[-1].offset + 1
            if time.monotonic() >= flush_at:
                self._flush()
                flush_at = time.monotonic() + FLUSH_SECONDS

    def _take(self, records: list[object]) -> None:
        hours, known = self._hours, self._known
        for record in records:
            event = decode(record.value)  # type: ignore[attr-defined]
            at: int = record.timestamp  # type: ignore[attr-defined]
            figures = hours.get((event.subject, at // HOUR_MS))
            if figures is None:
                hours[event.subject, at // HOUR_MS] = [1, event.data.value]
            else:
                figures[0] += 1
                figures[1] += event.data.value
            if event.data.user is not None:
                person = (event.subject, at // DAY_MS, event.data.user)
                if person not in known:
                    known.add(person)
                    self._new.append(person)

    def _flush(self) -> None:
        if self._offsets:
            self._results.add(self._hours, self._new, self._offsets)
            self._hours, self._new, self._offsets = {}, [], {}


if __name__ == "__main__":
    Loop(given()).run()
