"""Arrivals by the hour: every new event once, in its group, none of history."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue.models import Catalogue
from kpi_engine.domain.arrivals import GROUPS, HISTORY_US, HOUR_US, cells, group_of
from kpi_engine.domain.batch import TenantBatch

NOW_US = 1_790_000_000_000_000
events = st.lists(
    st.tuples(
        st.integers(0, 3),  # partition
        st.integers(0, 50),  # account
        st.sampled_from(["web", "mobile"]),
        st.sampled_from(["login", "report"]),
        st.integers(0, 2 * HOUR_US),  # arrived after
        st.sampled_from([-HISTORY_US - 1, -HISTORY_US, -5, 0]),  # happened, from its arrival on
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(events)
def test_every_live_event_is_counted_once_where_it_belongs(
    found: list[tuple[int, int, str, str, int, int]],
) -> None:
    partitions, accounts, sources, types, arrived, happened = (
        [row[n] for row in found] for n in range(6)
    )  # fmt: skip
    ingested = np.array(arrived, np.int64) + NOW_US
    nobody = np.zeros(len(found), np.int64)
    batch = TenantBatch(
        1, Catalogue(), np.array(partitions, np.int16), np.array(accounts, np.int64), nobody, nobody.astype(np.bool_),
        [str(kind) for kind in types], ingested + np.array(happened, np.int64), [str(one) for one in sources], [], [], ingested,
    )  # fmt: skip
    counted = Counter(
        {
            (cell.hour, cell.partition, cell.source, cell.type, group): int(count)
            for cell in cells(batch)
            for group, count in enumerate(cell.groups)
            if count
        }
    )
    expected = Counter(
        ((NOW_US + late) // HOUR_US, partition, source, kind, int(group_of(np.array([account]))[0]))
        for partition, account, source, kind, late, back in found
        if back >= -HISTORY_US
    )
    assert counted == expected
    keys = [(cell.hour, cell.partition, cell.source, cell.type) for cell in cells(batch)]
    assert keys == sorted(set(keys))


def test_accounts_that_follow_each_other_spread_over_the_groups() -> None:
    sizes = np.bincount(group_of(np.arange(1, 321)), minlength=GROUPS)
    assert sizes.min() >= 10
