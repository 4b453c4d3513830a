"""Logs, where they can't be written."""

import subprocess
import sys
from pathlib import Path

TELLS = """
from common import logs
logs.configure("INFO")
log = logs.get_logger("test")
for number in range(1_000):
    log.info("told", number=number)
try:
    raise ValueError
except ValueError:
    log.exception("loop_failed")
print("went on")
"""


def test_a_full_disk_ends_nobody_who_tells_of_it() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", TELLS], stdout=subprocess.PIPE, stderr=full, text=True, check=False
        )
    assert done.stdout == "went on\n"


def test_what_can_be_written_is_told_line_by_line() -> None:
    done = subprocess.run([sys.executable, "-c", TELLS], capture_output=True, text=True, check=True)
    assert len(done.stderr.splitlines()) == 1_001
