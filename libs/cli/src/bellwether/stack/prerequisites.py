"""Installs Java and Maven through the system's package manager where that is allowed; else says in one sentence what to install."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from common.local.kafka import jars_are_here, java_program
from common.local.process import SetupError

_JAVA_PACKAGE = "default-jre-headless"
_MAVEN_PACKAGE = "maven"


def ensure(say: Callable[[str], None]) -> None:
    """Returns when the broker can be started from here. SetupError with the sentence when a person must install something."""
    missing = missing_packages()
    if not missing:
        return
    as_root = _way_to_root()
    if as_root is not None and shutil.which("apt-get"):
        say(f"Installing {' and '.join(missing)} with apt-get")
        _apt_install(as_root, missing)
    java_program()
    if not jars_are_here() and shutil.which("mvn") is None:
        raise SetupError(
            "Kafka's jars come by Maven, once: install it (on Debian: apt-get install maven), "
            "or set KAFKA_BOOTSTRAP_SERVERS to a broker."
        )


def missing_packages() -> list[str]:
    """Debian's names of what is not there. Maven is needed only until the jars are."""
    missing = []
    try:
        java_program()
    except SetupError:
        missing.append(_JAVA_PACKAGE)
    if not jars_are_here() and shutil.which("mvn") is None:
        missing.append(_MAVEN_PACKAGE)
    return missing


def _way_to_root() -> tuple[str, ...] | None:
    """What to put before a command that needs root; None where we may not, or would have to ask for a password."""
    if os.geteuid() == 0:
        return ()
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0
    ):
        return ("sudo", "-n", "--preserve-env=DEBIAN_FRONTEND")
    return None


def _apt_install(as_root: tuple[str, ...], packages: list[str]) -> None:
    """Tries with the lists that are there and, when those are missing or too old, with new ones. What failed is found out by the caller."""
    install = [*as_root, "apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if _run(install) != 0:
        _run([*as_root, "apt-get", "update", "-q"])
        _run(install)


def _run(command: list[str]) -> int:
    # On stderr, because stdout may be promised to one line of JSON.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, check=False, stdout=sys.stderr, stdin=subprocess.DEVNULL, env=environment)
    return done.returncode


def main() -> None:
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return
    try:
        ensure(lambda sentence: print(sentence, file=sys.stderr))
    except SetupError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
