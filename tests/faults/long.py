"""The long fault run: `python -m tests.faults.long --trials 50 --seconds 600 --results FILE`.

One JSON line a trial is appended to the results file; trials already there are not run again, so it can run in pieces:
no trial begins once `--seconds` are over.
Ends with 1 when any trial in the file failed.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.conftest import free_base
from tests.acceptance.stack import Stack
from tests.faults.trial import run_trial

KILLS = (
    ("engine",), ("ingest",), ("broker",), ("database",), ("engine", "engine"), ("engine", "ingest"), ("ingest", "engine"),
    ("broker", "engine"), ("broker", "ingest"), ("engine", "broker", "ingest"), ("database", "engine"), ("alerts", "gateway", "engine"),
)  # fmt: skip


def main() -> int:
    options = _options()
    done, began = _read(options.results), time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="bellwether-faults-long-"))
    stack = Stack.start(directory / "data", free_base(26_000))
    try:
        for number in range(len(done), options.trials):
            if time.monotonic() - began > options.seconds:
                break
            seed = options.seed + number
            verdict = run_trial(stack, f"long-{seed}", KILLS[number % len(KILLS)], seed)
            done.append(verdict.as_json())
            with options.results.open("a") as file:
                file.write(json.dumps(verdict.as_json()) + "\n")
            sys.stdout.write(f"{number + 1}/{options.trials} {verdict}\n")
    finally:
        stack.stop()
        shutil.rmtree(directory)
    failed = [trial for trial in done if trial["failures"]]
    bound = f"; the failure rate is below {3 / len(done):.1%} at 95 %" if done and not failed else ""
    sys.stdout.write(f"{len(done)} trials, {len(failed)} failed{bound}\n")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for this piece")
    parser.add_argument("--results", type=Path, default=Path(".local/faults.ndjson"))
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    return options


def _read(results: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


if __name__ == "__main__":
    sys.exit(main())
