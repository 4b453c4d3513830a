"""Accepted events a second in batches of 500, ingest and broker alone: the engine is stopped while it is measured.

The answer is checked by reading the topic back: every id is there exactly as often as it was acknowledged.
"""

import os
import signal
from collections import Counter
from itertools import pairwise
from statistics import median

import msgspec
from benchmarks.driving import Watch, fresh_stack, memory, per_event, start_sending
from benchmarks.events import BATCH, Input, prepared
from benchmarks.options import Options
from benchmarks.results import Aim, Result
from tests.acceptance.stack import Stack
from tests.reference.topic import read_records

ROUNDS = 5
# Until the broker's Java has compiled what it needs; a fifth of the input, sent and checked like the rest.
WARM_UP_SHARE = 0.2
CONNECTIONS = 8
AIM_PER_SECOND = 100_000
SEND_SECONDS = 300


class Named(msgspec.Struct):
    id: str


def run(options: Options) -> Result:
    source = prepared(options.size(quick=300_000, full=1_000_000))
    what = f"{source.events:,} events, batches of {BATCH}, {CONNECTIONS} connections"
    result = Result("ingest", f"{what}, sha256 {source.sha256[:12]}")
    with fresh_stack() as stack:
        engines = [process.pid for process in stack.roles("engine")]
        for pid in engines:
            os.kill(pid, signal.SIGSTOP)
        try:
            _measure(stack, source, result)
            result.wrong = compare(stack, source)
        finally:
            for pid in engines:
                os.kill(pid, signal.SIGCONT)
    return result


def _measure(stack: Stack, source: Input, result: Result) -> None:
    warm = round(source.batches * WARM_UP_SHARE)
    start_sending(stack, source, 0, warm, connections=CONNECTIONS).wait(SEND_SECONDS)
    bounds = [warm + (source.batches - warm) * part // ROUNDS for part in range(ROUNDS + 1)]
    rates, refused, sender_cpu, events = [], 0, 0.0, 0
    seconds = 0.0
    watch = Watch(stack)
    watch.start()
    for first, end in pairwise(bounds):
        sent = start_sending(stack, source, first, end, connections=CONNECTIONS).wait(SEND_SECONDS)
        rates.append(sent.events / sent.seconds)
        seconds += sent.seconds
        events += sent.events
        refused += sent.refused
        sender_cpu += sent.cpu_seconds
    costs = watch.stop()
    result.aims.append(
        Aim("events/s accepted (median of rounds)", AIM_PER_SECOND, round(median(rates)), at_least=True)
    )
    result.aims.append(Aim("MB of ingest", 300, memory(costs)["ingest"], at_least=False))
    cpu = per_event(costs, sender_cpu, events)
    result.figures = {
        "seconds measured": round(seconds, 1),
        "events/s min and max": [round(min(rates)), round(max(rates))],
        "CPU us an event": cpu,
        "CPU us an event, all together": round(sum(cpu.values()), 2),
        "answered 503": refused,
        "MB": memory(costs),
    }


def compare(stack: Stack, source: Input) -> list[str]:
    """The ids of the file against those of the topic, each as often."""
    with source.path.open("rb") as file:
        expected = Counter(msgspec.json.decode(line, type=Named).id for line in file)
    decode = msgspec.json.Decoder(Named).decode
    found = Counter(
        decode(body).id for record in read_records(stack.kafka, stack.topic) for body in record.bodies
    )
    differing = [name for name in expected | found if expected[name] != found[name]]
    return [
        f"{len(differing)} ids are not in the topic as often as acknowledged, such as {differing[:3]}"
    ] * bool(differing)
