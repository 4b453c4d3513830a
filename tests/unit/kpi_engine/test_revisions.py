"""Stretches of revised days say exactly how much every day's figure moved."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from common.catalogue.models import Catalogue, Measure, Settings
from kpi_engine.domain.measures import Changes
from kpi_engine.domain.moved import Moved
from kpi_engine.domain.plan import plan_of
from kpi_engine.domain.revisions import stretches

ACTIVE = Measure.model_validate({"name": "active_users", "agg": "distinct", "activity": True, "windows": [7]})
EVENTS = Measure.model_validate({"name": "events", "agg": "count", "event_types": ["*"], "grain": "hour"})
PLAN = plan_of(
    Catalogue(settings=Settings(timezone="Asia/Kolkata"), measures={"active_users": ACTIVE, "events": EVENTS})
)
IDS = {"active_users": 1, "active_users_7d": 2, "events": 3}

cells = st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 3), st.integers(0, 12), st.integers(-2, 2))


@given(days=st.lists(cells, max_size=40))
def test_every_day_moves_by_what_its_cells_say(days: list[tuple[int, int, int, int]]) -> None:
    changes = Changes()
    # Every stretch that somebody is counted for ends: all deltas together are nothing.
    days = [*days, (2, 1, 13, -sum(change for measure, _, _, change in days if measure == 2))]
    expected: dict[tuple[int, int], int] = defaultdict(int)
    for measure, account, day, change in days:
        changes.days.add_one(measure, account, day, change)
        # A delta moves its own day and all later ones.
        for later in range(day, 14) if measure == 2 else (day,):
            expected[measure, later] += change
    found: dict[tuple[int, int], int] = defaultdict(int)
    for stretch in stretches(Moved(PLAN, IDS, changes)):
        assert stretch.change
        for day in range(stretch.day, stretch.until):
            found[stretch.measure_id, day] += stretch.change
    assert {key: change for key, change in expected.items() if change} == found
