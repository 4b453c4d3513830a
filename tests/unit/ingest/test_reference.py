"""The reference page names every code, setting and address."""

from pathlib import Path

from common.contracts.refusals import Code
from ingest.http.segment import PATHS
from ingest.settings import Settings, SharedSettings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "ingest.md").read_text()


def test_every_code_is_explained() -> None:
    assert [code for code in Code if f"`{code}`" not in PAGE] == []


def test_every_setting_is_named() -> None:
    own = [name.upper() for name in Settings.model_fields]
    shared = [name.upper() for name in SharedSettings.model_fields]
    assert [name for name in own + shared if f"`{name}`" not in PAGE] == []


def test_every_call_is_named() -> None:
    assert [call for call in PATHS.values() if call and call not in PAGE] == []
