"""A company that sums a field which not every event can give loses no event by it: not now, and not when history is made anew."""

from tests.integration.kpi_engine.figure_tables import figure_tables
from tests.integration.kpi_engine.test_corrections import figure, settle, tenant_id, world
from tests.integration.kpi_engine.test_engine import NOW, World, event

from common.catalogue import apply, load
from common.catalogue.loading import base_pack
from common.catalogue.models import Catalogue, Measure
from common.catalogue.store import current_version
from common.control.log import NewEntry, append
from kpi_engine.consumer.loop import Engine

__all__ = ["world"]

VALUE = Measure.model_validate(
    {"name": "value", "agg": "sum", "event_types": ["feature.used"], "field": "data.value", "scale": 1}
)


def overlaid() -> Catalogue:
    base = load(base_pack())
    return base.model_copy(update={"measures": {**base.measures, "value": VALUE}})


def rebuild(world: World, engine: Engine) -> None:
    entry = append(world.connection, tenant_id(world), NewEntry("rebuild", "", "k"), world.clock.now())
    assert settle(world, engine, entry).state == "applied"


def test_an_event_that_a_measure_can_not_read_counts_in_all_others(world: World) -> None:
    engine = world.engine()
    apply(world.connection, "default", overlaid())
    rebuild(world, engine)
    assert current_version(world.connection, tenant_id(world)) == 2
    values = ["n/a", 1.25, 2.5, None]
    world.send(
        *(
            event(n, type="feature.used", data={"user": f"u{n}", "feature": "f", "value": value})
            for n, value in enumerate(values)
        )
    )
    world.drain(engine)
    day = NOW.date()
    assert figure(world, "events", day) == figure(world, "active_users", day) == 4
    assert figure(world, "value", day) == 25
    assert world.one("select count(*) from engine.rejected") == 0
    told = world.connection.execute(
        "select f ->> 'id', f ->> 'fate', f ->> 'message' from engine.fate, jsonb_array_elements(fates) f where f ? 'code' order by 1"
    ).fetchall()
    assert told == [
        ("e0", "accepted", 'it counts, but not in value: data.value: "n/a" is not a decimal number'),
        ("e1", "accepted", "it counts, but not in value: data.value: 1.25 has more than 1 decimal places"),
    ]
    before = figure_tables(world.connection)
    rebuild(world, engine)
    assert figure_tables(world.connection) == before


def test_what_was_counted_does_not_depend_on_when_the_measure_came(world: World) -> None:
    sent = [
        event(n, type="feature.used", data={"user": f"u{n}", "feature": "f", "value": "n/a"})
        for n in range(2)
    ]
    world.send(sent[0])
    engine = world.engine()
    world.drain(engine)
    apply(world.connection, "default", overlaid())
    world.send(sent[1])
    world.drain(engine)
    assert figure(world, "events", NOW.date()) == figure(world, "active_users", NOW.date()) == 2
