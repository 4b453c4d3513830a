"""Warnings of several rules against one tenant's outcomes: who was first, in whose money, and what is told of an earlier day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.contracts import expansions
from alerts.domain.judging import Episode, Judging, Outcomes, Watch
from alerts.domain.record import Entry, Source, records
from common.figures.mrr import Change
from common.figures.rates import Rates

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


def signed(day: float) -> Change:
    """A renewal that holds for a year."""
    term_end = at(day + 365)
    return Change("a", at(day), at(day), "s", f"r{day}", "renewed", Decimal(100), term_end, "EUR")


def more(day: float) -> Change:
    return Change("a", at(day), at(day), "s", f"m{day}", "changed", Decimal(150), None, "EUR")


def outcomes(*changes: Change, rates: Sequence[tuple[str, date, Decimal]] = ()) -> Outcomes:
    traits = {1: [(at(0), "owner", "dana"), (at(50), "owner", "lee"), (at(0), "segment", "mid")]}
    known = Rates.of("EUR", rates)
    return Outcomes(ZoneInfo("Europe/Berlin"), {1: changes}, {}, {}, {}, {}, traits, known)


def warned(day: float, rule: str, source: Source = "live") -> Episode:
    return Episode(1, at(day), source, rule)


def entries_of(found: Outcomes, *episodes: Episode) -> dict[str, list[Entry]]:
    """By rule; those whose name says so are of growth."""
    watches = [
        Watch(
            rule, sorted((e for e in episodes if e.rule == rule), key=lambda e: e.at), growth="growth" in rule
        )
        for rule in sorted({one.rule for one in episodes})
    ]
    judging = Judging(found, watches, NOW)
    return {w.rule: judging.judge(w.warnings, START, growth=w.growth)[0] for w in watches}


def money(found: Outcomes, *episodes: Episode) -> dict[str, Decimal]:
    span = Judging(found, [], NOW).span(START)
    judged = entries_of(found, *episodes)
    return {rule: records(entries, [], span).whole.money_caught for rule, entries in judged.items()}


def test_an_ending_s_money_goes_to_the_first_live_rule_that_foretold_it() -> None:
    left = outcomes(started(0), cancelled(200))
    assert money(left, warned(150, "late"), warned(140, "early")) == {"early": 1200, "late": 0}
    # A shadow told nobody: it takes nothing from the rule that did, and says what it would have been first to.
    assert money(left, warned(150, "live"), warned(140, "quiet", "shadow")) == {"live": 1200, "quiet": 1200}
    assert money(left, warned(50, "of_something_else"), warned(150, "live"))["live"] == 1200
    # Neither a sign of growth nor what late data refuted foretold that the account would leave.
    refuted = replace(warned(130, "refuted"), is_withdrawn=True)
    assert money(left, warned(140, "growth"), refuted, warned(150, "live"))["live"] == 1200
    # Nor did a warning that a renewal proved wrong.
    renewed = outcomes(started(0), cancelled(200), signed(120))
    assert money(renewed, warned(115, "wrong"), warned(150, "live")) == {"wrong": 0, "live": 1200}


said = st.tuples(st.integers(0, 199), st.sampled_from(["a", "b", "c", "growth"]), st.booleans())


@given(st.lists(said, max_size=8, unique=True), st.none() | st.integers(60, 199), st.booleans())
def test_what_came_is_credited_once_to_the_first_that_foretold_it(
    warnings: list[tuple[int, str, bool]], renewed_on: int | None, is_worked: bool
) -> None:
    """However many rules of either queue warned, were refuted, or were wrong about a renewal in between."""
    renewal = [] if renewed_on is None else [signed(renewed_on)]
    found = outcomes(started(0), cancelled(200), more(198), *renewal)
    found = replace(found, work={1: [(at(0), None)]} if is_worked else {})
    judged = entries_of(found, *(replace(warned(day, rule), is_withdrawn=w) for day, rule, w in warnings))
    of_risk = [entry for rule, entries in judged.items() if rule != "growth" for entry in entries]
    in_time = [
        at(day).date()
        for day, rule, is_withdrawn in warnings
        if rule != "growth" and not is_withdrawn and day >= max(110, renewed_on or 0)
    ]
    credited = [entry.day for entry in of_risk if entry.is_first and entry.judged.days_before is not None]
    assert credited == ([min(in_time)] if in_time else [])
    for came in {entry.judged.renewed_at for entry in of_risk if entry.judged.worked} - {None}:
        assert sum(entry.is_first and entry.judged.renewed_at == came for entry in of_risk) == 1


def test_a_score_is_judged_on_the_renewal_that_it_warned_of() -> None:
    """Two subscriptions, of which one is lost and one renewed; of the first warning it was not kept whose it was."""

    def term(subscription: str, day: float, end: float, mrr: int) -> Change:
        return replace(started(day, mrr, subscription=subscription), term_end=at(end))

    def risky(day: float, subscription: str | None) -> Episode:
        return replace(warned(day, "risk score"), subscription=subscription)

    kept = [term("b", 0, 150, 30), replace(term("b", 100, 380, 30), kind="renewed")]
    two = outcomes(term("a", 0, 230, 70), cancelled(200), *kept)
    judging = Judging(two, [], NOW)
    warnings = [risky(60, None), risky(120, "b"), risky(150, "a"), risky(160, "a")]
    entries, missed = judging.judge(warnings, START, by_renewal=True)
    assert [(one.judged.verdict.value, one.mrr) for one in entries] == [
        ("false", Decimal(0)),
        ("false", Decimal(0)),
        ("caught", Decimal(70)),
        ("repeat", Decimal(0)),
    ]
    assert missed == []
    _, missed = judging.judge(warnings[:2], START, by_renewal=True)
    assert [one.day for one in missed] == [date(2025, 7, 20)]
    as_a_whole, missed = judging.judge(warnings, START)
    assert {one.judged.verdict.value for one in as_a_whole} == {"false", "repeat"}, "the account stayed"
    assert missed == []


def test_money_is_told_in_the_tenant_s_currency_or_not_at_all() -> None:
    dollars = [started(0, currency="USD"), cancelled(200)]
    rates = [("USD", date(2025, 1, 1), Decimal("0.5")), ("USD", date(2025, 6, 1), Decimal("0.9"))]
    assert money(outcomes(*dollars, rates=rates), warned(140, "r")) == {"r": 600}
    later = [("USD", date(2025, 12, 1), Decimal("0.5"))]
    assert money(outcomes(*dollars, rates=later), warned(140, "r")) == {"r": 600}, "as figures have it"
    judging = Judging(outcomes(*dollars), [], NOW)
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
    judging = Judging(left, [], NOW)
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
