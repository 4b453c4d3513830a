"""From HTTP to committed figures, everything on one machine: duplicates removed, raw events kept.

Two forms: the whole pack with its rules, and `simple`: one count, one sum and one measure of distinct people, nothing else.
The answer is checked by DuckDB straight from the file: events by account, events by hour, people by account and day of the whole
pack; every account and hour, every account and day of the simple form.
"""

import time
from pathlib import Path

import duckdb
import psycopg
from benchmarks import definitions
from benchmarks.driving import ENGINES, PYTHON_SERVICES, Watch, fresh_stack, memory, per_event, start_sending
from benchmarks.events import BATCH, Input, prepared
from benchmarks.options import Options
from benchmarks.oracle import ONCE, PASSIVE, answer, differences
from benchmarks.results import Aim, Result
from benchmarks.sender import Sent
from tests.acceptance.stack import Stack

from common.catalogue import Catalogue

AIM_PER_SECOND = 50_000
AIM_SIMPLE_PER_SECOND = 100_000
AIM_MEMORY_MB = 300
SEND_SECONDS = 1200
APPLY_SECONDS = 1200
EARLY_SHARE = 0.1  # memory and lag of the first tenth are warm-up


def run(options: Options) -> Result:
    """The whole pack."""
    return _run("end to end, whole pack", options, definitions.whole_pack(), AIM_PER_SECOND)


def run_simple(options: Options) -> Result:
    """Count, sum and distinct people alone."""
    return _run("end to end, simple", options, definitions.simple(), AIM_SIMPLE_PER_SECOND)


def _run(name: str, options: Options, catalogue: Catalogue, aim: int) -> Result:
    source = prepared(options.size(quick=300_000, full=1_000_000))
    engines = options.engines or ENGINES
    said = f"{source.events:,} events, batches of {BATCH}, {engines} engines, sha256 {source.sha256[:12]}; {definitions.described(catalogue)}"
    result = Result(name, said)
    with fresh_stack(engines) as stack:
        definitions.activate(stack, catalogue)
        _measure(stack, source, result, aim)
        with psycopg.connect(stack.database_url) as connection:
            result.wrong += judged(connection, source.path, catalogue)
    return result


def judged(connection: psycopg.Connection, file: Path, catalogue: Catalogue) -> list[str]:
    """What differs from the independent answer under these definitions."""
    if definitions.is_simple(catalogue):
        return differences(answer(file, once=True), definitions.simple_answer(connection))
    return compare(connection, file)


def _measure(stack: Stack, source: Input, result: Result, aim: int) -> None:
    watch = Watch(stack, lambda: applied(stack))
    watch.start()
    sent = start_sending(stack, source, 0, source.batches).wait(SEND_SECONDS)
    stack.wait_applied(APPLY_SECONDS)
    drained = time.monotonic()
    costs = watch.stop()
    last_commit = last_commit_after(stack, sent.began, drained)
    megabytes = memory(costs)
    reached = round(sent.events / last_commit)
    result.wrong += [f"{sent.events} accepted of {source.events} sent"] * (sent.events != source.events)
    result.aims = [
        Aim("events/s sustained, first request to last commit", aim, reached, at_least=True),
        *(Aim(f"MB of {role}", AIM_MEMORY_MB, megabytes[role], at_least=False) for role in PYTHON_SERVICES),
    ]
    result.figures = {
        "events/s accepted": round(sent.events / sent.seconds),
        "seconds": round(last_commit, 2),
        "lag at the end of sending": round(sent.events - figure_at(watch.figures, sent.ended)),
        "lag slope, events/s": round(lag_slope(watch.figures, sent)),
        "seconds to recompute all accounts": round(drained - sent.began - last_commit, 2),
        "CPU us an event": per_event(costs, sent.cpu_seconds, sent.events),
        "answered 503": sent.refused,
        "MB": megabytes,
        "broker heap": broker_heap(stack),
    }


def applied(stack: Stack) -> float:
    """Events that are in the figures, duplicates counted as read."""
    return float(stack.select("select coalesce(sum(events), 0) from published.change")[0][0])


def last_commit_after(stack: Stack, began: float, now: float) -> float:
    """Seconds from the first request to the last commit that brought events, by the database's clock."""
    ago = stack.select(
        "select extract(epoch from clock_timestamp() - max(written_at)) from published.change where events > 0"
    )
    return (now - began) - float(ago[0][0]) + (time.monotonic() - now)


def figure_at(figures: list[tuple[float, float]], at: float) -> float:
    """The figure at a moment, by a straight line between the samples around it."""
    before = max((sample for sample in figures if sample[0] <= at), default=figures[0])
    after = min((sample for sample in figures if sample[0] > at), default=figures[-1])
    if after[0] <= before[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (at - before[0]) / (after[0] - before[0])


def lag_slope(figures: list[tuple[float, float]], sent: Sent) -> float:
    """Events/s by which the engine fell behind what was acknowledged, by least squares after the warm-up."""
    acknowledged = sorted(zip(sent.acknowledged, sent.accepted, strict=True))
    points: list[tuple[float, float]] = []
    for at, done in figures:
        if sent.began + sent.seconds * EARLY_SHARE <= at <= sent.ended:
            points.append((at, sum(n for when, n in acknowledged if when <= at) - done))
    if len(points) < 2:
        return 0.0
    mean_t = sum(t for t, _ in points) / len(points)
    mean_lag = sum(lag for _, lag in points) / len(points)
    spread = sum((t - mean_t) ** 2 for t, _ in points)
    return sum((t - mean_t) * (lag - mean_lag) for t, lag in points) / spread


def broker_heap(stack: Stack) -> str:
    words = stack.roles("broker")[0].command.split()
    return next((word for word in words if word.startswith("-Xmx")), "none set")


def compare(connection: psycopg.Connection, file: Path) -> list[str]:
    """Every account, hour and account-day of the whole pack's figures against DuckDB's answer."""
    wrong = []
    for name, question, ours in (
        ("events by account", f"select subject, count(*) from {ONCE} group by 1", BY_ACCOUNT),
        (
            "events by hour",
            f"select epoch(date_trunc('hour', time))::bigint, count(*) from {ONCE} group by 1",
            BY_HOUR,
        ),
        (
            "people by account and day",
            f"select subject || ' ' || time::date, count(distinct data.user) from {ONCE} where type not in {PASSIVE} group by 1",
            PEOPLE,
        ),
    ):
        expected, found = _answer(file, question), _pairs(connection.execute(ours.encode()).fetchall())
        keys = [key for key in expected.keys() | found.keys() if expected.get(key, 0) != found.get(key, 0)]
        if keys:
            key = keys[0]
            wrong.append(
                f"{name}: {len(keys)} differ, such as {key}: {found.get(key)} is not {expected.get(key)}"
            )
    return wrong


BY_ACCOUNT = """select a.account, sum(h.value) from published.measure_hour h join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure = 'events' group by 1"""
BY_HOUR = """select extract(epoch from h.bucket)::bigint, sum(h.value) from published.total_hour h
join published.measure m using (tenant_id, measure_id) where m.measure = 'events' group by 1"""
PEOPLE = """select a.account || ' ' || d.day, sum(d.value) from published.measure_day d join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure = 'active_users' group by 1"""


def _answer(file: Path, query: str) -> dict[str, int]:
    with duckdb.connect() as database:
        return _pairs(database.execute(query, {"file": str(file)}).fetchall())


def _pairs(rows: list[tuple[object, ...]]) -> dict[str, int]:
    return {str(key): int(str(value)) for key, value in rows}
