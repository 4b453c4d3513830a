"""A setting that can't work is named as the environment names it, whatever the engine was started for."""

import pytest

from kpi_engine.__main__ import main

ENVIRONMENT = {
    "DATABASE_URL": "postgresql://nobody:geheim@127.0.0.1:1/none",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
}


@pytest.mark.parametrize("command", ["--check-config", "--train-risk"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ENGINE_PIECE_EVENTS", "-3", "greater than or equal to 1"),
        ("DATABASE_URL", "geheim", "must be the address of a PostgreSQL"),
        ("DATABASE_URL", "mysql://nobody:geheim@a/b", "must be the address of a PostgreSQL"),
        ("DATABASE_URL", "", "must be the address of a PostgreSQL"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_with_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    name: str,
    value: str,
    said: str,
) -> None:
    for known, usual in (ENVIRONMENT | {name: value}).items():
        monkeypatch.setenv(known, usual)
    with pytest.raises(SystemExit) as ended:
        main([command])
    told = capsys.readouterr().err
    assert (ended.value.code, f"kpi-engine: setting {name}: " in told, said in told) == (2, True, True)
    assert "geheim" not in told
