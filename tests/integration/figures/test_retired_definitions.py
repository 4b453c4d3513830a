"""Since when a version's measures are counted no more, against plain code over what each version said."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.auth.store import ensure_tenant
from common.catalogue import Catalogue, apply, load
from common.catalogue.derived import Derived
from common.catalogue.models import Measure, Metric, Ratio, SemiAdditive, Simple, Term
from common.catalogue.store import at_version, current_version
from common.figures import Query, query
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
        version = apply(conn, slug, Catalogue(measures={**measures, "mrr": MRR}, metrics=metrics(says)))
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


PACK = load(Path(__file__).parents[3] / "catalogue")
EVENTS, MRR = PACK.metrics["events"], PACK.measures["mrr"]
FIRST, LAST = date(2026, 2, 27), date(2026, 3, 6)
A, B = Simple(type="simple", measure="a"), Simple(type="simple", measure="b")
OVER = Ratio(
    type="ratio", numerator=Term(measure="a", window_days=1), denominator=Term(measure="b", window_days=1)
)
PAYING = SemiAdditive(type="semi_additive", measure="mrr", sum="accounts")
SIDES: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "own_a": (A, ("a",)),
    "own_b": (B, ("b",)),
    "own_over": (OVER, ("a", "b")),
    "own_share": (Derived(type="derived", cel="own_a / own_b"), ("a", "b")),
    "own_paid": (PAYING, ("mrr",)),
    "own_paying": (Derived(type="derived", cel="own_paid / own_a"), ("a", "mrr")),
}
"""Metrics with the measures that they read. What accounts pay is kept as it was said: no version counts it otherwise."""


def metrics(says: Said) -> dict[str, Metric]:
    return {
        name: EVENTS.model_copy(update={"name": name, "formula": formula})
        for name, (formula, read) in SIDES.items()
        if all(measure in (*says, "mrr") for measure in read)
    }


def counted(conn: psycopg.Connection[Any], tenant: int) -> None:
    """One of everything on each day, by every definition; revenue there is none."""
    conn.execute("delete from engine.total_day; delete from engine.measure")
    conn.execute(
        """insert into engine.measure (tenant_id, name, origin)
           select %s, name, origin from unnest(array['a', 'b']) as name, generate_series(0, 6) as origin""",
        (tenant,),
    )
    conn.execute(
        """insert into engine.total_day (tenant_id, measure_id, partition, day, value)
           select tenant_id, id, 0, day, 1 from engine.measure, generate_series(%s::date, %s::date, interval '1 day') as day""",
        (FIRST, LAST),
    )


@given(told=versions)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_figure_of_what_ended_and_of_what_goes_on_is_known_only_before_the_end(
    conn: psycopg.Connection[Any], told: list[tuple[Said, int]]
) -> None:
    kept = [one for n, one in enumerate(told) if n == 0 or one[0] != told[n - 1][0]]
    tenant = written(conn, "retired", told)
    counted(conn, tenant)
    for number, (says, _) in enumerate(kept):
        catalogue = at_version(conn, tenant, number + 1)
        assert catalogue is not None
        ends = expected(kept, number, says)
        for name in catalogue.metrics:
            read = {ends.get(measure) for measure in SIDES[name][1]}
            end = min((at for at in read if at is not None), default=None) if len(read) > 1 else None
            asked = Query((name,), FIRST, LAST, "day")
            for figure in query(conn, tenant, catalogue, asked, START + timedelta(days=9)).figures:
                over = end is None or datetime.fromisoformat(figure.end) <= end
                assert (figure.reason is None) == over, (name, figure)
                if not over:
                    assert figure.value is None
                    assert end is not None
                    assert end.isoformat() in str(figure.reason)
                elif "mrr" not in SIDES[name][1]:
                    assert figure.value == 1
