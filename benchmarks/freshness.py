"""Open loop at fixed rates: from the acknowledgement of an event to the line of the live stream that names its account.

Each batch brings one account nobody has seen before. The answer is right when each of them was named and all events count.
"""

import random
import time
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from benchmarks.driving import ENGINES, Watch, fresh_stack, per_event, percentile, start_sending
from benchmarks.events import ACCOUNTS, DIRECTORY, ZIPF, Input, opened
from benchmarks.options import Options
from benchmarks.results import Aim, Result
from benchmarks.sender import Sent
from benchmarks.streaming import StreamWatch
from tests.acceptance.stack import Stack

RATES = (1_000, 5_000, 10_000, 25_000, 50_000)
QUICK_RATES = (1_000, 5_000)
BATCHES_PER_SECOND = 40
NAMED_SECONDS = 180  # until then a rate that cannot be kept up is worked off
AIM_SECONDS = {1_000: 1.0, 25_000: 1.0}


def run(options: Options) -> Result:
    seconds = 5 if options.quick else 15
    engines = options.engines or ENGINES
    result = Result(
        "freshness",
        f"open loop, {seconds} s a rate, {BATCHES_PER_SECOND} batches a second, {engines} engines",
    )
    with fresh_stack(engines) as stack:
        _one_rate(stack, 500, 3, Result("warm-up", ""))
        for rate in QUICK_RATES if options.quick else RATES:
            _one_rate(stack, rate, seconds, result)
    return result


def _one_rate(stack: Stack, rate: int, seconds: int, result: Result) -> None:
    batch = rate // BATCHES_PER_SECOND
    source = _written(rate, batch, seconds * BATCHES_PER_SECOND)
    before = _events(stack)
    watch = Watch(stack)
    with StreamWatch(stack, rb"probe-\d+-\d+") as stream:
        watch.start()
        sent = start_sending(stack, source, 0, source.batches, rate=rate, connections=8, batch=batch).wait(
            seconds + NAMED_SECONDS
        )
        _wait_named(stream, rate, source.batches)
        costs = watch.stop()
    stack.wait_applied()
    counted = _events(stack) - before
    missing = [n for n in range(source.batches) if _probe(rate, n) not in stream.named]
    result.wrong += [f"{rate}/s: {len(missing)} accounts were never named"] * bool(missing)
    result.wrong += [f"{rate}/s: {counted} events counted of {source.events}"] * (counted != source.events)
    source.path.unlink()
    if not missing:
        _summarise(result, rate, sent, stream.named, per_event(costs, sent.cpu_seconds, sent.events))


def _summarise(result: Result, rate: int, sent: Sent, named: dict[str, float], cpu: dict[str, float]) -> None:
    shown = [named[_probe(rate, n)] for n in range(len(sent.due))]
    from_acceptance = [at - done for at, done in zip(shown, sent.acknowledged, strict=True)]
    from_due = [at - due for at, due in zip(shown, sent.due, strict=True)]
    result.figures[f"{rate}/s"] = {
        "accepted to shown, s (p50, p99, max)": _three(from_acceptance),
        "due to shown, s (p50, p99, max)": _three(from_due),
        "CPU us an event": cpu,
    }
    if rate in AIM_SECONDS:
        reached = round(percentile(from_acceptance, 0.99), 3)
        result.aims.append(Aim(f"p99 s at {rate:,}/s", AIM_SECONDS[rate], reached, at_least=False))


def _three(values: list[float]) -> list[float]:
    return [round(percentile(values, share), 3) for share in (0.5, 0.99, 1.0)]


def _probe(rate: int, number: int) -> str:
    return f"probe-{rate}-{number}"


def _written(rate: int, batch: int, batches: int) -> Input:
    """Events of this moment; the first of each batch is of an account of its own."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = Path(DIRECTORY / f"freshness-{rate}.ndjson")
    rng = random.Random(rate)
    weights = list(accumulate(1 / rank**ZIPF for rank in range(1, ACCOUNTS + 1)))
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    offsets = [0]
    with path.open("wb") as file:
        for number in range(batches):
            accounts = [
                f"account-{n:05d}" for n in rng.choices(range(ACCOUNTS), cum_weights=weights, k=batch - 1)
            ]
            for place, account in enumerate([_probe(rate, number), *accounts]):
                user = f"user-{rng.randrange(20):02d}"
                file.write(_line(f"{rate}-{number}-{place}", account, user, now))
            offsets.append(file.tell())
    whole = opened(path, batch * batches)
    return Input(path, whole.events, offsets, whole.sha256)


def _line(event_id: str, account: str, user: str, at: str) -> bytes:
    return (
        f'{{"specversion":"1.0","id":"{event_id}","source":"/product/eu-1","type":"feature.used","subject":"{account}",'
        f'"time":"{at}","data":{{"user":"{user}","feature":"export","value":7,"session":"0123456789abcdef"}}}}\n'
    ).encode()


def _wait_named(stream: StreamWatch, rate: int, batches: int) -> None:
    deadline = time.monotonic() + NAMED_SECONDS
    while time.monotonic() < deadline and any(_probe(rate, n) not in stream.named for n in range(batches)):
        time.sleep(0.05)


def _events(stack: Stack) -> int:
    return int(stack.client.figure("events", "2026-01-01", "2036-01-01").value)
