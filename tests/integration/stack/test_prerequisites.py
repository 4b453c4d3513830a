"""What must be on a machine before the broker can be started."""

import os
import re
import subprocess
import sys
from pathlib import Path

POM = Path(__file__).resolve().parents[3] / "deploy" / "kafka" / "pom.xml"
CODE = "from bellwether.stack.prerequisites import missing_packages; print(*missing_packages())"


def missing(path: str, cache: Path) -> list[str]:
    environment = {**os.environ, "PATH": path, "JAVA_HOME": "", "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_an_empty_machine_lacks_java_and_maven(tmp_path: Path) -> None:
    assert missing(str(tmp_path), tmp_path) == ["default-jre-headless", "maven"]


def test_maven_is_not_missed_once_the_jars_are_there(tmp_path: Path) -> None:
    version = re.search(r"<kafka\.version>([^<]+)<", POM.read_text())
    assert version is not None
    (tmp_path / "bellwether" / f"kafka-{version[1]}").mkdir(parents=True)
    assert missing(str(tmp_path), tmp_path) == ["default-jre-headless"]


def test_a_java_that_is_too_old_counts_as_missing(tmp_path: Path) -> None:
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text('JAVA_VERSION="1.8.0_392"\n')
    java = home / "bin" / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    assert "default-jre-headless" in missing(str(home / "bin"), tmp_path)
