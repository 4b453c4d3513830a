"""What rules cost: cases, not warnings, against what an engagement model allows."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.budgets import Episode, budgets

DAYS, FIRST = 28, 10


def in_a_week(day: int) -> int:
    return day + 7


@st.composite
def episodes(draw: st.DrawFn) -> Episode:
    start = draw(st.integers(0, FIRST + DAYS - 1))
    lasts = draw(st.sampled_from([None, 0, 1, 5, 20]))
    return Episode(
        draw(st.integers(1, 3)),
        draw(st.sampled_from(["risk", "growth"])),
        draw(st.sampled_from(["fell", "silent", "new"])),
        start,
        None if lasts is None else start + lasts,
        draw(st.sampled_from([None, "dana", "lee"])),
        "high",
    )


def opened(found: list[Episode], stays: int) -> list[Episode]:
    """Day by day: one opens a case when none of its account and queue is open."""
    cases: list[Episode] = []
    for day in range(FIRST + DAYS):
        for key in {(one.account_id, one.queue) for one in found}:
            mine = [one for one in found if (one.account_id, one.queue) == key]
            is_open = any(one.start < day and (one.end is None or day <= one.end + stays) for one in mine)
            today = sorted((one for one in mine if one.start == day), key=lambda one: one.rule)
            if today and not is_open and day >= FIRST:
                cases.append(today[0])
    return cases


@given(st.lists(episodes(), max_size=12), st.sampled_from([0, 1, 7, 30]))
def test_loads_are_the_cases_that_going_day_by_day_opens(found: list[Episode], stays: int) -> None:
    told = budgets(found, frozenset({"new"}), {"high": 1}, FIRST, DAYS, lambda day: day + stays)
    cases = opened(found, stays)
    before = opened([one for one in found if one.rule != "new"], stays)
    for owner in {one.owner for one in found}:
        mine = [one for one in told if one.owner == owner]
        count = sum(1 for one in cases if one.owner == owner)
        assert abs(sum(one.per_week for one in mine) * DAYS / 7 - count) < 1e-9
        for one in mine:
            assert abs(one.before * DAYS / 7 - sum(1 for b in before if b.owner == owner)) < 1e-9
            assert abs(sum(share for _, share in one.rules) - one.per_week) < 1e-9
            assert one.is_over == (owner is not None and one.per_week > 1 and one.per_week > one.before)


def one_a_day(rule: str, first_account: int) -> list[Episode]:
    return [
        Episode(first_account + day, "risk", rule, FIRST + day, FIRST + day, "dana", "high")
        for day in range(DAYS)
    ]


def test_a_rule_is_refused_for_what_it_adds_not_for_what_was_too_much_before() -> None:
    old, new = one_a_day("old", 0), one_a_day("new", 1_000)
    [load] = budgets([*old, *new], frozenset({"new"}), {"high": 10}, FIRST, DAYS, in_a_week)
    assert (load.per_week, load.before, load.is_over) == (14, 7, True)
    [load] = budgets(old, frozenset({"new"}), {"high": 5}, FIRST, DAYS, in_a_week)
    assert (load.per_week, load.before, load.is_over) == (7, 7, False)
    [load] = budgets([*old, *new], frozenset({"new"}), {"high": None}, FIRST, DAYS, in_a_week)
    assert not load.is_over
