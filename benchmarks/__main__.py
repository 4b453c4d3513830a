"""`python -m benchmarks [--quick] [NAME ...]`: runs them one after another, writes JSON and a Markdown table.

Ends with 1 when an answer was wrong. An aim that was not met is said, and ends with 0: machines differ.
"""

import argparse
import json
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    alert_path,
    end_to_end,
    freshness,
    gateway,
    growth,
    ingest,
    late_events,
    scale_out,
    storm,
)
from benchmarks.bases import bench as bases
from benchmarks.bases import real, risk
from benchmarks.options import Options
from benchmarks.peers import bench as peers
from benchmarks.renewals import bench as renewals
from benchmarks.results import Result, machine_line, table

BENCHES: dict[str, Callable[[Options], Result]] = {
    "ingest": ingest.run,
    "end_to_end": end_to_end.run,
    "end_to_end_simple": end_to_end.run_simple,
    "freshness": freshness.run,
    "alert_path": alert_path.run,
    "storm": storm.run,
    "gateway": gateway.run,
    "growth": growth.run,
    "late_events": late_events.run,
    "scale_out": scale_out.run,
    "peers": peers.run,
    "bases": bases.run,
    "bases_risk": risk.run,
    "renewals": renewals.run,
    "silence": real.run,
}


def main() -> int:
    options, names, directory = _asked()
    # Whoever ends us must not leave a stack behind: an exception passes every `with`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = []
    for name in names or BENCHES:
        began = time.monotonic()
        results.append(BENCHES[name](options))
        results[-1].figures["minutes it took"] = round((time.monotonic() - began) / 60, 1)
        print(json.dumps(results[-1].as_json()), flush=True)
        print(results[-1].row(), flush=True)
        _write(directory, results, quick=options.quick)
    return 1 if any(result.wrong for result in results) else 0


def _asked() -> tuple[Options, list[str], Path]:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", choices=[[], *BENCHES], default=[], metavar="NAME", help=" ".join(BENCHES)
    )
    parser.add_argument(
        "--quick", action="store_true", help="smaller inputs: shows that they work, not how fast"
    )
    parser.add_argument("--events", type=int, default=0, help="events of the input, where a bench has one")
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds, where a bench has some")
    parser.add_argument(
        "--engines", type=int, default=0, help="engines of a stack, in end_to_end and freshness; 0: two"
    )
    parser.add_argument(
        "--copies", type=int, default=0, help="growth: in the end the raw events are so many times as many"
    )
    parser.add_argument("--seeds", type=int, default=0, help="simulated bases, where a bench has some")
    parser.add_argument("--accounts", type=int, default=0, help="accounts of a simulated base")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    options = Options(
        given.quick, given.events, given.rounds, given.seeds, given.accounts, given.engines, given.copies
    )
    return options, list(given.names), given.results


def _write(directory: Path, results: list[Result], *, quick: bool) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    name = "quick" if quick else "latest"
    machine = {
        "cores": os.cpu_count(),
        "processor": _first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)"),
        "memory MB": int(_first(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)")) // 1024,
        "load before": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "results": [result.as_json() for result in results],
    }
    (directory / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")
    (directory / f"{name}.md").write_text(f"{machine_line(str(said['at']), machine)}\n\n{table(results)}\n")


def _first(path: Path, pattern: str) -> str:
    """What the first group finds; `0` where the system does not say."""
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return found[1] if found else "0"


if __name__ == "__main__":
    sys.exit(main())
