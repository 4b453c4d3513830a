"""What a late event costs with little history and with a hundred times as much, in turns.

Two databases get the same day of events through the engine; the tables of one are then filled with copies of that day, each a day
earlier (raw events, measures, totals, presence). The same kind of events then comes late for the first day to either, one engine
stopped while the other is measured. The answer: every account's hour has grown by what DuckDB counts in the late events.
"""

import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
from benchmarks import definitions
from benchmarks.bed import Bed, Program
from benchmarks.events import SEED, World, deeds, prepared
from benchmarks.meter import Meter
from benchmarks.options import Options
from benchmarks.oracle import answer, cells
from benchmarks.packing import fill
from benchmarks.results import Aim, Result

WORLD = World(accounts=1_000, span_seconds=86_400)
AIM_RATIO = 1.1
TIMEOUT_SECONDS = 300
# Far above any id of the day itself.
FIRST_ID = 1_000_000_000
COPIES = """
insert into engine.measure_hour select distinct on (measure_id, account_id, at) tenant_id, measure_id, account_id, bucket - n * interval '1 day' as at, value
  from engine.measure_hour, generate_series(1, %(copies)s) n order by 2, 3, 4 on conflict do nothing;
insert into engine.measure_day select distinct on (measure_id, account_id, at) tenant_id, measure_id, account_id, day - n as at, value
  from engine.measure_day, generate_series(1, %(copies)s) n order by 2, 3, 4 on conflict do nothing;
insert into engine.total_hour select distinct on (measure_id, partition, at) tenant_id, measure_id, partition, bucket - n * interval '1 day' as at, value
  from engine.total_hour, generate_series(1, %(copies)s) n order by 2, 3, 4 on conflict do nothing;
insert into engine.total_day select distinct on (measure_id, partition, at) tenant_id, measure_id, partition, day - n as at, value
  from engine.total_day, generate_series(1, %(copies)s) n order by 2, 3, 4 on conflict do nothing;
insert into engine.presence select distinct on (measure_id, account_id, person_id, at) tenant_id, measure_id, account_id, person_id, day - n as at
  from engine.presence, generate_series(1, %(copies)s) n order by 2, 3, 4, 5 on conflict do nothing;
insert into engine.raw_chunk (tenant_id, arrived_at, event_from, event_to, accounts, account_ids, person_ids, types, event_at, ingested_at, bodies)
  select tenant_id, arrived_at, event_from - n * interval '1 day', event_to - n * interval '1 day', accounts, account_ids, person_ids, types,
         array(select at - n * interval '1 day' from unnest(event_at) at), ingested_at, bodies
  from engine.raw_chunk, generate_series(1, %(copies)s) n
"""
HOURS = """select a.account || ' ' || (extract(epoch from h.bucket)::bigint / 3600), h.value
from published.measure_hour h join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure = 'events'"""


@dataclass(frozen=True)
class Site:
    """One database with its engine."""

    days: int
    url: str
    topics: tuple[str, str]
    engine: Program

    def hours(self) -> dict[str, int]:
        with psycopg.connect(self.url) as connection:
            return {key: figures[0] for key, figures in cells(connection.execute(HOURS).fetchall()).items()}


def run(options: Options) -> Result:
    source = prepared(options.size(quick=20_000, full=50_000), WORLD)
    rounds = options.times(quick=2, full=5)
    history, late = (10, 5_000) if options.quick else (100, 10_000)
    result = Result(
        "late events",
        f"{late:,} late events {rounds} times, on a day of {source.events:,} events of {WORLD.accounts:,} accounts and on {history} "
        f"such days; {definitions.described(definitions.whole_pack())}",
    )
    with Bed() as bed:
        sites = [_site(bed, days, source.path) for days in (1, history)]
        costs: dict[int, list[float]] = {site.days: [] for site in sites}
        for number in range(-1, rounds):  # the first is to warm up
            for site in sites:
                cost, wrong = _late(bed, site, number + 1, late)
                result.wrong += [f"{site.days} days: {what}" for what in wrong]
                if number >= 0:
                    costs[site.days].append(cost)
        for site in sites:
            site.engine.signal_all(signal.SIGCONT)
            site.engine.stop()
            result.figures[f"{site.days} days"] = {
                "CPU us a late event, median, min, max": [
                    round(of(costs[site.days]), 1) for of in (median, min, max)
                ],
                "MB of the database": _megabytes(site.url),
            }
    ratios = [much / little for little, much in zip(costs[1], costs[history], strict=True)]
    result.aims.append(
        Aim(
            f"cost with {history} times the history to without",
            AIM_RATIO,
            round(median(ratios), 2),
            at_least=False,
        )
    )
    return result


def _site(bed: Bed, days: int, file: Path) -> Site:
    name = f"history-{days}"
    url, topics = bed.installed(name, definitions.whole_pack()), bed.topics(name)
    engine = bed.engine(url, topics, name)
    fill(bed, topics[0], (line.rstrip() for line in file.open("rb")))
    bed.wait_applied([engine], url, topics[0], TIMEOUT_SECONDS)
    engine.stop()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in COPIES.split(";\n"):
            connection.execute((statement % {"copies": days - 1}).encode())
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    engine = bed.engine(url, topics, name)
    bed.wait_applied([engine], url, topics[0], TIMEOUT_SECONDS)
    return Site(days, url, topics, engine)


def _late(bed: Bed, site: Site, number: int, events: int) -> tuple[float, list[str]]:
    """CPU us of engine and database an event, the account figures that follow included; and what is wrong."""
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        seed, first = SEED + 1 + number, FIRST_ID + number * events
        file.writelines(deeds(events, WORLD, seed, first))
        file.flush()
        expected = site.hours()
        for key, figures in answer(Path(file.name), once=True).hours.items():
            expected[key] = expected.get(key, 0) + figures[0]
        site.engine.signal_all(signal.SIGSTOP)
        with Path(file.name).open("rb") as lines:
            fill(bed, site.topics[0], (line.rstrip() for line in lines))
        with Meter({"engine": site.engine.process.pid, "database": bed.database_pid}) as meter:
            begin = time.time()
            site.engine.signal_all(signal.SIGCONT)
            bed.wait_applied([site.engine], site.url, site.topics[0], TIMEOUT_SECONDS)
            end = time.time()
        found = site.hours()
        site.engine.signal_all(signal.SIGSTOP)
    differing = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    wrong = [f"{len(differing)} hours of accounts differ, such as {differing[:2]}"] * bool(differing)
    return (meter.used("engine", begin, end) + meter.used("database", begin, end)) / events * 1e6, wrong


def _megabytes(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_database_size(current_database())").fetchone()
    return round(row[0] / 1e6) if row else 0
