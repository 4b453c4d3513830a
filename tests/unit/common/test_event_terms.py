"""What events are judged by: one name for it in the environment, whichever service reads it."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from api_gateway.settings import EventSettings
from common.contracts.diagnosis import Limits, Terms
from ingest.settings import Settings

OTHERS = {
    "INGEST_MAX_EVENT_BYTES": "2048",
    "INGEST_MAX_DEPTH": "8",
    "INGEST_MAX_KEYS": "20",
    "INGEST_OLDEST_EVENT": "2015-01-01T00:00:00Z",
    "INGEST_FUTURE_SECONDS": "60",
}


def test_where_nothing_is_set_both_judge_by_the_usual_terms() -> None:
    assert EventSettings().terms == Settings().terms == Terms()


def test_ingest_and_the_gateway_read_the_same_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OTHERS.items():
        monkeypatch.setenv(name, value)
    oldest = datetime(2015, 1, 1, tzinfo=UTC)
    expected = Terms(Limits(2048, 8, 20), oldest, timedelta(minutes=1))
    assert EventSettings().terms == Settings().terms == expected


def test_an_oldest_event_without_a_zone_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_OLDEST_EVENT", "2015-01-01T00:00:00")
    for kind in (EventSettings, Settings):
        with pytest.raises(ValidationError, match="timezone"):
            kind()
