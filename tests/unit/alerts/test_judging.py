"""Warnings of several rules against one tenant's outcomes: who was first, in whose money, and what is told of an earlier day."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.contracts import expansions
from alerts.domain.judging import Episode, Judging, Outcomes
from alerts.domain.record import Source, records
from common.figures.mrr import Change

START = datetime(2025, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=400)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def started(day: float, mrr: int = 100, currency: str = "EUR", subscription: str = "a") -> Change:
    return Change(
        subscription, at(day), at(day), "s", f"{subscription}{day}", "started", Decimal(mrr), None, currency
    )


def cancelled(day: float) -> Change:
    return Change("a", at(day + 30), at(day), "s", f"c{day}", "cancelled")


def outcomes(*changes: Change, rates: dict[str, list[tuple[date, Decimal]]] | None = None) -> Outcomes:
    traits = {1: [(at(0), "owner", "dana"), (at(50), "owner", "lee"), (at(0), "segment", "mid")]}
    return Outcomes("EUR", ZoneInfo("Europe/Berlin"), {1: changes}, {}, {}, {}, {}, traits, rates or {})


def warned(day: float, rule: str, source: Source = "live") -> Episode:
    return Episode(1, at(day), source, rule)


def money(found: Outcomes, *episodes: Episode) -> dict[str, Decimal]:
    ordered = sorted(episodes, key=lambda one: one.at)
    judging = Judging(found, ordered, NOW)
    return {
        rule: records(
            *judging.judge([e for e in ordered if e.rule == rule], START), judging.span(START)
        ).whole.money_caught
        for rule in sorted({one.rule for one in episodes})
    }


def test_an_ending_s_money_goes_to_the_first_live_rule_that_warned_of_it() -> None:
    left = outcomes(started(0), cancelled(200))
    assert money(left, warned(150, "late"), warned(140, "early")) == {"early": 1200, "late": 0}
    # A shadow told nobody: it takes nothing from the rule that did, and says what it would have been first to.
    assert money(left, warned(150, "live"), warned(140, "quiet", "shadow")) == {"live": 1200, "quiet": 1200}
    assert money(left, warned(50, "of_something_else"), warned(150, "live"))["live"] == 1200


@given(st.lists(st.tuples(st.integers(0, 199), st.sampled_from(["a", "b", "c"])), max_size=8, unique=True))
def test_money_of_one_ending_is_counted_once_over_all_rules(said: list[tuple[int, str]]) -> None:
    episodes = [warned(day, rule) for day, rule in said]
    in_time = any(day >= 110 for day, _ in said)
    assert sum(money(outcomes(started(0), cancelled(200)), *episodes).values()) == (1200 if in_time else 0)


def test_money_is_told_in_the_tenant_s_currency_or_not_at_all() -> None:
    dollars = [started(0, currency="USD"), cancelled(200)]
    rates = {"USD": [(date(2025, 1, 1), Decimal("0.5")), (date(2025, 6, 1), Decimal("0.9"))]}
    assert money(outcomes(*dollars, rates=rates), warned(140, "r")) == {"r": 600}
    judging = Judging(outcomes(*dollars), [warned(140, "r")], NOW)
    found = records(*judging.judge([warned(140, "r")], START), judging.span(START)).whole
    assert (found.money_caught, found.money_unknown) == (Decimal(0), 1)


def test_a_warning_is_its_owner_s_of_the_moment_and_of_its_local_day() -> None:
    judging = Judging(outcomes(started(0)), [], NOW)
    entries, _ = judging.judge([warned(49.99, "r"), warned(51, "r")], START)
    assert [(one.owner, one.day) for one in entries] == [
        ("dana", date(2025, 2, 20)),
        ("lee", date(2025, 2, 21)),
    ]


def test_a_month_is_told_by_its_own_warnings_as_they_are_known_now() -> None:
    left = outcomes(started(0), cancelled(200))
    judging = Judging(left, [warned(150, "r"), warned(160, "r")], NOW)
    entries, missed = judging.judge([warned(150, "r"), warned(160, "r")], START, at(155))
    assert [one.judged.verdict.value for one in entries] == ["caught"]
    assert missed == []
    assert [one.day for one in judging.judge([], START, at(210))[1]] == [date(2025, 7, 20)]
    assert judging.judge([], START, at(199))[1] == []


def test_growth_is_revenue_that_rose_of_who_paid_already() -> None:
    more = Change("a", at(40), at(30), "s", "m", "changed", Decimal(150), None, "EUR")
    less = Change("a", at(60), at(60), "s", "l", "changed", Decimal(120), None, "EUR")
    found = expansions([started(0), more, less, started(90, 50, subscription="b")], NOW)
    assert [(one.kind, one.decided_at) for one in found] == [("grew", at(30)), ("grew", at(90))]
    judging = Judging(outcomes(started(0), more), [], NOW)
    entries, missed = judging.judge([warned(10, "r"), warned(35, "r")], START, growth=True)
    assert [one.judged.verdict.value for one in entries] == ["caught", "false"]
    assert missed == []
