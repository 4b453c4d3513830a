"""Work that a service has done now and then by a process of its own, so that nobody waits for it and its memory is given back."""

import subprocess
import sys
import threading
from collections.abc import Mapping

from common.logs import get_logger

log = get_logger("aside")

# What is due is asked of the database by the child, in a second of its time.
FIRST_SECONDS, EVERY_SECONDS = 600.0, 3_600.0
_LOWEST_PRIORITY = "19"


class Aside:
    """A thread that starts `python -m MODULE OPTION` every hour; replicas take turns by a lock in the database."""

    def __init__(self, module: str, option: str, environment: Mapping[str, str]) -> None:
        self._command = ["nice", "-n", _LOWEST_PRIORITY, sys.executable, "-m", module, option]
        # One thread: it has all the time there is.
        self._environment = {**environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="aside", daemon=True).start()

    def stop(self) -> None:
        """End it, and the process that runs; safe from a signal handler."""
        self._ending.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.terminate()

    def step(self) -> int:
        """All that is due now; returns the exit status of the process. Nothing is begun any more once it is ended."""
        if self._ending.is_set():
            return 0
        self._child = subprocess.Popen(self._command, env=self._environment)  # noqa: S603 - our own interpreter
        if self._ending.is_set():
            self._child.terminate()
        status = self._child.wait()
        if status and not self._ending.is_set():
            log.warning("aside_failed", command=self._command[-1], status=status)
        return status

    def _run(self) -> None:
        wait = FIRST_SECONDS
        while not self._ending.wait(wait):
            self.step()
            wait = EVERY_SECONDS
