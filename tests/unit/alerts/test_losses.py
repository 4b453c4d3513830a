"""Which cancellation a loss review names, against asking each of them slowly."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.contracts import ended_by
from common.figures.mrr import Change

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LOST = 60


def change(subscription: str, kind: str, told: int, acts: int, n: int = 0) -> Change:
    return Change(subscription, START + acts * DAY, START + told * DAY, "crm", f"e{n:02}", kind)  # type: ignore[arg-type]


def test_a_notice_that_was_withdrawn_ended_nothing() -> None:
    notice = change("s", "cancelled", 0, 30)
    assert ended_by([notice], START + LOST * DAY) == notice
    assert ended_by([notice, change("s", "renewed", 10, 30, 1)], START + LOST * DAY) is None


def test_a_cancellation_after_which_the_subscription_began_anew_ended_something_else() -> None:
    told = [change("s", "cancelled", 10, 10), change("s", "started", 50, 50, 1)]
    assert ended_by(told, START + LOST * DAY) is None


def test_one_that_acts_later_has_ended_nothing_yet() -> None:
    assert ended_by([change("s", "cancelled", 0, LOST + 1)], START + LOST * DAY) is None


days = st.integers(0, 90)
changes = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["started", "changed", "renewed", "cancelled"]), days, days),
    max_size=9,
)  # fmt: skip


@given(changes)
def test_it_is_the_last_that_stands_and_was_not_followed(told: list[tuple[str, str, int, int]]) -> None:
    rows = [(*row, n) for n, row in enumerate(told)]
    begins = [row for row in rows if row[1] in ("started", "renewed")]
    found = []
    for name, kind, said, acts, n in rows:
        if kind != "cancelled" or acts > LOST:
            continue
        beginnings = [(b_said, b_acts, b_n) for b, _, b_said, b_acts, b_n in begins if b == name]
        withdrawn = any(
            (b_said, b_n) > (said, n) and b_said < acts and b_acts <= acts + 30
            for b_said, b_acts, b_n in beginnings
        )
        followed = any(
            (b_acts, b_said, b_n) > (acts, said, n) and b_acts <= LOST for b_said, b_acts, b_n in beginnings
        )
        if not withdrawn and not followed:
            found.append((acts, said, n))
    expected = f"e{max(found)[2]:02}" if found else None
    ended = ended_by([change(*row) for row in rows], START + LOST * DAY)
    assert (ended.event_id if ended else None) == expected
