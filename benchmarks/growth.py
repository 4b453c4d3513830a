"""What grows with history and what does not: a tenth of the events, then the rest, through the whole pipeline, whole pack.

After each of the two: bytes on disk by event, latency of reads, memory of each process, and what 10,000 more events cost, each late for
its day. With `--copies N` the raw events are then copied in the database until there are N times as many, each copy 90 days earlier, and
all that is asked once more. Figures don't grow with events, only with accounts, days and measures; so those stay as they are. The answer
is checked at the end.
"""

import time
from typing import Any

import psycopg
from benchmarks import definitions, reader
from benchmarks.driving import Watch, fresh_stack, memory, per_event, percentile, start_sending
from benchmarks.end_to_end import judged, last_commit_after
from benchmarks.events import ACCOUNTS, Input, World, prepared
from benchmarks.options import Options
from benchmarks.results import Aim, Result
from benchmarks.sender import Sent
from tests.acceptance.processes import descendants, role_of
from tests.acceptance.stack import ROOT, Stack

SPAN_SECONDS = 90 * 86_400
FIRST_SHARE = 0.1
AIM_RAW_BYTES = 100
AIM_FLAT = 1.5
AIM_LATE = 1.1
# Events come in no order, so each is late for its day; these many batches are sent once for what they cost, and once before to warm up.
LATE_BATCHES = 20
AIM_MEMORY_MB = 300
TIMEOUT_SECONDS = 3600
REQUESTS = 200
LATE = "CPU us a late event, engine and its statements"
SIZES = """select coalesce(sum(pg_total_relation_size(c.oid)) filter (where starts_with(c.relname, 'raw_chunk')), 0),
  coalesce(sum(pg_total_relation_size(c.oid)), 0)
from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'engine' and c.relkind = 'r'"""
READS = {
    "active users of the month before, by day": "/v1/query?metrics=active_users_28d&from=2026-10-01&to=2026-11-02&grain=day",
    "accounts by risk": "/v1/accounts?sort=risk&limit=100",
    "page of the largest account": "/v1/accounts/account-00000",
    "timeline of the largest account": "/v1/accounts/account-00000/timeline?limit=30",
    "scorecard": "/v1/scorecard",
}
COPY = (
    """insert into engine.raw_chunk
      (tenant_id, arrived_at, event_from, event_to, accounts, account_ids, person_ids, types, event_at, ingested_at, bodies)
    select tenant_id, arrived_at, event_from - n * interval '90 days', event_to - n * interval '90 days', accounts, account_ids, person_ids,
      types, array(select at - n * interval '90 days' from unnest(event_at) at), ingested_at, bodies
    from engine.raw_chunk, generate_series(1, %(copies)s) n""",
    "vacuum analyze",
    "checkpoint",
)
LARGEST = """select c.relname, pg_total_relation_size(c.oid) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'engine' and c.relkind = 'r' order by 2 desc limit 8"""


def run(options: Options) -> Result:
    accounts = options.accounts or ACCOUNTS
    world = World(accounts, SPAN_SECONDS)
    source = prepared(options.size(quick=100_000, full=1_000_000), world)
    moments = 3 if options.copies > 1 else 2
    last = source.batches - 2 * LATE_BATCHES * moments
    stages = (round(last * FIRST_SHARE), last)
    catalogue = definitions.whole_pack()
    result = Result(
        "growth",
        f"{source.events:,} events over 90 days, {accounts:,} accounts, sha256 {source.sha256[:12]}; {definitions.described(catalogue)}",
    )
    with fresh_stack() as stack:
        begin, late_from, sent = 0, last, 0
        for end in stages:
            watch = Watch(stack)
            watch.start()
            done = start_sending(stack, source, begin, end).wait(TIMEOUT_SECONDS)
            begin, sent = end, sent + done.events
            figures = result.figures[f"after {sent:,}"] = _stage(stack, watch, done, sent)
            late_from, sent, figures[LATE] = _late(stack, source, late_from, sent)
        if options.copies > 1:
            figures = result.figures[f"copied to {sent * options.copies:,}"] = _copied(
                stack, options.copies, sent
            )
            late_from, sent, figures[LATE] = _late(stack, source, late_from, sent)
        result.wrong += [f"{sent} accepted of {source.events} sent"] * (sent != source.events)
        with psycopg.connect(stack.database_url) as connection:
            result.wrong += judged(connection, source.path, catalogue)
    early, late = (figures for name, figures in result.figures.items() if name.startswith("after"))
    before, *more = (figures[LATE] for figures in result.figures.values())
    result.aims += [
        *(
            Aim(f"cost of a late event with {times} times the raw events to before", AIM_LATE, round(cost / then, 2), at_least=False)
            for times, then, cost in zip((10, options.copies), (before, *more), more, strict=False)
        ),
        Aim("bytes of a raw event on disk", AIM_RAW_BYTES, late["bytes on disk an event"]["raw events"], at_least=False),
        *(
            Aim(f"{name}: p50 with ten times the history to before", AIM_FLAT, round(late["reads, s (p50, p99)"][name][0] / now[0], 2), at_least=False)
            for name, now in early["reads, s (p50, p99)"].items()
        ),
        *(
            Aim(f"MB of {role}", AIM_MEMORY_MB, late["MB"][role], at_least=False)
            for role in ("engine", "ingest", "gateway", "alerts")
        ),
    ]  # fmt: skip
    return result


def _late(stack: Stack, source: Input, begin: int, sent: int) -> tuple[int, int, float]:
    """Where the next ones begin, how many events there are then, and CPU us a late one of the engine and of its statements, states included.

    Not of others' statements: copied events look as if they had just arrived, and alerts read what did.
    """
    cost = 0.0
    for start in (begin, begin + LATE_BATCHES):
        before = _engine_seconds(stack)
        done = start_sending(stack, source, start, start + LATE_BATCHES).wait(TIMEOUT_SECONDS)
        stack.wait_applied(TIMEOUT_SECONDS)
        sent, cost = sent + done.events, round((_engine_seconds(stack) - before) / done.events * 1e6, 1)
    return begin + 2 * LATE_BATCHES, sent, cost


def _engine_seconds(stack: Stack) -> float:
    serving = {
        pid
        for (pid,) in stack.select("select pid from pg_stat_activity where application_name = 'kpi-engine'")
    }
    every = descendants(stack.process.pid)
    return sum(one.cpu_seconds for one in every if one.pid in serving or role_of(one) == "engine")


def _copied(stack: Stack, copies: int, events: int) -> dict[str, Any]:
    """What there is to say with so many times the raw events."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        for statement in COPY:
            connection.execute((statement % {"copies": copies - 1}).encode())
    raw, _ = (int(size) for size in stack.select(SIZES)[0])
    return {
        "bytes of a raw event on disk": round(raw / events / copies),
        "reads, s (p50, p99)": {name: _latency(stack, path) for name, path in READS.items()},
    }


def _stage(stack: Stack, watch: Watch, done: Sent, events: int) -> dict[str, Any]:
    """What there is to say once `done` is applied, `events` in all."""
    stack.wait_applied(TIMEOUT_SECONDS)
    drained = time.monotonic()
    costs = watch.stop()
    seconds = last_commit_after(stack, done.began, drained)
    raw, everything = (int(size) for size in stack.select(SIZES)[0])
    return {
        "events/s": round(done.events / seconds),
        "CPU us an event": per_event(costs, done.cpu_seconds, done.events),
        "bytes on disk an event": {
            "raw events": round(raw / events),
            "everything of the engine": round(everything / events),
        },
        "largest tables, bytes an event": {
            str(name): round(int(size) / events, 1) for name, size in stack.select(LARGEST)
        },
        "reads, s (p50, p99)": {name: _latency(stack, path) for name, path in READS.items()},
        "MB": memory(costs),
    }


def _latency(stack: Stack, path: str) -> list[float]:
    order = reader.Order(stack.urls["gateway"], stack.keys["read"], [path], REQUESTS, connections=1)
    heard = reader.run(order, ROOT)
    if set(heard.statuses) != {"200"}:
        raise RuntimeError(f"{path}: {heard.statuses}")
    return [round(percentile(heard.latencies, share), 4) for share in (0.5, 0.99)]
