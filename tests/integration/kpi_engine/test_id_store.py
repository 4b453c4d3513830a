"""Duplicates on a real database: sealed, moved down, read back after a restart, and still exact."""

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpi_engine.adapters.id_store import IdStore
from kpi_engine.domain.identity import Entries, entries_of, identities

RECENT_LIMIT = 40


def entries(numbers: list[int]) -> Entries:
    return entries_of(
        identities("t", ["a"] * len(numbers), ["s"] * len(numbers), list(map(str, numbers))), numbers
    )


def add(
    connection: psycopg.Connection[tuple[object, ...]], store: IdStore, batch_no: int, numbers: list[int]
) -> None:
    asked = entries(numbers)
    found = store.find(connection, 0, asked)
    new = asked[~found.known]
    store.committed([store.append(connection, 0, batch_no, new)])
    due = store.seal_due()
    if due is not None:
        store.sealed(due, store.seal(connection, due, batch_no))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 3000), min_size=1, max_size=60, unique=True), max_size=60),
    st.integers(0, 59),
)
def test_every_identity_is_found_again_through_seals_moves_and_a_restart(
    postgres_url: str, batches: list[list[int]], restart_at: int
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("truncate engine.id_log, engine.id_block")
        store, seen = IdStore(RECENT_LIMIT, filter_bits_log2=10), set[int]()
        with connection.transaction():
            store.take(connection, 0)
        for batch_no, numbers in enumerate(batches):
            if batch_no == restart_at:
                store = IdStore(RECENT_LIMIT, filter_bits_log2=10)
                with connection.transaction():
                    store.take(connection, 0)
            found = store.find(connection, 0, entries(numbers))
            assert found.known.tolist() == [n in seen for n in numbers]
            assert [int(fp) for fp, known in zip(found.fp, found.known, strict=True) if known] == [
                n for n in numbers if n in seen
            ]
            with connection.transaction():
                add(connection, store, batch_no, numbers)
            seen |= set(numbers)
            assert store.recent() <= RECENT_LIMIT + 60


def test_full_buckets_move_a_level_down_and_stay_findable(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        store = IdStore(recent_limit=2_000, filter_bits_log2=16)
        with connection.transaction():
            store.take(connection, 0)
        for batch_no in range(100):
            with connection.transaction():
                add(connection, store, batch_no, list(range(batch_no * 2_100, (batch_no + 1) * 2_100)))
        levels = connection.execute(
            "select level, count(*) from engine.id_block group by 1 order by 1"
        ).fetchall()
        assert [level for level, _ in levels] == [0, 1]
        assert store.find(connection, 0, entries(list(range(0, 210_000, 997)))).known.all()
        assert not store.find(connection, 0, entries(list(range(300_000, 300_500)))).known.any()
