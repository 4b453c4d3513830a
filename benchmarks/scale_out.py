"""One engine and two on the same topic, in turns: CPU an event, and how long they wait for each other's locks.

Engines, broker and database alone; the topic holds packed records. Two fifths of the events warm up. The answer is checked each time.
"""

import signal
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import islice
from statistics import median

import psycopg
from benchmarks import definitions
from benchmarks.bed import Bed, Program
from benchmarks.end_to_end import judged
from benchmarks.events import Input, prepared
from benchmarks.meter import Meter
from benchmarks.options import Options
from benchmarks.packing import fill
from benchmarks.results import Aim, Result

from common.catalogue import Catalogue
from common.testing import wait_until

ENGINES = (1, 2)
AIM_RATIO = 1.1
WARM_SHARE = 0.4
TIMEOUT_SECONDS = 600
LOOK_SECONDS = 0.02
WAITING = """select coalesce(wait_event_type, 'on its processor') from pg_stat_activity
where application_name = 'kpi-engine' and state = 'active' and datname = current_database()"""


@dataclass(frozen=True)
class Round:
    events: int
    seconds: float
    engine: float
    database: float
    waits: Counter[str]

    @property
    def cpu_us(self) -> float:
        return (self.engine + self.database) / self.events * 1e6

    @property
    def lock_share(self) -> float:
        """Of the moments in which a statement ran, those in which it waited for a lock."""
        return self.waits["Lock"] / max(1, self.waits.total())


def run(options: Options) -> Result:
    source, catalogue = prepared(options.size(quick=100_000, full=240_000)), definitions.whole_pack()
    rounds = options.times(quick=1, full=3)
    result = Result(
        "scale out",
        f"{source.events:,} events, {rounds} rounds, sha256 {source.sha256[:12]}; {definitions.described(catalogue)}",
    )
    done: dict[int, list[Round]] = defaultdict(list)
    with Bed() as bed:
        for number in range(rounds):
            for engines in ENGINES:
                made, wrong = _one(bed, f"round-{number}-{engines}", engines, source, catalogue)
                result.wrong += [f"{engines} engines, round {number + 1}: {what}" for what in wrong]
                done[engines].append(made)
    _summarise(result, done)
    return result


def _one(bed: Bed, name: str, count: int, source: Input, catalogue: Catalogue) -> tuple[Round, list[str]]:
    url, topics = bed.installed(name, catalogue), bed.topics(name)
    warm = round(source.events * WARM_SHARE)
    engines = [bed.engine(url, topics, name) for _ in range(count)]
    try:
        with psycopg.connect(url, autocommit=True) as connection, source.path.open("rb") as lines:
            _wait_shared(connection, engines, topics[0], count)
            fill(bed, topics[0], (line.rstrip() for line in islice(lines, warm)))
            bed.wait_applied(engines, url, topics[0], TIMEOUT_SECONDS)
            _signal(engines, signal.SIGSTOP)
            fill(bed, topics[0], (line.rstrip() for line in lines))
            made = _measured(bed, connection, engines, topics[0], source.events - warm)
            bed.wait_applied(engines, url, topics[0], TIMEOUT_SECONDS)
            return made, judged(connection, source.path, catalogue)
    finally:
        for engine in engines:
            engine.stop()
        bed.drop(name)


def _wait_shared(connection: psycopg.Connection, engines: list[Program], topic: str, count: int) -> None:
    """Until each engine owns partitions."""

    def shared() -> bool:
        for engine in engines:
            engine.check_alive()
        owners = connection.execute(
            "select count(distinct owner), count(*) from engine.progress where topic = %s", (topic,)
        ).fetchone()
        return owners is not None and owners[0] == count and owners[1] > 1

    wait_until(shared, 60, f"{count} engines to share the partitions")


def _measured(
    bed: Bed, connection: psycopg.Connection, engines: list[Program], topic: str, events: int
) -> Round:
    roots = {f"engine {n}": engine.process.pid for n, engine in enumerate(engines)}
    with Meter({**roots, "database": bed.database_pid}) as meter:
        begin = time.time()
        _signal(engines, signal.SIGCONT)
        waits = _watch(bed, connection, engines, topic)
        row = connection.execute(
            "select extract(epoch from max(written_at))::float8 from published.change where events > 0"
        ).fetchone()
        end = float(row[0]) if row else begin
    spent = sum(meter.used(role, begin, end) for role in roots)
    return Round(events, end - begin, spent, meter.used("database", begin, end), waits)


def _watch(bed: Bed, connection: psycopg.Connection, engines: list[Program], topic: str) -> Counter[str]:
    """What the engines' statements wait for, looked at until all is read."""
    ends, waits = bed.ends(topic), Counter[str]()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        waits.update(str(row[0]) for row in connection.execute(WAITING).fetchall())
        rows = connection.execute(
            "select partition, next_offset from published.progress where topic = %s", (topic,)
        )
        done = {int(partition): int(offset) for partition, offset in rows.fetchall()}
        if all(done.get(partition, 0) >= end for partition, end in ends.items()):
            return waits
        for engine in engines:
            engine.check_alive()
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"the engines had not read all after {TIMEOUT_SECONDS} s")


def _signal(engines: list[Program], number: int) -> None:
    for engine in engines:
        engine.signal_all(number)


def _summarise(result: Result, done: dict[int, list[Round]]) -> None:
    ratios = [two.cpu_us / one.cpu_us for one, two in zip(done[1], done[2], strict=True)]
    result.aims.append(
        Aim("CPU an event of two engines to one", AIM_RATIO, round(median(ratios), 2), at_least=False)
    )
    result.figures["ratio, min and max"] = [round(min(ratios), 2), round(max(ratios), 2)]
    for engines, rounds in done.items():
        result.figures[f"{engines} engine{'s' * (engines > 1)}"] = {
            "events/s (median)": round(median(made.events / made.seconds for made in rounds)),
            "CPU us an event: engine": round(median(made.engine / made.events * 1e6 for made in rounds), 1),
            "CPU us an event: database": round(
                median(made.database / made.events * 1e6 for made in rounds), 1
            ),
            "share of statements' time waiting for locks": round(
                median(made.lock_share for made in rounds), 3
            ),
        }
