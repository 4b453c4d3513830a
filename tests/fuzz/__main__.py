"""Fuzzing guided by coverage: `python -m tests.fuzz --seconds 60`. An input that breaks a target is written beside the corpus, and the run ends with 1.

What a run learnt is kept in .local/fuzz and is where the next one begins.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import atheris
from tests.fuzz.seeds import FINDINGS, SEEDS

ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 4096
INPUT_SECONDS = 10  # one input that takes longer is a finding too


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--target", help="only this one, in this process")
    options = parser.parse_args()
    if options.target is not None:
        return fuzz(options.target, options.seconds)
    each = max(1, options.seconds // len(FINDINGS))
    failed = []
    for target in FINDINGS:
        command = [sys.executable, "-m", "tests.fuzz", "--target", target, "--seconds", str(each)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            failed.append(target)
    sys.stdout.write(
        f"{len(FINDINGS)} targets, {each} s each; "
        + (f"broken: {', '.join(failed)}\n" if failed else "nothing found\n")
    )
    return 1 if failed else 0


def fuzz(target: str, seconds: int) -> int:
    """Does not come back: the fuzzer ends the process."""
    with atheris.instrument_imports(include=["common", "ingest", "kpi_engine"]):
        from tests.fuzz.targets import TARGETS
    corpus = ROOT / ".local" / "fuzz" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate((*SEEDS, *FINDINGS[target])):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    flags = (
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS}",
        f"-max_len={MAX_BYTES}",
        f"-artifact_prefix={corpus.parent}/{target}-",
    )
    atheris.Setup([sys.argv[0], *flags, "-verbosity=1", "-print_final_stats=1", str(corpus)], TARGETS[target])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
