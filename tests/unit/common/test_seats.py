"""Seats of now and of a quarter ago, from a trait and subscriptions: equal to looking at every instant, in any order within it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from common.signals.said import seats_of

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
days = st.sampled_from([200, 150, 91, 90, 89, 30, 3, 0]).map(lambda back: NOW - back * DAY)
traits = st.lists(st.tuples(days, st.sampled_from([None, None, 0.0, 5.0, 8.0, -1.0])), max_size=5)
subscriptions = st.lists(
    st.tuples(days, st.sampled_from([Decimal(-2), Decimal(3), Decimal("2.5")])), max_size=5
)


@given(traits, subscriptions)
def test_the_trait_holds_and_else_what_subscriptions_say(
    told: list[tuple[datetime, float | None]], sold: list[tuple[datetime, Decimal]]
) -> None:
    told.sort(key=lambda one: one[0])
    sold.sort(key=lambda one: one[0])

    def at(instant: datetime) -> float | None:
        says = [number for when, number in told if when <= instant][-1:]
        running = sum(change for when, change in sold if when <= instant)
        return says[0] if says and says[0] is not None else float(running) or None

    known = [
        (when, at(when)) for when in sorted({when for when, _ in (*told, *sold)}) if at(when) is not None
    ]
    now = at(NOW)
    if now is None or now <= 0:
        assert seats_of(told, sold, NOW) is None
        return
    long_ago = [seats for when, seats in known if when <= NOW - 90 * DAY]
    assert seats_of(told, sold, NOW) == (now, long_ago[-1] if long_ago else known[0][1])
