"""The engine against its peers: the same events, the same task, one after another in rounds, every answer checked.

Two fifths of the events warm a side up (and let Java compile): they are read and written while nothing is measured. Then the side is stopped (SIGSTOP), the
rest is put into its topic, and it goes on: from there to its last write all is counted, and nothing afterwards.
"""

import json
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from statistics import median

import psycopg
from benchmarks.bed import Bed, Program
from benchmarks.events import Input, prepared
from benchmarks.meter import Meter
from benchmarks.options import Options
from benchmarks.oracle import Answer, answer, differences
from benchmarks.peers import environment
from benchmarks.peers.records import FORMS, Records, records
from benchmarks.peers.sides import OURS, SIDES, Side, Task
from benchmarks.results import Aim, Result
from tests.acceptance.stack import ROOT

WARM_SHARE = 0.4
QUIET_SECONDS = 3.0
LOOK_SECONDS = 0.1
TIMEOUT_SECONDS = 900
AIMS = {"Quix Streams": 12.0, "Bytewax": 5.0, "Kafka Streams": 2.0}
# What everybody computes; only ours also removes repetitions and keeps the events.
TASK = "count and sum per account and hour, distinct people per account and day, in PostgreSQL at least once a second"


@dataclass(frozen=True)
class Expected:
    """What the figures hold once the warm-up is read, and the answer to everything."""

    warm_events: int
    answer: Answer


@dataclass(frozen=True)
class Round:
    """What one side did with `events` events between two moments: seconds of the clock and of CPU."""

    events: int
    seconds: float
    program: float
    database: float
    broker: float
    peak_bytes: int
    states: float = 0.0

    @property
    def per_cpu_second(self) -> float:
        return self.events / (self.program + self.database)


def run(options: Options) -> Result:
    source = prepared(options.size(quick=60_000, full=200_000))
    rounds = options.times(quick=1, full=3)
    result = Result(
        "peers", f"{source.events:,} events, {rounds} rounds, sha256 {source.sha256[:12]}; {TASK}"
    )
    environment.python()
    environment.java_classpath()
    warm = round(source.events * WARM_SHARE)
    expected = {once: Expected(*_oracle(source, warm, once=once)) for once in (True, False)}
    done: dict[str, dict[int, Round]] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as directory, Bed() as bed:
        files = {form: records(source, form, warm, Path(directory)) for form in FORMS}
        for number, side in product(range(rounds), SIDES):
            name = f"round-{number}-{SIDES.index(side)}"
            try:
                task = Task(bed, name, bed.topics(name))
                made, wrong = _one(task, side, files[side.form], source.events - warm, expected[side.once])
            except RuntimeError as error:
                wrong = [str(error)]
            result.wrong += [f"{side.name}, round {number + 1}: {what}" for what in wrong]
            if not wrong:
                done[side.name][number] = made
                print(f"round {number + 1}, {side.name}: {json.dumps(_figures([made]))}", flush=True)
    _summarise(result, done)
    return result


def _oracle(source: Input, warm: int, *, once: bool) -> tuple[int, Answer]:
    """How many events are in the figures when the warm-up is read, and the answer to all of them."""
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file, source.path.open("rb") as lines:
        file.writelines(islice(lines, warm))
        file.flush()
        return answer(Path(file.name), once=once).events, answer(source.path, once=once)


def _one(task: Task, side: Side, file: Records, events: int, expected: Expected) -> tuple[Round, list[str]]:
    _fill(task, file, 0, file.warm)
    program, url = side.start(task)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            _wait(program, side, connection, expected.warm_events)
            program.signal_all(signal.SIGSTOP)
            _fill(task, file, file.warm, file.all)
            made = _measured(task, side, program, url, connection, events, expected.answer.events)
            return made, differences(expected.answer, side.answer(connection))
    finally:
        program.stop()
        task.bed.drop(task.name)


def _measured(
    task: Task,
    side: Side,
    program: Program,
    url: str,
    connection: psycopg.Connection,
    events: int,
    in_all: int,
) -> Round:
    bed = task.bed
    roots = {"program": program.process.pid, "database": bed.database_pid, "broker": bed.broker_pid}
    with Meter(roots) as meter:
        begin = time.time()
        program.signal_all(signal.SIGCONT)
        end = _wait(program, side, connection, in_all)
        if side.is_ours:
            bed.wait_applied([program], url, task.topics[0], TIMEOUT_SECONDS)
        all_done = time.time()
    afterwards = sum(meter.used(role, end, all_done) for role in ("program", "database"))
    return Round(
        events=events,
        seconds=end - begin,
        program=meter.used("program", begin, end),
        database=meter.used("database", begin, end),
        broker=meter.used("broker", begin, end),
        peak_bytes=meter.peaks["program"],
        states=afterwards if side.is_ours else 0.0,
    )


def _fill(task: Task, file: Records, first: int, end: int) -> None:
    command = [
        str(environment.python()),
        "-m",
        "benchmarks.peers.programs.fill",
        task.bed.bootstrap,
        task.topics[0],
        str(file.path),
    ]
    subprocess.run([*command, str(first), str(end)], check=True, cwd=ROOT)


def _wait(program: Program, side: Side, connection: psycopg.Connection, events: int) -> float:
    """When the write was that brought the figures to so many events. Looks at figures only when nothing is written any more."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        program.check_alive()
        written = side.written(connection)
        if written and time.time() - written > QUIET_SECONDS and side.events(connection) >= events:
            return written
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(
        f"{side.name} has {side.events(connection)} of {events} events after {TIMEOUT_SECONDS} s:\n{program.log.read_text()[-3000:]}"
    )


def _summarise(result: Result, done: dict[str, dict[int, Round]]) -> None:
    for name, rounds in done.items():
        result.figures[name] = _figures(list(rounds.values()))
        both = rounds.keys() & done[OURS].keys()
        if name == OURS or not both:
            continue
        ratios = [done[OURS][number].per_cpu_second / rounds[number].per_cpu_second for number in both]
        result.figures[name]["ours to this, median (min to max)"] = _three(ratios, 2)
        if name in AIMS:
            text = f"times {name} in events per CPU second"
            result.aims.append(Aim(text, AIMS[name], round(median(ratios), 2), at_least=True))


def _figures(rounds: list[Round]) -> dict[str, object]:
    return {
        "events/s": _three([made.events / made.seconds for made in rounds], 0),
        "events per CPU second": _three([made.per_cpu_second for made in rounds], 0),
        "CPU us an event": {
            "program": _three([made.program / made.events * 1e6 for made in rounds], 1),
            "database": _three([made.database / made.events * 1e6 for made in rounds], 1),
            "broker, not counted": _three([made.broker / made.events * 1e6 for made in rounds], 1),
        },
        "CPU s for account states afterwards": _three([made.states for made in rounds], 1),
        "MB": round(max(made.peak_bytes for made in rounds) / 1e6),
    }


def _three(values: list[float], digits: int) -> list[float]:
    """Median, smallest, largest."""
    return [round(value, digits or None) for value in (median(values), min(values), max(values))]
