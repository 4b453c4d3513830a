"""The answers of the benchmarks, by DuckDB straight from the file of events, and what differs from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

EVENTS = (
    "read_json($file, format = 'newline_delimited', columns = {id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR', "
    "time: 'TIMESTAMP', data: 'STRUCT(\"user\" VARCHAR, \"value\" BIGINT)'})"
)
ONCE = f"(select distinct on (subject, source, id) * from {EVENTS})"
HOUR = "account and hour"
DAY = "account and day"
PASSIVE = "('account.updated')"

Cells = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Answer:
    """`hours`: count and sum by `account epoch-hour`; `days`: distinct people by `account epoch-day`. Cells of zeros are left out."""

    hours: Cells
    days: Cells

    @property
    def events(self) -> int:
        return sum(figures[0] for figures in self.hours.values())


def answer(file: Path, *, once: bool) -> Answer:
    """`once`: repetitions of an event count for nothing, as with us; else as often as they come."""
    events = ONCE if once else EVENTS
    with duckdb.connect() as database:
        hours = database.execute(
            "select subject || ' ' || (epoch(time)::bigint // 3600), count(*), coalesce(sum(data.value), 0) "
            f"from (select * replace (time_bucket(interval 1 hour, time) as time) from {events}) group by 1",
            {"file": str(file)},
        ).fetchall()
        days = database.execute(
            "select subject || ' ' || (epoch(time)::bigint // 86400), count(distinct data.user) "
            f"from (select * replace (time_bucket(interval 1 day, time) as time) from {events}) group by 1",
            {"file": str(file)},
        ).fetchall()
    return Answer(cells(hours), cells(days))


def cells(rows: list[tuple[object, ...]]) -> dict[str, tuple[int, ...]]:
    """Rows of a key and its figures."""
    read = {str(key): tuple(int(str(figure)) for figure in figures) for key, *figures in rows}
    return {key: figures for key, figures in read.items() if any(figures)}


def differences(expected: Answer, found: Answer) -> list[str]:
    """Nothing when every cell of one is in the other with the same figures."""
    return [
        *_differences(f"by {HOUR}", expected.hours, found.hours),
        *_differences(f"by {DAY}", expected.days, found.days),
    ]


def _differences(name: str, expected: Cells, found: Cells) -> list[str]:
    keys = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if not keys:
        return []
    return [
        f"{name}: {len(keys)} cells differ, such as {keys[0]}: {found.get(keys[0])} is not {expected.get(keys[0])}"
    ]
