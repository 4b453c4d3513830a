"""Whoever mistypes an option of a service starts nothing, and `--help` tells what there is: the same in all four."""

from collections.abc import Callable, Sequence

import pytest

from alerts.__main__ import main as alerts
from api_gateway.__main__ import main as gateway
from ingest.__main__ import main as ingest
from kpi_engine.__main__ import main as engine

Main = Callable[[Sequence[str]], None]
SERVICES: dict[str, Main] = {
    "alerts": alerts,
    "api-gateway": gateway,
    "ingest": ingest,
    "kpi-engine": engine,
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database's address a service that went on would end by naming it."""
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--check-config", "--help"]])
def test_help_is_printed_and_nothing_started(
    name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        SERVICES[name](arguments)
    told = capsys.readouterr()
    assert (ended.value.code, told.out.startswith(f"usage: {name}"), told.err) == (0, True, "")
    assert "--check-config" in told.out
    assert ("--train-risk" in told.out) == (name == "kpi-engine")


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["serve"], ["--check"], ["--check-config", "--x=1"]])
def test_an_unknown_argument_starts_nothing(
    name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        SERVICES[name](arguments)
    told = capsys.readouterr().err
    assert (ended.value.code, f"{name}: error: unrecognized arguments" in told) == (2, True)


@pytest.mark.parametrize("name", SERVICES)
def test_settings_are_still_checked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        SERVICES[name](["--check-config"])
    assert (ended.value.code, f"{name}: setting DATABASE_URL" in capsys.readouterr().err) == (2, True)
