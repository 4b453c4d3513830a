"""What accounts of one segment or country did together, day by day: as adding up the accounts gives, in memory for any number of groups."""

import tracemalloc
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.alerts.test_past import DAYS, ENDS, START, One, ones, past_of

from alerts.domain.past import Past
from alerts.domain.said_days import TraitDays
from alerts.domain.signal_days import Company, rows_of
from common.catalogue.models import Measure

SPAN = 21
SAID = ("x", "y", None)


@dataclass(frozen=True)
class Account:
    events: list[One]
    segments: list[tuple[int, str | None]]

    @property
    def traits(self) -> TraitDays:
        said = [
            (START + timedelta(days=day), "segment", value)
            for day, value in sorted(self.segments, key=lambda its: its[0])
        ]
        return TraitDays.of(said, ENDS)

    def segment(self, day: int) -> str | None:
        found: str | None = self.traits.on(day).get("segment")
        return found


accounts = st.builds(
    Account, ones, st.lists(st.tuples(st.integers(0, DAYS - 1), st.sampled_from(SAID)), max_size=3)
)


def marked(*those: Account) -> Past:
    past = past_of(*(one.events for one in those))
    return replace(past, events=replace(past.events, marks={"used": past.events.is_use}))


@pytest.mark.parametrize("is_distinct", [False, True])
@given(st.lists(st.lists(accounts, min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_days_of_a_segment_are_those_of_its_accounts_as_long_as_they_were_in_it(
    is_distinct: bool, parts: list[list[Account]]
) -> None:
    measure = Measure(name="used", agg="distinct" if is_distinct else "count", activity=True)
    company, wanted = Company(DAYS, SPAN), {value: np.zeros((DAYS, SPAN)) for value in ("", "x", "y")}
    for part in parts:
        past = marked(*part)
        company.add(past, [one.traits for one in part], {("segment", "used"): measure})
        each = rows_of(past, measure, SPAN).reshape(len(part), DAYS, SPAN)
        wanted[""] += each.sum(axis=0)
        for one, rows in zip(part, each, strict=True):
            for day in range(DAYS):
                value = one.segment(day)
                if value is not None:
                    wanted[value][day] += rows[day]
    company.done()
    those = [one for part in parts for one in part]
    found = company.others("segment", "used", [one.traits for one in those]).reshape(-1, DAYS, SPAN)
    for one, rows in zip(those, found, strict=True):
        for day in range(DAYS):
            assert (rows[day] == wanted[one.segment(day) or ""][day]).all()


def test_a_segment_of_its_own_for_every_account_takes_no_matrix_for_each() -> None:
    """A trait may hold anything, also a name; a matrix of days for each took 3 GB for 12,000 accounts."""
    measure = Measure(name="used", agg="count", activity=True)
    company = Company(DAYS, 60)
    each = [Account([One(1, 5, 0, True, False)], [(0, f"s{n}")]) for n in range(2_000)]
    tracemalloc.start()
    for n in range(0, len(each), 50):
        part = each[n : n + 50]
        company.add(marked(*part), [one.traits for one in part], {("segment", "used"): measure})
    for one in each:
        assert company.others("segment", "used", [one.traits]).sum() == 60
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 20e6
