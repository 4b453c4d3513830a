"""CPU time of groups of processes as a curve, so that it can be read off between any two moments afterwards."""

import threading
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.acceptance.processes import descendants, read

SAMPLE_SECONDS = 0.2
LOOK_EVERY = 5  # samples, until new processes are looked for


@dataclass
class Meter:
    """`roots`: the process at the top of each group. Moments are of `time.time()`, which the database's clock is too."""

    roots: Mapping[str, int]
    peaks: dict[str, int] = field(default_factory=dict)
    _used: dict[str, dict[tuple[int, int], tuple[float, float]]] = field(default_factory=dict)
    _curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)
    _samples: int = 0

    def __enter__(self) -> Self:
        self._used = {role: {} for role in self.roots}
        self._curves = {role: [] for role in self.roots}
        self._sample()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        self._sample()

    def used(self, role: str, begin: float, end: float) -> float:
        """CPU seconds of a group between two moments."""
        return self._at(role, end) - self._at(role, begin)

    def _at(self, role: str, moment: float) -> float:
        curve = self._curves[role]
        after = bisect_right(curve, (moment, float("inf")))
        if after == 0:
            return curve[0][1]
        if after == len(curve):
            return curve[-1][1]
        (t0, used0), (t1, used1) = curve[after - 1], curve[after]
        return used0 + (used1 - used0) * (moment - t0) / (t1 - t0)

    def _run(self) -> None:
        while not self._end.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        looking = self._samples % LOOK_EVERY == 0
        for role, root in self.roots.items():
            known = self._used[role]
            pids = [root, *(p.pid for p in descendants(root))] if looking else [pid for pid, _ in known]
            for pid in pids:
                process = read(pid)
                if process is None:
                    continue
                key = (pid, process.started)
                # A process that came after the first sample has used all of its time since.
                first = known[key][0] if key in known else (process.cpu_seconds if not self._samples else 0.0)
                known[key] = (first, process.cpu_seconds)
                self.peaks[role] = max(self.peaks.get(role, 0), process.rss_bytes)
            self._curves[role].append((time.time(), sum(now - before for before, now in known.values())))
        self._samples += 1
