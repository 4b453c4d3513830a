"""Reads as the dashboard and its users make them, over 10,000 accounts with a year of history, with and without ETag.

The answer: every request was answered with 200, or with 304 where a tag went along and nothing had changed; the events of the year, by month, are what
DuckDB counts; and nothing the overview and the lists ask for touched a table of raw events.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
from benchmarks import reader
from benchmarks.driving import Watch, fresh_stack, memory, percentile, start_sending
from benchmarks.events import ACCOUNTS, YEAR_SECONDS, Input, World, prepared
from benchmarks.options import Options
from benchmarks.oracle import ONCE
from benchmarks.results import Aim, Result
from tests.acceptance.stack import ROOT, Stack

WORLD = World(ACCOUNTS, YEAR_SECONDS, subscriptions=True)
AIM_SECONDS = 0.05
CONNECTIONS = 4
SECONDS_AT_MOST, QUICK_SECONDS_AT_MOST = 8.0, 2.0
SEND_SECONDS = 600
# PostgreSQL's own counters of reads are published when a connection has been idle this long.
COUNTED_SECONDS = 12
MOST_READ = 500  # accounts whose pages are asked for, the largest first
RAW_READS = """select coalesce(sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0)), 0) from pg_stat_user_tables
where schemaname = 'engine' and starts_with(relname, 'raw')"""


@dataclass(frozen=True)
class Read:
    """`raw`: it shows single events, and so may read them."""

    name: str
    paths: list[str]
    raw: bool = False


def run(options: Options) -> Result:
    source = prepared(options.size(quick=60_000, full=300_000), WORLD)
    requests, seconds = (100, QUICK_SECONDS_AT_MOST) if options.quick else (1_000, SECONDS_AT_MOST)
    result = Result(
        "gateway",
        f"{source.events:,} events over a year, {ACCOUNTS:,} accounts, {CONNECTIONS} connections, {requests} requests each or {seconds:.0f} s",
    )
    with fresh_stack() as stack:
        sent = start_sending(stack, source, 0, source.batches).wait(SEND_SECONDS)
        stack.wait_applied(SEND_SECONDS)
        result.wrong += [f"{sent.events} accepted of {source.events} sent"] * (sent.events != source.events)
        result.wrong += _wrong_months(stack, source)
        watch = Watch(stack)
        watch.start()
        with _standing_still(stack):
            for raw in (False, True):
                before = _raw_reads(stack)
                for read in _reads(stack):
                    if read.raw is raw:
                        _measure(stack, read, requests, seconds, result)
                reads = _raw_reads(stack) - before
                result.figures[f"reads of raw events by {'account pages' if raw else 'all other paths'}"] = (
                    reads
                )
                result.wrong += [f"the overview and the lists read raw events {reads} times"] * (
                    not raw and reads > 0
                )
        result.figures["MB"] = memory(watch.stop())
    return result


@contextmanager
def _standing_still(stack: Stack) -> Iterator[None]:
    """Alerts, which replay rules over raw events after a load, are stopped: what is read now the gateway reads."""
    pids = [process.pid for process in stack.roles("alerts")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _reads(stack: Stack) -> list[Read]:
    kpis = ",".join(kpi["name"] for kpi in stack.client.get("/v1/scorecard")["kpis"])
    today = datetime.now(UTC).date()
    year = f"from={today.replace(year=today.year - 1)}&to={today}"
    quarter = f"from={today - timedelta(days=90)}&to={today + timedelta(days=1)}"
    cards = "/v1/query?metrics=nrr,grr,logo_churn,active_accounts_28d,active_users_28d,stickiness,nps,complaints,events"
    pages = [f"/v1/accounts/account-{number:05d}" for number in range(MOST_READ)]
    return [
        Read("overview: cards by day of 90 days", [f"{cards}&{quarter}&grain=day&limit=10000"]),
        Read("scorecard: its figures by month of a year", [f"/v1/query?metrics={kpis}&{year}&grain=month&limit=10000"]),
        Read("query: active users by segment and month", [f"/v1/query?metrics=active_users_28d&{year}&grain=month&group_by=segment&limit=10000"]),
        Read("query: events by segment and month", [f"/v1/query?metrics=events&{year}&grain=month&group_by=segment&limit=10000"]),
        Read("query: one account by day", [f"/v1/query?metrics=active_users_1d,events&{quarter}&grain=day&accounts=account-{n:05d}" for n in range(MOST_READ)]),
        Read("accounts by risk", ["/v1/accounts?sort=risk&limit=100"]),
        Read("accounts by MRR", ["/v1/accounts?sort=mrr&limit=100"]),
        Read("accounts of a segment", [f"/v1/accounts?sort=risk&segment=segment-{n:03d}" for n in range(200)]),
        Read("account page", pages, raw=True),
        Read("timeline of an account", [f"{page}/timeline?limit=30" for page in pages], raw=True),
    ]  # fmt: skip


def _measure(stack: Stack, read: Read, requests: int, seconds: float, result: Result) -> None:
    for tags in (False, True):
        paths = read.paths[:requests] if tags else read.paths
        order = reader.Order(
            stack.urls["gateway"], stack.keys["read"], paths, requests, seconds, CONNECTIONS, tags
        )
        heard = reader.run(order, ROOT)
        if not set(heard.statuses) <= ({"200", "304"} if tags else {"200"}):
            result.wrong.append(f"{read.name}: answered {heard.statuses}")
            continue
        p50, p99 = (round(percentile(heard.latencies, share), 4) for share in (0.5, 0.99))
        result.figures[f"{read.name}{', with its ETag' * tags}"] = {
            "requests": len(heard.latencies),
            "requests/s": round(len(heard.latencies) / heard.seconds, 1),
            "p50 s": p50,
            "p99 s": p99,
            "share answered 304": round(heard.statuses.get("304", 0) / len(heard.latencies), 2),
            "bytes": round(heard.bytes / len(heard.latencies)),
        }
        print(f"{read.name}{', with its ETag' * tags}: p50 {p50} s, p99 {p99} s", flush=True)
        if not tags:
            result.aims.append(Aim(f"p99 s, {read.name}", AIM_SECONDS, p99, at_least=False))


def _raw_reads(stack: Stack) -> int:
    time.sleep(COUNTED_SECONDS)
    return int(stack.select(RAW_READS)[0][0])


def _wrong_months(stack: Stack, source: Input) -> list[str]:
    with duckdb.connect() as database:
        rows = database.execute(
            f"select strftime(time, '%Y-%m'), count(*) from {ONCE} group by 1", {"file": str(source.path)}
        ).fetchall()
    expected = {str(month): int(count) for month, count in rows}
    series = stack.client.series("events", "2025-01-01", "2027-01-01", "month")
    found = {f"{at:%Y-%m}": int(value) for at, value in series.items() if value}
    return [f"events by month: {found} is not {expected}"] * (found != expected)
