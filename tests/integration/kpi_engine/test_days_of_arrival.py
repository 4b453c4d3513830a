"""Raw events lie by their day of arrival; whichever engine comes first makes room for a day."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg

from kpi_engine.adapters.event_store import EventStore

DAYS = 60
ENGINES = 3


def test_engines_that_meet_a_day_at_once_all_go_on(postgres_url: str) -> None:
    first = datetime(2025, 1, 1, tzinfo=UTC)
    stamps = [int((first + timedelta(days=n)).timestamp()) * 1_000_000 for n in range(DAYS)]
    begin = threading.Barrier(ENGINES)
    failed: list[BaseException] = []

    def engine() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            store = EventStore()
            store.prepare(connection, [])
            for stamp in stamps:
                begin.wait(60)
                try:
                    store.prepare(connection, [stamp])
                except psycopg.Error as error:
                    failed.append(error)

    engines = [threading.Thread(target=engine) for _ in range(ENGINES)]
    for one in engines:
        one.start()
    for one in engines:
        one.join(120)
    assert failed == []
