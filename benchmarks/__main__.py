"""`python -m benchmarks [--quick] [NAME ...]`: runs them one after another, writes JSON and a Markdown table.

Ends with 1 when an answer was wrong. An aim that was not met is said, and ends with 0: machines differ.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import alert_path, end_to_end, freshness, ingest
from benchmarks.results import Result, table

BENCHES: dict[str, Callable[[bool], Result]] = {
    "ingest": ingest.run,
    "end_to_end": end_to_end.run,
    "freshness": freshness.run,
    "alert_path": alert_path.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", choices=[[], *BENCHES], default=[], metavar="NAME", help=" ".join(BENCHES)
    )
    parser.add_argument(
        "--quick", action="store_true", help="smaller inputs: shows that they work, not how fast"
    )
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    results = []
    for name in options.names or BENCHES:
        results.append(BENCHES[name](options.quick))
        print(json.dumps(results[-1].as_json()), flush=True)
        print(results[-1].row(), flush=True)
    _write(options.results, results, quick=options.quick)
    return 1 if any(result.wrong for result in results) else 0


def _write(directory: Path, results: list[Result], *, quick: bool) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    name = "quick" if quick else "latest"
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "results": [result.as_json() for result in results],
    }
    (directory / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")
    (directory / f"{name}.md").write_text(table(results) + "\n")


if __name__ == "__main__":
    sys.exit(main())
