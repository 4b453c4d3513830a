"""What tests of revisions share: metrics that settle after two days, batches as the engine writes them, and what revisions say."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_histories import ZONE
from tests.integration.kpi_engine.figures_stage import INGESTED_AT, Ev, Stage
from tests.reference.calendar import Calendar

from common.catalogue.models import Metric
from common.contracts.instants import microseconds
from kpi_engine.adapters.revision_store import RevisionStore
from kpi_engine.domain.moved import Moved, Pile
from kpi_engine.domain.revisions import Cause

CALENDAR = Calendar(ZoneInfo(ZONE))
TODAY = CALENDAR.day_of(INGESTED_AT)
SETTLED = CALENDAR.day_of(INGESTED_AT - timedelta(days=2))
"""The first day that is not complete, by metrics that take two days to settle."""
Key = tuple[str, str, date]
Days = dict[Key, Decimal]


def thorough(examples: int) -> settings:
    """Of properties of revisions: a stage is emptied by the test itself, and what fails is not made smaller."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        phases=[Phase.explicit, Phase.generate],
    )


def some_of(data: st.DataObject, events: Sequence[Ev]) -> tuple[list[Ev], list[Ev]]:
    """Events that go, and those that stay."""
    chosen = st.lists(st.sampled_from(events), min_size=1, max_size=4, unique_by=lambda event: event.id)
    gone = data.draw(chosen)
    return gone, [event for event in events if event not in gone]


def metric(formula: dict[str, Any]) -> Metric:
    described = {
        "name": f"of_{formula.get('measure') or formula['survey_kind']}", "label": "x", "description": "x", "unit": "count", "direction": "higher",
        "kind": "simple", "rollup": "sum", "owner": "x", "evidence": "direct", "decision": "x", "category": "quantity",
        "stage": "retain", "settles_after": "2 days", "version": 1, "effective_from": "2020-01-01", "formula": formula,
        "raci": {"responsible": "x", "accountable": "x"}, "cadence": "weekly",
    }  # fmt: skip
    return Metric.model_validate(described)


def arrives(stage: Stage, events: Sequence[Ev]) -> Moved:
    """As the engine writes what it reads from the topic."""
    batch, pile = stage.batch(events), Pile()
    stage.events.prepare(stage.conn, batch.ingested_at_us.tolist())
    with stage.conn.transaction():
        stage.events.write(stage.conn, batch)
        stage.writer.add(stage.conn, batch, None, pile)
        stage.writer.put(stage.conn, stage.tenant_id, pile)
    stage.writer.committed()
    assert pile.in_force is not None
    return pile.in_force.moved


def told(
    stage: Stage, cause: Cause, moved: Sequence[Moved], were: Days, measure: str | None = None
) -> dict[Key, tuple[Decimal, bool]]:
    """What revisions of facts, or of a measure, say: by day how much more it is, and whether the day was complete. `were`: the figures before."""
    stage.conn.execute("delete from engine.revision")
    RevisionStore().note(stage.conn, stage.tenant_id, 0, cause, moved, microseconds(INGESTED_AT))
    found: dict[Key, tuple[Decimal, bool]] = {}
    for name, part, day, until, before, after, complete in stage.rows(
        """select measure, coalesce(part, ''), day, until, before, after, complete from published.revision
           where case when %s::text is null then part is not null else measure = %s end""",
        measure,
        measure,
    ):
        assert before == were[name, part, day]
        for each in CALENDAR.days(day, until):
            assert (name, part, each) not in found
            found[name, part, each] = (after - before, complete and each < SETTLED)
    return found


def changes(before: Days, after: Days) -> Days:
    return {key: after[key] - before[key] for key in {*before, *after} if after[key] != before[key]}
