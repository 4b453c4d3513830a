"""Starting what is measured and the sender beside it; counting what each process costs."""

import math
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.events import Input
from benchmarks.sender import Order, Sent, order_text, read_sent
from tests.acceptance.conftest import free_base
from tests.acceptance.processes import Process, descendants, role_of
from tests.acceptance.stack import ROOT, Stack

PYTHON_SERVICES = ("ingest", "engine", "gateway", "alerts")
SAMPLE_SECONDS = 0.5
# One computes while the database works for the other: on two cores one engine leaves a third of them idle.
ENGINES = 2


@contextmanager
def fresh_stack(engines: int = 1) -> Iterator[Stack]:
    """An empty stack on ports of its own; everything of it is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="bellwether-bench-"))
    stack = Stack.start(directory / "data", free_base(28_000), engines=engines)
    try:
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(directory)


@dataclass
class Sending:
    """A sender at work in a process of its own."""

    process: subprocess.Popen[str]
    directory: Path

    def wait(self, timeout_seconds: float) -> Sent:
        output, _ = self.process.communicate(timeout=timeout_seconds)
        shutil.rmtree(self.directory)
        if self.process.returncode != 0:
            raise RuntimeError("the sender failed; its output is above")
        return read_sent(output)


def start_sending(
    stack: Stack,
    source: Input,
    first: int,
    end: int,
    *,
    rate: float = 0.0,
    connections: int = 4,
    batch: int = 500,
) -> Sending:
    """Batches [first, end) of `source`."""
    order = Order(
        file=str(source.path.resolve()), offsets=source.offsets[first : end + 1], url=stack.urls["ingest"],
        key=stack.keys["ingest"], connections=connections, rate=rate, batch=batch,
    )  # fmt: skip
    directory = Path(tempfile.mkdtemp(prefix="bellwether-order-"))
    (directory / "order.json").write_text(order_text(order))
    command = [sys.executable, "-m", "benchmarks.sender", str(directory / "order.json")]
    return Sending(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True), directory)


@dataclass(frozen=True)
class Cost:
    """What one role used between two moments, all its processes together; `peak_rss_bytes` of its largest process."""

    cpu_seconds: float
    peak_rss_bytes: int


@dataclass
class Watch:
    """CPU and memory of every process of the stack, and a figure of one's own, sampled twice a second."""

    stack: Stack
    figure: Callable[[], float] = lambda: 0.0
    figures: list[tuple[float, float]] = field(default_factory=list)
    _used: dict[tuple[int, int], tuple[str, float, float]] = field(default_factory=dict)
    _peaks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _first: bool = True

    def start(self) -> None:
        self._sample()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, Cost]:
        self._end.set()
        assert self._thread is not None
        self._thread.join()
        self._sample()
        spent: dict[str, float] = defaultdict(float)
        for role, before, now in self._used.values():
            spent[role] += now - before
        return {role: Cost(round(cpu, 2), self._peaks[role]) for role, cpu in sorted(spent.items())}

    def peaks_mb(self) -> dict[str, int]:
        """The largest process of each role in MB, so far."""
        return {role: round(peak / 1e6) for role, peak in self._peaks.items()}

    def _run(self) -> None:
        while not self._end.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for process in descendants(self.stack.process.pid):
            self._note(process)
        self._first = False
        self.figures.append((time.monotonic(), self.figure()))

    def _note(self, process: Process) -> None:
        key, role = (process.pid, process.started), _role(process)
        self._peaks[role] = max(self._peaks[role], process.rss_bytes)
        if key in self._used:
            self._used[key] = (role, self._used[key][1], process.cpu_seconds)
        else:
            self._used[key] = (role, process.cpu_seconds if self._first else 0.0, process.cpu_seconds)


def _role(process: Process) -> str:
    """The engine's child that trains renewal risk lives for seconds and has a limit of its own."""
    return "training" if "--train-risk" in process.command else role_of(process)


def per_event(costs: dict[str, Cost], sender_cpu_seconds: float, events: int) -> dict[str, float]:
    """CPU microseconds an event, by process, the sender's own beside them."""
    used = {role: cost.cpu_seconds for role, cost in costs.items()} | {"sender": sender_cpu_seconds}
    return {role: round(seconds / events * 1e6, 2) for role, seconds in used.items()}


def memory(costs: dict[str, Cost]) -> dict[str, int]:
    """Largest process of each role in MB."""
    return {role: round(cost.peak_rss_bytes / 1e6) for role, cost in costs.items()}


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
