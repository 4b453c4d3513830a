"""Child processes that are started the same way, end with their parent, and leave no relatives behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import Rejected

_CHILD = Path(__file__).with_name("child.py")
_KILL_WAIT_SECONDS = 30.0


class SetupError(Rejected):
    """Something must be installed or freed by a person; the message is one sentence that says what."""

    def __init__(self, message: str) -> None:
        super().__init__("setup-incomplete", message)


@dataclass(frozen=True)
class ProcessSpec:
    """How to start one process and how to end it.

    `environment` is added to ours. `stop_signal` asks for an orderly end. `orphan_signal` is what it gets when its
    parent is gone: nobody waits then, so it must end it without fail. `account` applies only when we are root.
    """

    name: str
    argv: tuple[str, ...]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    account: str | None = None


Running = subprocess.Popen[bytes]


def start(spec: ProcessSpec) -> Running:
    """Starts it in a process group of its own (so that Ctrl-C reaches only us), output appended to its log."""
    launcher = [sys.executable, "-I", "-S", str(_CHILD), "--parent", str(os.getpid())]
    launcher += ["--signal", str(int(spec.orphan_signal))]
    if spec.account is not None and os.geteuid() == 0:
        launcher += ["--account", spec.account]
    spec.log_path.parent.mkdir(parents=True, exist_ok=True)
    with spec.log_path.open("ab") as log:
        return subprocess.Popen(
            [*launcher, "--", *spec.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **spec.environment},
            cwd=spec.directory,
            start_new_session=True,
        )


def ask_to_stop(process: Running, spec: ProcessSpec) -> None:
    if process.poll() is None:
        process.send_signal(spec.stop_signal)


def end(process: Running, timeout_seconds: float) -> bool:
    """Waits for an orderly end, then kills it; its whole group is gone afterwards. True when the end was orderly."""
    orderly = True
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        orderly = False
    kill_group(process)
    process.wait(_KILL_WAIT_SECONDS)
    return orderly


def kill_group(process: Running) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # Nobody is left in the group (macOS reports a group of zombies as not permitted).
        return


def stop(process: Running, spec: ProcessSpec, timeout_seconds: float = 15.0) -> bool:
    ask_to_stop(process, spec)
    return end(process, timeout_seconds)


def log_tail(path: Path, lines: int = 8, characters: int = 600) -> str:
    """The last lines of a log, short enough for a screen: a line is cut in its middle, because its end names the error."""
    if not path.exists():
        return "(no log was written)"
    half = characters // 2
    return "\n".join(
        line if len(line) <= characters else f"{line[:half]} ... {line[-half:]}"
        for line in path.read_text(errors="replace").splitlines()[-lines:]
    )
