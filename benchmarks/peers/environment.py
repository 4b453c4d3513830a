"""What the peers need, made when it is missing: an environment of Python of their own, and the program in Java.

Neither touches the product's environment. Both lie in caches, by the checksum of what they are made of.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.acceptance.stack import ROOT

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
JAVA = HERE / "kafka_streams"


def python() -> Path:
    """The interpreter of the peers' environment, installed from their lock with its hashes."""
    place = _cache() / f"peers-{_sum([LOCK], sys.version)}"
    if not place.exists():
        print("Installing the peers into an environment of their own", file=sys.stderr)
        uv = subprocess.run(
            [ROOT / ".ci" / "get-uv"], check=True, capture_output=True, text=True
        ).stdout.strip()
        unfinished = place.with_suffix(f".unfinished-{os.getpid()}")
        # Outside of the checkout: inside, uv would hold the peers to the versions of the product.
        with tempfile.TemporaryDirectory() as elsewhere:
            for arguments in (
                ["venv", "--relocatable", "--python", sys.executable, str(unfinished)],
                ["pip", "install", "--python", f"{unfinished}/bin/python", "--require-hashes", "--requirements", str(LOCK)],
            ):  # fmt: skip
                subprocess.run([uv, *arguments, "--quiet"], check=True, cwd=elsewhere)
        _finish(unfinished, place)
    return place / "bin" / "python"


def java_classpath() -> str:
    """Kafka Streams with the program, resolved and compiled by Maven."""
    sources = sorted(JAVA.rglob("*.java"))
    place = _cache() / f"peer-kafka-streams-{_sum([JAVA / 'pom.xml', *sources], '')}"
    if not place.exists():
        print("Building the program for Kafka Streams with Maven", file=sys.stderr)
        unfinished = place.with_suffix(f".unfinished-{os.getpid()}")
        command = [
            "mvn",
            "-q",
            "-B",
            "-f",
            str(JAVA / "pom.xml"),
            f"-Dbuilt={unfinished}",
            "compile",
            "dependency:copy-dependencies",
        ]
        subprocess.run([*command, f"-DoutputDirectory={unfinished}/jars"], check=True)
        _finish(unfinished, place)
    return f"{place}/classes:{place}/jars/*"


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bellwether"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _sum(files: list[Path], more: str) -> str:
    digest = hashlib.sha256(more.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _finish(unfinished: Path, place: Path) -> None:
    """Another run may have been faster."""
    try:
        unfinished.rename(place)
    except OSError:
        shutil.rmtree(unfinished)
