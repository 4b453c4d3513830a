"""What the Dockerfile installs, installed the same way without an engine for containers."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {"DATABASE_URL": "postgresql://nobody@127.0.0.1/none", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


def steps_of(stage: str) -> list[str]:
    """The commands of the RUN lines of a stage's part of the Dockerfile."""
    joined = stage.replace("\\\n", " ")
    return [line.removeprefix("RUN ") for line in joined.splitlines() if line.startswith("RUN ")]


@pytest.fixture(scope="module")
def application(work_directory: Path) -> Iterator[Path]:
    """The image's /app, made by the commands of its Dockerfile; the stage that built it is gone, as it is in the image."""
    build_stage = (ROOT / "deploy" / "Dockerfile").read_text().split("\nFROM ")[1]
    image = work_directory / "image"
    build, application = image / "build", image / "app"
    build.mkdir(parents=True)
    for line in re.findall(r"^COPY (.+)$", build_stage, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            destination = build / target / Path(source).name if target == "./" else build / target
            copy(ROOT / source, destination)
    uv = subprocess.run([ROOT / ".ci" / "get-uv"], check=True, capture_output=True, text=True).stdout.strip()
    for step in steps_of(build_stage)[1:]:  # the first brings uv
        here = step.replace("/app/", f"{application}/").replace("/wheels", f"{image}/wheels")
        here = re.sub(r"\buv (?=pip|venv|build)", f"{uv} ", here).replace("--no-cache ", "")
        subprocess.run(["sh", "-eu", "-c", here], cwd=build, check=True)
    shutil.rmtree(build)
    shutil.rmtree(image / "wheels")
    copy(ROOT / "catalogue", application / "catalogue")
    yield application
    shutil.rmtree(image)


def copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, destination)


@pytest.mark.parametrize("program", ["ingest", "kpi-engine", "alerts", "api-gateway"])
def test_a_service_of_the_image_finds_all_it_is_made_of(application: Path, program: str) -> None:
    command = [str(application / ".venv" / "bin" / program), "--check-config"]
    done = subprocess.run(
        command, cwd=application, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_image_has_the_catalogue_and_the_migrations(application: Path) -> None:
    code = (
        "from common.catalogue.loading import base_pack; from common.db.migrate import read_history; "
        "print(base_pack()); print(len(read_history()))"
    )
    command = [str(application / ".venv" / "bin" / "python"), "-c", code]
    done = subprocess.run(command, cwd=application, capture_output=True, text=True, check=True)
    directory, migrations = done.stdout.split()
    assert directory == str(application / "catalogue")
    assert int(migrations) == len(list((ROOT / "libs/common/src/common/db/migrations").glob("*.sql")))


def test_what_only_tests_need_is_not_in_the_image(application: Path) -> None:
    installed = {path.name for path in (application / ".venv" / "lib").glob("*/site-packages/*")}
    assert "fastapi" in installed
    assert installed.isdisjoint({"pytest", "hypothesis", "mypy", "duckdb"})
