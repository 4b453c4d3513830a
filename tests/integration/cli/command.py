"""The command as its user runs it."""

import os
import subprocess
import sys
from pathlib import Path


class Cli:
    """Runs the command as its user does, with a home of its own."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "JAVA_HOME") if name in os.environ}
        self.environment = {**keep, "HOME": str(home), **environment}
        self.home = home

    def start(self, *arguments: str, stdin: int | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "bellwether", *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, stdin=subprocess.PIPE if given is not None else None)
        out, err = process.communicate(given, timeout=150)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)
