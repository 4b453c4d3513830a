"""Since when a version's measures are counted no more, against plain code over what each version said."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.auth.store import ensure_tenant
from common.catalogue import Catalogue, apply
from common.catalogue.models import Measure
from common.catalogue.store import at_version, current_version
from common.figures.retired import replaced

START = datetime(2026, 3, 1, tzinfo=UTC)
COUNTS = {
    "logins": Measure(name="m", agg="count", event_types=("user.logged_in",)),
    "use": Measure(name="m", agg="count", event_types=("feature.used",)),
    "worded": Measure(name="m", agg="count", event_types=("feature.used",), description="How much is used."),
}
Said = Mapping[str, str]
"""From each measure to what it counts."""
packs = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([*COUNTS]))
versions = st.lists(st.tuples(packs, st.integers(0, 50)), min_size=1, max_size=6)


@pytest.fixture
def conn(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def written(conn: psycopg.Connection[Any], slug: str, told: Sequence[tuple[Said, int]]) -> int:
    """Applies each version and says when its past was counted; one that changes nothing is none."""
    tenant = ensure_tenant(conn, slug)
    conn.execute("delete from engine.definition_counted; delete from control.definition")
    for says, hours in told:
        measures = {name: COUNTS[what].model_copy(update={"name": name}) for name, what in says.items()}
        version = apply(conn, slug, Catalogue(measures=measures))
        conn.execute(
            """insert into engine.definition_counted (tenant_id, version, counted_at) values (%s, %s, %s)
               on conflict do nothing""",
            (tenant, version, START + hours * timedelta(hours=1)),
        )
    return tenant


@given(told=versions)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_measure_ends_where_a_later_version_counts_otherwise(
    conn: psycopg.Connection[Any], told: list[tuple[Said, int]]
) -> None:
    kept = [one for n, one in enumerate(told) if n == 0 or one[0] != told[n - 1][0]]
    tenant = written(conn, "retired", told)
    served = current_version(conn, tenant)
    assert served == len(kept)
    for number, (says, _) in enumerate(kept):
        catalogue = at_version(conn, tenant, number + 1)
        assert catalogue is not None
        assert replaced(conn, tenant, catalogue, served) == expected(kept, number, says)


def expected(kept: Sequence[tuple[Said, int]], number: int, says: Said) -> dict[str, datetime]:
    found = {}
    for name, what in says.items():
        for later in range(number + 1, len(kept)):
            if meaning(kept[later][0].get(name)) != meaning(what):
                hours = max(ready for _, ready in kept[: later + 1])
                found[name] = START + hours * timedelta(hours=1)
                break
    return found


def meaning(what: str | None) -> str | None:
    return "use" if what == "worded" else what
