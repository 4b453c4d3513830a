"""Rows whose numbers appear out of order are given once each."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ingest.events import NOW

from ingest.domain.tail import SETTLED, Tail


@dataclass(frozen=True)
class Row:
    seq: int
    written_at: datetime


@given(st.lists(st.integers(1, 50), unique=True), st.data())
def test_every_row_is_given_once_however_late_it_appears(appearance: list[int], data: st.DataObject) -> None:
    tail, table, given_out, now = Tail(0), list[Row](), list[int](), NOW
    pending = list(appearance)
    while pending:
        for _ in range(data.draw(st.integers(1, len(pending)))):
            table.append(Row(pending.pop(0), now))
        # Rows of one look are close together in time; none appears below one that has settled.
        now += data.draw(st.timedeltas(timedelta(0), SETTLED / 60))
        given_out += [row.seq for row in tail.fresh((r for r in table if r.seq > tail.floor), now)]
    assert sorted(given_out) == sorted(appearance)


def test_the_floor_follows_what_has_settled() -> None:
    tail = Tail(5)
    assert [row.seq for row in tail.fresh([Row(5, NOW), Row(7, NOW)], NOW)] == [7]
    assert tail.floor == 5
    assert tail.fresh([Row(7, NOW)], NOW + SETTLED) == []
    assert tail.floor == 7
