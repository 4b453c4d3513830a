"""The real stack as a child process: `bellwether up`, that ends with us however we end."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bellwether.target import Target, from_stack_line
from common.local import child

# `up` promises to end within 15 s.
_STOP_SECONDS: Final = 20.0


class StackFailedError(Exception):
    """The stack did not start or has ended; what it said before is on the screen."""


class ChildStack:
    """Started on entering. `say` gets each line the stack says to people."""

    def __init__(self, data_directory: Path, port_base: int | None, say: Callable[[str], None]) -> None:
        self._arguments = ["up", "--json", "--data-dir", str(data_directory)]
        if port_base is not None:
            self._arguments += ["--port-base", str(port_base)]
        self._say = say
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        launcher = [sys.executable, "-I", "-S", child.__file__]
        launcher += ["--parent", str(os.getpid()), "--signal", str(int(signal.SIGTERM)), "--"]
        self._process = subprocess.Popen(
            [*launcher, sys.executable, "-m", "bellwether", *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C reaches only us, and we end it in order.
            start_new_session=True,
        )
        threading.Thread(target=self._pass_on, name="stack-output", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_until_ready(self) -> Target:
        """Raises StackFailedError."""
        assert self._running().stdout is not None
        line = self._running().stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise StackFailedError("The stack did not start; the lines above say why.")
        return from_stack_line(line)

    def check(self) -> None:
        """Raises StackFailedError when it is gone."""
        if self._running().poll() is not None:
            raise StackFailedError("The stack has ended; the lines above say why.")

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the stack is entered first"
        return self._process

    def _pass_on(self) -> None:
        stderr = self._running().stderr
        assert stderr is not None
        for line in stderr:
            self._say(line.rstrip("\n"))
