"""The end of a service."""

import subprocess
import sys

import pytest

_SERVICE = """
import threading
from concurrent.futures import ThreadPoolExecutor
from common.program import leave
print("done")
if {waits}:
    ThreadPoolExecutor(1).submit(threading.Event().wait)
leave(3)
"""


@pytest.mark.parametrize("waits", [False, True])
def test_a_service_ends_with_its_status_whoever_still_waits(waits: bool) -> None:
    command = [sys.executable, "-c", _SERVICE.format(waits=waits)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "done\n", "")
